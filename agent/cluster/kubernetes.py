"""The cluster as the loops see it: the cache to read from and ways to look closer, behind ``ports.Cluster``."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Mapping

from agent.cluster.client import METADATA_LIST, KubeClient, Request
from agent.cluster.kinds import SURVEYED, Kind, path_of
from agent.cluster.observe import Observation, watchers
from agent.model.errors import AgentError, Missing
from agent.model.labels import INSTANCE
from agent.model.objects import Manifest, ObjectRef
from agent.model.observed import Seen
from agent.planning.observing import observed
from agent.ports import Clock


class KubernetesCluster:
    """Implements ``ports.Cluster`` over one API server: over all of it, or over a fixed pool of namespaces."""

    name = "observe"

    def __init__(self, client: KubeClient, clock: Clock, *, namespaces: Collection[str] = ()) -> None:
        self._client = client
        self.observation = Observation()
        """The cache, also for the verbs to show their effects in."""
        self._watchers = watchers(client, self.observation, clock, namespaces=namespaces)

    async def run(self, stop: asyncio.Event) -> None:
        """Keep the cache filled until told to stop."""
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(watcher.run(stop)) for watcher in self._watchers]
            await stop.wait()
            for task in tasks:
                task.cancel()

    async def started(self) -> None:
        """Return when every watched kind was listed in full once: before that, nothing may be judged absent."""
        for watcher in self._watchers:
            await watcher.tried.wait()

    def blind(self, namespace: str) -> AgentError | None:
        """Why it is not known what is in this namespace of a fixed pool; None if it is."""
        unlisted = (one for one in self._watchers if one.namespace == namespace and not one.listed.is_set())
        return next((one.failure for one in unlisted), None)

    def failures(self) -> tuple[AgentError, ...]:
        """Why kinds cannot be watched at present; empty if all can."""
        return tuple(watcher.failure for watcher in self._watchers if watcher.failure is not None)

    def seen(self, instance_id: str) -> Mapping[ObjectRef, Seen]:
        """Every object labelled for the instance, as last seen."""
        return self.observation.seen(instance_id)

    async def survey(self, instance_id: str, namespace: str) -> None:
        """List the metadata of the instance's objects that no watch keeps up to date."""
        async with asyncio.TaskGroup() as group:
            lists = [group.create_task(self._listed(kind, instance_id, namespace)) for kind in SURVEYED]
        for kind, listed in zip(SURVEYED, lists, strict=True):
            found = listed.result()
            if isinstance(found, AgentError):
                raise found
            self.observation.replace_part(kind, instance_id, found)

    async def _listed(self, kind: Kind, instance_id: str, namespace: str) -> list[Seen] | AgentError:
        """The objects, or why they cannot be listed: an error of one is told by itself, not as one of a group."""
        params = {"labelSelector": f"{INSTANCE}={instance_id}"}
        path = kind.collection(namespace)
        try:
            page = await self._client.send(Request("list", "GET", path, params, accept=METADATA_LIST))
        except AgentError as error:
            return error
        return [observed({**item, "apiVersion": kind.api_version, "kind": kind.kind}) for item in page["items"] or ()]

    async def read(self, ref: ObjectRef) -> Manifest | None:
        """One whole object straight from the server; None if it does not exist."""
        try:
            live = await self._client.send(Request("get", "GET", path_of(ref)))
        except Missing:
            return None
        return {"apiVersion": ref.api_version, "kind": ref.kind, **live}

    def touched(self) -> AsyncIterator[str]:
        """Ids of instances of which an object changed."""
        return self.observation.touched()

    def requests(self) -> Mapping[str, int]:
        """How many requests were made since the start, by verb."""
        return self._client.requests()
