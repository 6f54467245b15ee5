"""The verbs that change objects: server-side apply without force, and delete of one very incarnation."""

from __future__ import annotations

from agent.cluster.client import APPLY, KubeClient, Request
from agent.cluster.kinds import path_of
from agent.model.errors import Missing
from agent.model.objects import Manifest, ObjectRef, Seen
from agent.planning.ownership import MANAGER


async def apply(client: KubeClient, manifest: Manifest) -> Seen:
    """Apply a manifest; raises FieldConflict where another manager owns what we want."""
    ref = ObjectRef.of(manifest)
    params = {"fieldManager": MANAGER, "force": "false"}
    return Seen(await client.send(Request("apply", "PATCH", path_of(ref), params, manifest, APPLY)))


async def delete(client: KubeClient, seen: Seen) -> Seen | None:
    """Delete this incarnation and, in the background, what it owns; gone already is a success.

    Returns the object if it is still there and waits for a grace period or finalizers, None if it is gone.
    """
    options = {
        "apiVersion": "v1",
        "kind": "DeleteOptions",
        "propagationPolicy": "Background",
        "preconditions": {"uid": seen.uid},
    }
    try:
        answer = await client.send(Request("delete", "DELETE", path_of(seen.ref), body=options))
    except Missing:
        return None
    return Seen(answer) if answer.get("kind") == seen.ref.kind else None
