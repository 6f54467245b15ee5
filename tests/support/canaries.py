"""Marked values, how they may be spelt, and where they were found although they should not be.

Here: the list of what is searched (``SEARCHED``), which a test compares with the sinks that the agent has.
"""

from __future__ import annotations

import base64
import uuid
from collections.abc import Iterator, Mapping
from typing import Any, Final

from agent.model.secrets import FIELDS
from agent.wire.sealing import SealedFor, seal

SEARCHED: Final = {
    "Metrics": "the page that Prometheus scrapes",
    "Records": "every log record at every level, in both forms",
    "Readiness": "the page of the readiness probe",
    "AuditTrail": "the outbox on disk, and what the control plane keeps of it",
    "WireReports": "all that the control plane keeps",
}
"""What tells something to somebody, by its name in the agent, and where the search looks for that."""


def canary(what: str) -> str:
    """A value that nobody else has."""
    return f"canary-{what}-{uuid.uuid4().hex}"


def planted(instance_id: str, cluster: str, public: bytes, *, sealed: str) -> dict[str, Any]:
    """A value of every form in each secret field that a document has, as fields of its spec."""
    spec: dict[str, Any] = {}
    for field in FIELDS:
        place = SealedFor(cluster, instance_id, f"{field}.SEALED")
        values: dict[str, Any] = {
            "REFERRED": {"secretRef": {"name": "theirs", "key": "token"}},
            "SEALED": {"sealed": seal(sealed.encode(), public, place)},
            "GENERATED": {"generate": {}},
        }
        _, *parents, leaf = field.split(".")
        node = spec
        for parent in parents:
            node = node.setdefault(parent, {})
        node[leaf] = values
    return spec


def spellings(value: bytes) -> Iterator[bytes]:
    """As it is, in hexadecimal, and in base64 wherever it may stand in a longer text."""
    yield value
    yield value.hex().encode()
    for before in range(3):
        encoded = base64.b64encode(b"\0" * before + value)
        core = encoded[(0, 2, 3)[before] : len(encoded) - 4]
        yield core
        yield core.replace(b"+", b"-").replace(b"/", b"_")


def found(canaries: Mapping[str, bytes], places: Mapping[str, bytes]) -> list[str]:
    """Which canary sits where."""
    return [
        f"{name} in {place}"
        for place, content in places.items()
        for name, value in canaries.items()
        if any(spelling in content for spelling in spellings(value))
    ]
