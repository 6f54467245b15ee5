"""The cluster as the loops see it: the cache to read from, and the verbs that change it, behind ``ports.Cluster``."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Mapping

from agent.cluster.apply import apply, delete
from agent.cluster.client import KubeClient, Request
from agent.cluster.kinds import kind_of, path_of
from agent.cluster.observe import Observation, watchers
from agent.model.errors import AgentError, Missing
from agent.model.objects import Manifest, ObjectRef, Seen
from agent.ports import Clock


class KubernetesCluster:
    """Implements ``ports.Cluster`` over one API server."""

    name = "observe"

    def __init__(self, client: KubeClient, clock: Clock) -> None:
        self._client = client
        self._observation = Observation()
        self._watchers = watchers(client, self._observation, clock)

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
            await watcher.listed.wait()

    def failures(self) -> tuple[AgentError, ...]:
        """Why kinds cannot be watched at present; empty if all can."""
        return tuple(watcher.failure for watcher in self._watchers if watcher.failure is not None)

    def seen(self, instance_id: str) -> Mapping[ObjectRef, Seen]:
        """Every object labelled for the instance, as last seen."""
        return self._observation.seen(instance_id)

    async def look(self, instance_id: str, refs: Collection[ObjectRef]) -> Mapping[ObjectRef, Seen]:
        """The same, after reading afresh those of the named objects that no watch keeps up to date."""
        known = self._observation.seen(instance_id)
        for ref in refs:
            if kind_of(ref).watched:
                continue
            live = await self.read(ref)
            if live is not None:
                self._observation.put(live)
            elif ref in known:
                self._observation.drop(known[ref])
        return self._observation.seen(instance_id)

    async def read(self, ref: ObjectRef) -> Seen | None:
        """One object straight from the server; None if it does not exist."""
        try:
            live = await self._client.send(Request("get", "GET", path_of(ref)))
        except Missing:
            return None
        return Seen({"apiVersion": ref.api_version, "kind": ref.kind, **live})

    async def apply(self, manifest: Manifest) -> Seen:
        """Server-side apply without force."""
        live = await apply(self._client, manifest)
        self._observation.put(live)
        return live

    async def delete(self, seen: Seen) -> None:
        """Delete that very incarnation."""
        left = await delete(self._client, seen)
        if left is None:
            self._observation.drop(seen)
        else:
            self._observation.put(left)

    def touched(self) -> AsyncIterator[str]:
        """Ids of instances of which an object changed."""
        return self._observation.touched()

    def requests(self) -> Mapping[str, int]:
        """How many requests were made since the start, by verb."""
        return self._client.requests()
