"""Who owns which field of an object, read from its managedFields (KEP-555). Pure.

Somebody who changes one of our fields takes it over, so that a change of our own entry's digest is drift; generation
would not do, since most kinds have none.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Sequence
from typing import Any

import orjson

from agent.model.objects import MANAGER, SCALE_MANAGER, Ceded, Manifest, ObjectRef, Owned
from agent.model.observed import Seen
from agent.planning.fields import Fields


def digest_of(data: Any) -> str:
    """The SHA-256 over canonical JSON, in hex: equal data, equal digest."""
    return hashlib.sha256(orjson.dumps(data, option=orjson.OPT_SORT_KEYS)).hexdigest()


def fields_of(live: Manifest) -> Fields | None:
    """The fields that the server records as applied by us; None if it records none."""
    entry = _ours(live)
    return entry.get("fieldsV1") or {} if entry is not None else None


def ownership_of(live: Manifest) -> str:
    """The digest of the fields that the server records as applied by us; empty if it records none."""
    fields = fields_of(live)
    return sys.intern(digest_of(fields)) if fields is not None else ""


def applied_at(live: Manifest) -> str:
    """When our applies last changed something of the object, in the server's words; empty if they never did."""
    entry = _ours(live)
    return str(entry.get("time", "")) if entry is not None else ""


def holders_of(live: Manifest) -> tuple[str, ...]:
    """Who else holds fields, the latest first; a subresource that was written through stands behind a slash.

    Writers of the status are left out: it is theirs.
    """
    others = [
        entry
        for entry in entries(live)
        if entry.get("manager") not in {MANAGER, SCALE_MANAGER} and entry.get("subresource") != "status"
    ]
    others.sort(key=lambda entry: str(entry.get("time", "")), reverse=True)
    return tuple(dict.fromkeys(sys.intern(holder(entry)) for entry in others))


def holder(entry: dict[str, Any]) -> str:
    """The name of who made an entry of managedFields."""
    subresource = entry.get("subresource")
    return f"{entry.get('manager', '')}/{subresource}" if subresource else str(entry.get("manager", ""))


def owned_as(manifest: Manifest, live: Manifest, *, ceded: tuple[Ceded, ...] = ()) -> Owned:
    """What the inventory shall remember of an object right after it was applied."""
    return Owned(ObjectRef.of(manifest), live["metadata"]["uid"], digest_of(manifest), ownership_of(live), ceded)


def intact(owned: Owned, seen: Seen | None) -> bool:
    """Whether the object is still the incarnation that we applied, with all our fields still ours."""
    return (
        seen is not None
        and not seen.terminating
        and bool(owned.uid)
        and seen.uid == owned.uid
        and seen.ownership == owned.ownership
        and not given_up(owned, seen)
    )


def given_up(owned: Owned, seen: Seen) -> bool:
    """Whether somebody who kept fields from us holds none of the object any more: then they can be ours again."""
    return any(ceded.manager not in seen.holders for ceded in owned.ceded)


def entries(live: Manifest) -> Sequence[dict[str, Any]]:
    """The entries of managedFields."""
    return live["metadata"].get("managedFields") or ()


def _ours(live: Manifest) -> dict[str, Any] | None:
    for entry in entries(live):
        if entry.get("manager") == MANAGER and entry.get("operation") == "Apply" and not entry.get("subresource"):
            return entry
    return None
