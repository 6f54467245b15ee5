"""Ports of what is written down before it is done: deeds that cannot be undone, and orders."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from agent.model.journal import Deed
from agent.model.orders import OrderBook


class Journal(Protocol):
    """What was done to an instance that cannot be undone by applying again: written before it is done."""

    async def append(self, instance_id: str, deeds: Sequence[Deed]) -> None:
        """Add to the instance's one history; raises Conflict where another agent wrote to it meanwhile."""
        ...

    async def read(self, instance_id: str) -> tuple[Deed, ...]:
        """The history that is kept, oldest first."""
        ...

    async def forget(self, instance_id: str) -> None:
        """Delete it: the instance is gone."""
        ...


class OrderJournal(Protocol):
    """Which orders were begun and how they ended: written before an effect begins, so that none happens twice."""

    async def load(self) -> OrderBook:
        """What is known; raises Misconfigured where it cannot be understood."""
        ...

    async def save(self, book: OrderBook) -> OrderBook:
        """Write it, provided that it is still at its ``resource_version``; raises Conflict if not."""
        ...
