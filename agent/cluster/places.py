"""Secrets that the agent writes into an instance's namespace: read, and applied where they do not show what they shall.

Here: that somebody else's Secret of the name is left alone, and that nothing is written where all is there already.
Not here: what is in them (keys, values).
"""

from __future__ import annotations

import base64
from collections.abc import Mapping

from agent.cluster.client import KubeClient, Request
from agent.cluster.kinds import path_of
from agent.model.errors import Missing, ObjectRefused
from agent.model.objects import Manifest, ObjectRef
from agent.planning.adoption import is_ours
from agent.planning.ownership import ownership_of
from agent.ports import KeyPlace, Verbs


class Places:
    """Reads and writes such Secrets."""

    def __init__(self, client: KubeClient, verbs: Verbs) -> None:
        self._client = client
        self._verbs = verbs

    async def live(self, place: KeyPlace) -> Manifest | None:
        """The Secret as it is; None if there is none."""
        return await self.read(place.ref)

    async def read(self, ref: ObjectRef) -> Manifest | None:
        """Any Secret as it is; None if there is none."""
        try:
            return await self._client.send(Request("get", "GET", path_of(ref)))
        except Missing:
            return None

    async def put(self, place: KeyPlace, manifest: Manifest, live: Manifest | None) -> Manifest:
        """The Secret as it is afterwards; by force where it exists. Raises ObjectRefused if it is somebody else's."""
        if live is not None and _shows(live, manifest):
            return live
        if live is not None and not is_ours(live, place.instance_id):
            raise ObjectRefused(
                f"{place.ref} exists and was not made for this instance",
                hint="rename it or delete it, or use another namespace",
            )
        return await self._verbs.apply(manifest, force=live is not None)


def manifest_of(place: KeyPlace, values: Mapping[str, bytes]) -> Manifest:
    """The Secret with these values."""
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": place.secret, "namespace": place.namespace, "labels": dict(place.labels)},
        "type": "Opaque",
        "data": {name: base64.b64encode(value).decode() for name, value in sorted(values.items())},
    }


def content_of(live: Manifest | None) -> dict[str, bytes]:
    """The values in a Secret."""
    return {name: base64.b64decode(value) for name, value in ((live or {}).get("data") or {}).items()}


def _shows(live: Manifest, manifest: Manifest) -> bool:
    """Whether the live Secret has all that we would apply, applied by us; what somebody adds to it is not ours."""
    labels = live["metadata"].get("labels") or {}
    return (
        manifest["data"].items() <= (live.get("data") or {}).items()
        and manifest["metadata"]["labels"].items() <= labels.items()
        and bool(ownership_of(live))
    )
