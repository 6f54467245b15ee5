"""Who owns which field of an object, read from its managedFields (KEP-555). Pure.

Somebody who changes one of our fields takes it over, so that a change of our own entry's digest is drift; generation
would not do, since most kinds have none.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import Any

from agent.model.objects import Manifest, ObjectRef, Owned, Seen

MANAGER = "perigee"
"""The field manager under which everything is applied."""


def digest_of(data: Any) -> str:
    """The SHA-256 over canonical JSON, in hex: equal data, equal digest."""
    return hashlib.sha256(json.dumps(data, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def ownership_of(live: Manifest) -> str:
    """The digest of the fields that the server records as applied by us; empty if it records none."""
    for entry in _entries(live):
        if entry.get("manager") == MANAGER and entry.get("operation") == "Apply" and not entry.get("subresource"):
            return digest_of(entry.get("fieldsV1"))
    return ""


def owned_as(manifest: Manifest, live: Manifest) -> Owned:
    """What the inventory shall remember of an object right after it was applied."""
    return Owned(ObjectRef.of(manifest), live["metadata"]["uid"], digest_of(manifest), ownership_of(live))


def intact(owned: Owned, seen: Seen | None) -> bool:
    """Whether the object is still the incarnation that we applied, with all our fields still ours."""
    return (
        seen is not None
        and not seen.terminating
        and bool(owned.uid)
        and seen.uid == owned.uid
        and ownership_of(seen.manifest) == owned.ownership
    )


def latest_stranger(seen: Seen) -> str:
    """The manager, other than us and the status writers, that wrote to the object last; empty if there is none."""
    strangers = [
        entry for entry in _entries(seen.manifest) if entry.get("manager") != MANAGER and not entry.get("subresource")
    ]
    newest = max(strangers, key=lambda entry: str(entry.get("time", "")), default=None)
    return str(newest["manager"]) if newest else ""


def _entries(live: Manifest) -> Sequence[dict[str, Any]]:
    return live["metadata"].get("managedFields") or ()
