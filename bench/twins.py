"""Copies of an instance that are not the agent's: the same objects under another label, for whom it is compared with.

Here: making them, and applying them as fast as a client can. Not here: kubectl and helm (``others``), what is timed.
"""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass

from agent.model.objects import Manifest, ObjectRef
from agent.rendering import KEYS_SECRET, demanded_keys
from bench.api import Api
from bench.sight import path_of
from bench.stage import Instance

_LABEL = "perigee.dev/instance"
_OTHER_LABEL = "bench.example/instance"
_OBJECTS_AT_ONCE = 8
"""As many as the agent applies of one instance at once."""


@dataclass(frozen=True, slots=True)
class Copy:
    """The objects of one instance in the order in which they are made; the namespace first."""

    instance: Instance
    manifests: Sequence[Manifest]

    @property
    def title(self) -> str:
        """What its objects are labelled with."""
        return self.instance.title or self.instance.name

    @property
    def refs(self) -> frozenset[ObjectRef]:
        """What names them."""
        return frozenset(map(ObjectRef.of, self.manifests))


def copy_of(instance: Instance) -> Copy:
    """Everything that the agent would make, with keys that open nothing, but not for the agent."""
    namespace, *others = map(disowned, instance.manifests())
    return Copy(instance, (namespace, disowned(_keys(instance)), *others))


def disowned(manifest: Manifest) -> Manifest:
    """A copy under another label wherever the agent's own stands."""
    renamed: Manifest = json.loads(json.dumps(manifest).replace(_LABEL, _OTHER_LABEL))
    return renamed


def _keys(instance: Instance) -> Manifest:
    """A Secret of the size of that with the generated keys, which the renderer does not make."""
    names = [demand.name for demand in demanded_keys(instance.says())]
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": KEYS_SECRET, "namespace": instance.namespace, "labels": {_LABEL: instance.id}},
        "type": "Opaque",
        "data": {name: base64.b64encode(b"0" * 32).decode() for name in names},
    }


class Applier:
    """Server-side apply over kept connections: the limit of what any client reaches."""

    def __init__(self, api: Api) -> None:
        self._api = api

    async def apply(self, copy: Copy) -> None:
        """The namespace, then everything in it."""
        namespace, *others = copy.manifests
        slots = asyncio.Semaphore(_OBJECTS_AT_ONCE)
        await self._one(namespace, slots)
        async with asyncio.TaskGroup() as group:
            for manifest in others:
                group.create_task(self._one(manifest, slots))

    async def _one(self, manifest: Manifest, slots: asyncio.Semaphore) -> None:
        async with slots:
            await self._api.apply(path_of(ObjectRef.of(manifest)), manifest)
