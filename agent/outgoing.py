"""Ports of what is told to the control plane: where it waits, how it becomes bytes, and the audit trail beside it.

Edges implement these, loops see them; they are kept apart from the other ports as a matter of their own.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Protocol

from agent.model.audit import AuditEntry
from agent.model.orders import OrderResult
from agent.model.spool import Batch, Letter, Outcome, Priority, SpoolStanding, SpoolTrouble
from agent.model.status import AgentStatus, InstanceStatus


class Spool(Protocol):
    """What waits to be told: bounded, in order, kept until it is acknowledged. Never fails: what cannot be kept on
    disk is kept in memory, and ``trouble`` says why.
    """

    async def put(self, letters: Sequence[Letter], *, notes: Mapping[str, str]) -> None:
        """Add letters at the end and write notes, both or neither. Where there is no room the least important goes."""
        ...

    async def next(self, *, most: int) -> Batch:
        """The batch that is on its way; else a new one of the oldest letters, or without any if none waits."""
        ...

    async def settle(self, batch: Batch, outcome: Outcome) -> None:
        """Taken: its letters go. Again: they wait in their old places. Never: they go and are counted."""
        ...

    async def newest(self, priority: Priority, *, most: int, size: int) -> tuple[Letter, ...]:
        """The newest letters of a class that wait, oldest first; at most so many, with so many bytes."""
        ...

    async def note(self, name: str) -> str:
        """A note that ``put`` wrote; empty if there is none."""
        ...

    def standing(self) -> SpoolStanding:
        """How much waits, and what was lost."""
        ...

    def trouble(self) -> SpoolTrouble | None:
        """Why what waits is in memory only, although a disk is wanted; None if it is not."""
        ...


class AuditSource(Protocol):
    """What happened and is not written down yet."""

    news: asyncio.Event
    """Set while there is something."""

    def take(self) -> tuple[AuditEntry, ...]:
        """What happened, oldest first; it is handed out once."""
        ...

    def close(self) -> None:
        """Nothing more will happen: what is being gathered still is as much as it will become."""
        ...


class AuditStore(Protocol):
    """The newest audit records that nobody acknowledged yet, kept in the cluster."""

    async def load(self) -> tuple[bytes, ...]:
        """The records that were kept last, oldest first."""
        ...

    async def keep(self, records: Sequence[bytes]) -> None:
        """Keep these in the place of those before; raises Conflict where another replica wrote meanwhile."""
        ...


class ReportCodec(Protocol):
    """Turns what is told into bytes, piece by piece and as a whole."""

    def status(self, status: InstanceStatus) -> Letter:
        """An instance's status as a letter; raises Refused where it cannot be told."""
        ...

    def report(self, *, agent: AgentStatus, letters: Sequence[Letter], orders: Sequence[OrderResult] = ()) -> bytes:
        """The batch as it goes over the wire."""
        ...
