"""The accepted desired state, kept in the cluster: immutable Secrets named by content, and one head that is swapped.

A crash between any two writes leaves the old head pointing at things that still exist: new content is written before
the head moves, old content is swept after it.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from agent.cluster.secrets import SecretShelf, Stored
from agent.model.desired import Entry, Standing
from agent.model.errors import AgentError, Conflict, Misconfigured
from agent.ports import KeptState

_HEAD = "perigee-state-head"
_ROLE = "state"
_HEAD_ROLE = "state-head"


@dataclass(frozen=True, slots=True)
class _Head:
    """What the head says: which index and which documents are in force, and how new they are."""

    index: str
    entries: Mapping[str, Entry]
    standing: Standing

    @classmethod
    def parse(cls, raw: bytes) -> _Head:
        """Raises ValueError, LookupError, TypeError or AttributeError where somebody damaged it."""
        read = json.loads(raw)
        entries = {line["id"]: Entry(**line) for line in read["entries"]}
        return cls(str(read["index"]), entries, Standing(int(read["epoch"]), int(read["version"])))

    def digests(self) -> Iterator[str]:
        """Everything that the head refers to."""
        yield self.index
        yield from (entry.digest for entry in self.entries.values())


class ClusterState:
    """Implements ``ports.StateStore`` over Secrets of the agent's namespace."""

    def __init__(self, shelf: SecretShelf) -> None:
        self._shelf = shelf
        self._held: set[str] = set()
        self._altered: set[str] = set()
        self._referred: set[str] = set()

    async def load(self) -> KeptState | None:
        """What was accepted last; None before the first acceptance.

        A part that somebody deleted or altered is left out: its entry makes the poll loop fetch it again, and the
        standing still keeps older state away.
        """
        kept = await self._shelf.read(_HEAD)
        # One list instead of a read for each: there may be hundreds of documents.
        stored = {one.name: one.content.get("content", b"") for one in await self._shelf.listed(_ROLE)}
        self._held = set(stored)
        self._altered = {name for name, raw in stored.items() if _name(hashlib.sha256(raw).hexdigest()) != name}
        if kept is None:
            return None
        head = self._understood(kept)
        self._referred = {_name(digest) for digest in head.digests()}
        documents = {entry.digest: _believed(stored, entry.digest) for entry in head.entries.values()}
        return KeptState(
            index=_believed(stored, head.index) or b"",
            documents={digest: raw for digest, raw in documents.items() if raw is not None},
            entries=head.entries,
            standing=head.standing,
            resource_version=kept.resource_version,
        )

    def _understood(self, stored: Stored) -> _Head:
        try:
            return _Head.parse(stored.content["head"])
        except (ValueError, LookupError, TypeError, AttributeError):
            raise Misconfigured(
                f"Secret {self._shelf.namespace}/{stored.name}, the accepted state, cannot be understood",
                hint="restore it from a backup, or delete it: then what the control plane says next is accepted anew",
            ) from None

    async def swap(self, state: KeptState) -> KeptState:
        """Write what is new, then move the head under its precondition. What it no longer refers to is swept later."""
        index_digest = hashlib.sha256(state.index).hexdigest()
        content = {**state.documents, index_digest: state.index}
        fresh = {
            _name(digest): raw for digest, raw in content.items() if _name(digest) not in self._held - self._altered
        }
        async with asyncio.TaskGroup() as group:
            writes = [group.create_task(self._written(name, raw)) for name, raw in fresh.items()]
        for failure in (write.result() for write in writes):
            if failure is not None:
                raise failure
        self._held |= fresh.keys()
        self._altered -= fresh.keys()
        self._referred = {_name(digest) for digest in content}
        moved = await self._move_head(state, index_digest)
        return KeptState(state.index, state.documents, state.entries, state.standing, moved.resource_version)

    async def sweep(self) -> None:
        """Delete the content that the head no longer refers to."""
        for name in sorted(self._held - self._referred):
            await self._shelf.delete(name)
            self._held.discard(name)

    async def _move_head(self, state: KeptState, index_digest: str) -> Stored:
        head = {
            "epoch": state.standing.epoch,
            "version": state.standing.version,
            "index": index_digest,
            "entries": [
                {"id": entry.id, "revision": entry.revision, "digest": entry.digest, "size": entry.size}
                for _, entry in sorted(state.entries.items())
            ],
        }
        content = {"head": json.dumps(head, sort_keys=True).encode()}
        if not state.resource_version:
            return await self._shelf.create(_HEAD, content, role=_HEAD_ROLE)
        known = Stored(_HEAD, content, state.resource_version)
        return await self._shelf.replace(known, content, role=_HEAD_ROLE)

    async def _written(self, name: str, raw: bytes) -> AgentError | None:
        try:
            if name in self._altered:
                await self._shelf.delete(name)  # it cannot be changed, and does not hold what its name says
            await self._shelf.create(name, {"content": raw}, role=_ROLE, immutable=True)
        except Conflict:
            return None  # named by content: whoever wrote it wrote the same bytes
        except AgentError as error:
            return error
        return None


def _believed(stored: Mapping[str, bytes], digest: str) -> bytes | None:
    """The content of that digest; None if it is missing or altered."""
    raw = stored.get(_name(digest))
    return raw if raw is not None and hashlib.sha256(raw).hexdigest() == digest else None


def _name(digest: str) -> str:
    return f"perigee-state-{digest}"
