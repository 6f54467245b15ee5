"""The accepted desired state, kept in the cluster: immutable Secrets named by content, and one head that is swapped.

A crash between any two writes leaves the old head pointing at things that still exist: new content is written before
the head moves, old content is swept after it.
"""

from __future__ import annotations

import hashlib
import json

from agent.cluster.secrets import SecretShelf, Stored
from agent.model.desired import Entry, Standing
from agent.model.errors import Conflict
from agent.ports import KeptState

_HEAD = "perigee-state-head"
_ROLE = "state"
_HEAD_ROLE = "state-head"


class ClusterState:
    """Implements ``ports.StateStore`` over Secrets of the agent's namespace."""

    def __init__(self, shelf: SecretShelf) -> None:
        self._shelf = shelf
        self._head: Stored | None = None

    async def load(self) -> KeptState | None:
        """What was accepted last; None before the first acceptance.

        A part that somebody deleted or altered is left out: its entry makes the poll loop fetch it again, and the
        standing still keeps older state away.
        """
        self._head = await self._shelf.read(_HEAD)
        if self._head is None:
            return None
        head = json.loads(self._head.content["head"])
        entries = {line["id"]: Entry(**line) for line in head["entries"]}
        documents = {entry.digest: await self._content(entry.digest) for entry in entries.values()}
        return KeptState(
            index=await self._content(head["index"]) or b"",
            documents={digest: raw for digest, raw in documents.items() if raw is not None},
            entries=entries,
            standing=Standing(head["epoch"], head["version"]),
            resource_version=self._head.resource_version,
        )

    async def swap(self, state: KeptState) -> KeptState:
        """Write what is new, move the head under its precondition, then sweep what nothing refers to any more."""
        index_digest = hashlib.sha256(state.index).hexdigest()
        content = {**state.documents, index_digest: state.index}
        held = {stored.name for stored in await self._shelf.listed(_ROLE)}
        for digest, raw in content.items():
            if _name(digest) not in held:
                await self._write(digest, raw)
        moved = await self._move_head(state, index_digest)
        for name in held - {_name(digest) for digest in content}:
            await self._shelf.delete(name)
        return KeptState(state.index, state.documents, state.entries, state.standing, moved.resource_version)

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
            self._head = await self._shelf.create(_HEAD, content, role=_HEAD_ROLE)
        else:
            known = Stored(_HEAD, content, state.resource_version)
            self._head = await self._shelf.replace(known, content, role=_HEAD_ROLE)
        return self._head

    async def _write(self, digest: str, raw: bytes) -> None:
        try:
            await self._shelf.create(_name(digest), {"content": raw}, role=_ROLE, immutable=True)
        except Conflict:
            return  # named by content: whoever wrote it wrote the same bytes

    async def _content(self, digest: str) -> bytes | None:
        stored = await self._shelf.read(_name(digest))
        raw = stored.content.get("content") if stored is not None else None
        return raw if raw is not None and hashlib.sha256(raw).hexdigest() == digest else None


def _name(digest: str) -> str:
    return f"perigee-state-{digest}"
