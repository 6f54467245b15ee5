"""The head of the accepted state as the content of a Secret, small enough for five thousand instances, and back.

It holds the signed index and what is in force otherwise: entries that differ from the index or are not listed any more
(``beside``), listed instances without a document in force (``absent``), and floors. Versions before wrote every entry
and kept the index in a Secret of its own; such a head is still read.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from agent.model.desired import Entry, Index, Standing
from agent.model.errors import Refused
from agent.ports import KeptState
from agent.wire.envelope import pack, unpack
from agent.wire.index import unverified_entries

_FORMAT = 2
_LEVEL = 1
"""Digests are random: trying harder takes thrice the time for five per cent."""

DAMAGED = (ValueError, LookupError, TypeError, AttributeError, zlib.error)
"""What ``read`` raises where somebody damaged the head."""


@dataclass(frozen=True, slots=True)
class Head:
    """What a head says. ``index_digest`` is said where the index is kept elsewhere, and ``index`` is empty then."""

    entries: Mapping[str, Entry]
    standing: Standing
    floors: Mapping[str, int]
    index: bytes = b""
    index_digest: str = ""


def write(state: KeptState, *, index: Index) -> dict[str, bytes]:
    """The Secret's content for this state, which follows that index."""
    listed = {entry.id: entry for entry in index.entries}
    head = {
        "format": _FORMAT,
        "epoch": state.standing.epoch,
        "version": state.standing.version,
        "beside": [
            {"id": entry.id, "revision": entry.revision, "digest": entry.digest, "size": entry.size}
            for key, entry in sorted(state.entries.items())
            if entry != listed.get(key)
        ],
        "absent": sorted(listed.keys() - state.entries.keys()),
        "floors": dict(sorted(state.floors.items())),
    }
    packed = zlib.compress(json.dumps(head, sort_keys=True, separators=(",", ":")).encode(), _LEVEL)
    return {"head": packed, "index": zlib.compress(pack(index.raw), _LEVEL)}


def read(content: Mapping[str, bytes]) -> Head:
    """What this content says; raises one of ``DAMAGED``."""
    raw = content["head"]
    if raw[:1] == b"{":
        return _read_first(json.loads(raw))
    said = json.loads(zlib.decompress(raw))
    if said["format"] != _FORMAT:
        raise ValueError(f"format {said['format']}")
    index = unpack(zlib.decompress(content["index"]))
    absent = frozenset(said["absent"])
    entries = {entry.id: entry for entry in _listed(index) if entry.id not in absent} | _entries(said["beside"])
    floors = {str(instance_id): int(floor) for instance_id, floor in said["floors"].items()}
    return Head(entries, _standing(said), floors, index)


def _listed(index: bytes) -> tuple[Entry, ...]:
    """The index's lines; none of one that cannot be understood: whoever verifies it will say what is wrong with it."""
    try:
        return unverified_entries(index)
    except Refused:
        return ()


def _read_first(said: Mapping[str, Any]) -> Head:
    return Head(_entries(said["entries"]), _standing(said), {}, index_digest=str(said["index"]))


def _entries(lines: Iterable[Mapping[str, Any]]) -> dict[str, Entry]:
    return {line["id"]: Entry(**line) for line in lines}


def _standing(said: Mapping[str, Any]) -> Standing:
    return Standing(int(said["epoch"]), int(said["version"]))
