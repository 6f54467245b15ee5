"""The verbs that change objects, each with the precondition that makes a late or repeated one harmless."""

from __future__ import annotations

from typing import Any

from agent.cluster.client import APPLY, MERGE, KubeClient, Request
from agent.cluster.kinds import path_of
from agent.cluster.observe import Observation
from agent.model.errors import Missing
from agent.model.objects import MANAGER, SCALE_MANAGER, Manifest, ObjectRef
from agent.model.observed import Seen
from agent.planning.observing import observed


class ClusterVerbs:
    """Implements ``ports.Verbs``; what is changed is shown to those who read the observation."""

    def __init__(self, client: KubeClient, observation: Observation) -> None:
        self._client = client
        self._observation = observation

    async def apply(
        self, manifest: Manifest, *, manager: str = MANAGER, force: bool = False, dry_run: bool = False
    ) -> Manifest:
        """Server-side apply; a resourceVersion in the manifest is a precondition."""
        params = {"fieldManager": manager, "force": "true" if force else "false"}
        if dry_run:
            params["dryRun"] = "All"
        verb = "dry-run" if dry_run else "apply"
        live = await self._client.send(Request(verb, "PATCH", path_of(ObjectRef.of(manifest)), params, manifest, APPLY))
        if not dry_run:
            self._observation.put(observed(live))
        return live

    async def scale(self, seen: Seen, replicas: int) -> None:
        """Set the replicas through the scale subresource, which takes the field over from whoever held it."""
        body = {"metadata": {"resourceVersion": str(seen.version)}, "spec": {"replicas": replicas}}
        params = {"fieldManager": SCALE_MANAGER}
        await self._client.send(Request("scale", "PATCH", f"{path_of(seen.ref)}/scale", params, body, MERGE))

    async def grow(self, claim: Seen, size: str) -> None:
        """Ask for a larger volume."""
        body: dict[str, Any] = {
            "metadata": {"resourceVersion": str(claim.version)},
            "spec": {"resources": {"requests": {"storage": size}}},
        }
        params = {"fieldManager": MANAGER}
        live = await self._client.send(Request("grow", "PATCH", path_of(claim.ref), params, body, MERGE))
        self._observation.put(observed(live))

    async def delete(self, seen: Seen, *, orphan: bool = False) -> bool:
        """Delete this incarnation and, in the background, what it owns; gone already is a success."""
        options = {
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "propagationPolicy": "Orphan" if orphan else "Background",
            "preconditions": {"uid": seen.uid},
        }
        try:
            answer = await self._client.send(Request("delete", "DELETE", path_of(seen.ref), body=options))
        except Missing:
            answer = {}
        left = observed(answer) if answer.get("kind") == seen.ref.kind else None
        if left is not None and left.terminating:
            self._observation.put(left)
            return False
        self._observation.drop(seen)
        return True
