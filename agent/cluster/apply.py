"""The verbs that change objects: server-side apply without force, and delete of one very incarnation."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from agent.cluster.client import APPLY, KubeClient, Request
from agent.cluster.kinds import path_of
from agent.model.errors import Missing
from agent.model.objects import Manifest, ObjectRef, Owned, Seen

MANAGER = "perigee"


def digest_of(data: Any) -> str:
    """The SHA-256 over canonical JSON, in hex: equal data, equal digest."""
    return hashlib.sha256(json.dumps(data, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def ownership_of(live: Manifest) -> str:
    """The digest of the fields that the server records as applied by us; empty if it records none.

    Somebody who changes one of our fields takes it over, so a change of this digest is drift (KEP-555).
    """
    for entry in live["metadata"].get("managedFields") or ():
        if entry.get("manager") == MANAGER and entry.get("operation") == "Apply" and not entry.get("subresource"):
            return digest_of(entry.get("fieldsV1"))
    return ""


async def apply(client: KubeClient, manifest: Manifest) -> Owned:
    """Apply a manifest; raises FieldConflict where another manager owns what we want."""
    ref = ObjectRef.of(manifest)
    params = {"fieldManager": MANAGER, "force": "false"}
    live = await client.send(Request("apply", "PATCH", path_of(ref), params, manifest, APPLY))
    return Owned(ref=ref, uid=live["metadata"]["uid"], rendered=digest_of(manifest), ownership=ownership_of(live))


async def delete(client: KubeClient, seen: Seen) -> None:
    """Delete this incarnation and, in the background, what it owns; gone already is a success."""
    options = {
        "apiVersion": "v1",
        "kind": "DeleteOptions",
        "propagationPolicy": "Background",
        "preconditions": {"uid": seen.uid},
    }
    try:
        await client.send(Request("delete", "DELETE", path_of(seen.ref), body=options))
    except Missing:
        return
