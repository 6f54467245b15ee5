"""Ports of what the cluster keeps for us: the accepted state, and the record of what was applied."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from agent.model.desired import Entry, Index, Standing
from agent.model.errors import AgentError
from agent.model.objects import Inventory


@dataclass(frozen=True, slots=True)
class KeptState:
    """What the cluster keeps of the accepted state, but for the documents; none of it is verified when it was loaded.

    ``index`` is the signed envelope, ``entries`` are those in force by instance id. ``floors``: the revision that was
    in force last, of instances that have no document any more.
    """

    index: bytes
    entries: Mapping[str, Entry]
    standing: Standing
    resource_version: str
    floors: Mapping[str, int] = field(default_factory=dict)


class StateStore(Protocol):
    """The accepted desired state, kept in the cluster so that a restart needs nobody."""

    async def load(self) -> KeptState | None:
        """What was accepted last; None before the first acceptance."""
        ...

    def documents(self) -> AsyncIterator[Mapping[str, bytes]]:
        """Every document that is kept, by digest, some at a time; to be read to the end after each ``load``."""
        ...

    def holds(self, digest: str) -> bool:
        """Whether that document is kept, as far as is known from ``documents`` and ``hold``."""
        ...

    async def hold(self, documents: Mapping[str, bytes]) -> None:
        """Keep these documents, by digest; they are in force only once ``swap`` says so."""
        ...

    async def swap(self, state: KeptState, *, index: Index) -> KeptState:
        """Replace the head, provided that it is still at ``state.resource_version``; raises Conflict if not.

        ``index`` is the verified one that the state follows.
        """
        ...

    async def sweep(self) -> None:
        """Delete the documents that the last ``load`` or ``swap`` does not refer to."""
        ...


class Inventories(Protocol):
    """The record of what was applied, per instance, kept in the cluster."""

    async def load_all(self) -> Mapping[str, Inventory | AgentError]:
        """Every inventory by instance id; in the place of one that cannot be understood, the error that says why."""
        ...

    async def load(self, instance_id: str) -> Inventory | AgentError | None:
        """That of one instance; None if there is none."""
        ...

    async def save(self, inventory: Inventory) -> Inventory:
        """Write it, provided that it is still at its ``resource_version``; raises Conflict if not."""
        ...

    async def forget(self, inventory: Inventory) -> None:
        """Delete it, with the same precondition."""
        ...
