"""The accepted desired state, kept in the cluster: immutable Secrets named by content, and one head that is swapped.

A crash between any two writes leaves the old head pointing at things that still exist: new documents are written before
the head moves, old ones are swept after it. The head carries the signed index, packed, and says only what is in force
otherwise than that index lists it: one changed document among thousands is a small write.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Iterator, Mapping

from agent.cluster import heads
from agent.cluster.secrets import SecretShelf, Stored
from agent.model.desired import Index
from agent.model.errors import AgentError, Conflict, Misconfigured
from agent.ports import KeptState

_HEAD = "perigee-state-head"
_ROLE = "state"
_HEAD_ROLE = "state-head"
_PREFIX = "perigee-state-"
_MOST_WRITES = 16
"""So many documents are written at once: the API server has others to serve."""


class ClusterState:
    """Implements ``ports.StateStore`` over Secrets of the agent's namespace."""

    def __init__(self, shelf: SecretShelf) -> None:
        self._shelf = shelf
        self._held: set[str] = set()
        self._altered: set[str] = set()
        """Digests of which a Secret exists that holds something else."""
        self._referred: frozenset[str] = frozenset()

    async def load(self) -> KeptState | None:
        """What was accepted last; None before the first acceptance."""
        kept = await self._shelf.read(_HEAD)
        if kept is None:
            self._referred = frozenset()
            return None
        try:
            head = heads.read(kept.content)
        except heads.DAMAGED:
            raise Misconfigured(
                f"Secret {self._shelf.namespace}/{_HEAD}, the accepted state, cannot be understood",
                hint="restore it from a backup, or delete it: then what the control plane says next is accepted anew",
            ) from None
        index = head.index or await self._index_beside(head.index_digest)
        state = KeptState(index, head.entries, head.standing, kept.resource_version, head.floors)
        self._referred = _referred(state) | {head.index_digest}
        return state

    async def documents(self) -> AsyncIterator[Mapping[str, bytes]]:
        """Every document that is kept and referred to, by digest, page by page.

        One that somebody deleted or altered is left out: its entry makes the poll loop fetch it again, and the standing
        still keeps older state away.
        """
        held: set[str] = set()
        altered: set[str] = set()
        async for page in self._shelf.pages(_ROLE):
            believed: dict[str, bytes] = {}
            for digest, raw in _named(page):
                (held if _sha256(raw) == digest else altered).add(digest)
                if digest in held and digest in self._referred:
                    believed[digest] = raw
            yield believed
        self._held, self._altered = held, altered

    def holds(self, digest: str) -> bool:
        """Whether that document is kept, as far as is known."""
        return digest in self._held

    async def hold(self, documents: Mapping[str, bytes]) -> None:
        """Write those that are not kept yet, some at a time; raises the first failure once all were tried."""
        fresh = [(digest, raw) for digest, raw in documents.items() if digest not in self._held]
        failures: list[AgentError] = []
        for begin in range(0, len(fresh), _MOST_WRITES):
            async with asyncio.TaskGroup() as group:
                writes = [group.create_task(self._written(*one)) for one in fresh[begin : begin + _MOST_WRITES]]
            failures += [failure for write in writes if (failure := write.result()) is not None]
        for failure in failures:
            raise failure

    async def swap(self, state: KeptState, *, index: Index) -> KeptState:
        """Move the head under its precondition. What it no longer refers to is swept later."""
        content = heads.write(state, index=index)
        if state.resource_version:
            known = Stored(_HEAD, content, state.resource_version)
            moved = await self._shelf.replace(known, content, role=_HEAD_ROLE)
        else:
            moved = await self._shelf.create(_HEAD, content, role=_HEAD_ROLE)
        self._referred = _referred(state)
        return KeptState(index.raw, state.entries, state.standing, moved.resource_version, state.floors)

    async def sweep(self) -> None:
        """Delete the content that the head no longer refers to."""
        for digest in sorted((self._held | self._altered) - self._referred):
            await self._shelf.delete(_PREFIX + digest)
            self._held.discard(digest)
            self._altered.discard(digest)

    async def _index_beside(self, digest: str) -> bytes:
        """The index where it is a Secret of its own, as versions before kept it; nothing if it is lost or altered."""
        found = await self._shelf.read(_PREFIX + digest)
        raw = found.content.get("content", b"") if found is not None else b""
        return raw if _sha256(raw) == digest else b""

    async def _written(self, digest: str, raw: bytes) -> AgentError | None:
        name = _PREFIX + digest
        try:
            if digest in self._altered:
                await self._shelf.delete(name)  # it cannot be changed, and does not hold what its name says
            await self._shelf.create(name, {"content": raw}, role=_ROLE, immutable=True)
        except Conflict:
            pass  # named by content: whoever wrote it wrote the same bytes
        except AgentError as error:
            return error
        self._held.add(digest)
        self._altered.discard(digest)
        return None


def _referred(state: KeptState) -> frozenset[str]:
    return frozenset(entry.digest for entry in state.entries.values())


def _named(page: tuple[Stored, ...]) -> Iterator[tuple[str, bytes]]:
    for one in page:
        yield one.name.removeprefix(_PREFIX), one.content.get("content", b"")


def _sha256(raw: bytes) -> str:
    return hashlib.sha256(raw).hexdigest()
