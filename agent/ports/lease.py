"""Ports of leadership: the Lease that the replicas compete for, and what stands between a loser and its writes."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Protocol

from agent.model.lease import LeaseRecord


class Fence(Protocol):
    """What stands between us and every write."""

    def check(self) -> None:
        """Raise NotLeading if no write may start now; never waits."""
        ...


class Leases(Protocol):
    """The one Lease that the replicas of this agent compete for."""

    async def read(self) -> LeaseRecord | None:
        """The record as it stands; None: there is none."""
        ...

    async def write(self, record: LeaseRecord) -> LeaseRecord:
        """Create the record, or replace the one at its ``resource_version``; raises Conflict if it is not the one."""
        ...

    def changes(self, record: LeaseRecord | None) -> AsyncGenerator[LeaseRecord | None, None]:
        """What becomes of the record after this state of it, as it happens, until the server ends the watch."""
        ...
