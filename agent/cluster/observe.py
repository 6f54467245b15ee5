"""What is in the cluster: one list and one watch per kind, kept as a cache of everything labelled for an instance.

A watch that ends is resumed where it stopped; a version that is too old (410) means list again; a watch that says
nothing, not even a bookmark, is taken for dead. See Kubernetes' API concepts, "Efficient detection of changes".
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping
from typing import Any

from agent.cluster.client import KubeClient, Request
from agent.cluster.kinds import WATCHED, Kind
from agent.model.errors import AgentError, Expired
from agent.model.objects import Manifest, ObjectRef, Seen
from agent.ports import Clock

INSTANCE_LABEL = "perigee.dev/instance"
_PAGE = "500"
_WATCH_SECONDS = "300"
_RETRY_SECONDS = 2.0


class Observation:
    """The cache, shared by the watches that fill it and the loops that read it."""

    def __init__(self) -> None:
        self._by_instance: dict[str, dict[ObjectRef, Seen]] = {}
        self._touched: dict[str, None] = {}
        self._news = asyncio.Event()

    def seen(self, instance_id: str) -> Mapping[ObjectRef, Seen]:
        """Every object labelled for the instance, as last seen."""
        return dict(self._by_instance.get(instance_id, {}))

    async def touched(self) -> AsyncIterator[str]:
        """Ids of instances of which an object changed; several changes of one instance may come as one."""
        while True:
            await self._news.wait()
            self._news.clear()
            ids, self._touched = self._touched, {}
            for instance_id in ids:
                yield instance_id

    def put(self, seen: Seen) -> None:
        """An object is there, in this state; news that is older than what is known already is ignored.

        Our own writes are put here as they are answered, so that nobody judges by a watch that lags behind them.
        """
        instance_id = seen.labels.get(INSTANCE_LABEL, "")
        known = self._by_instance.setdefault(instance_id, {})
        present = known.get(seen.ref)
        if present is not None and present.uid == seen.uid and _version(present) > _version(seen):
            return
        known[seen.ref] = seen
        self._touch(instance_id)

    def drop(self, seen: Seen) -> None:
        """An object is gone (or no longer labelled for us)."""
        instance_id = seen.labels.get(INSTANCE_LABEL, "")
        known = self._by_instance.get(instance_id, {})
        known.pop(seen.ref, None)
        if not known:
            self._by_instance.pop(instance_id, None)
        self._touch(instance_id)

    def replace_kind(self, kind: Kind, everything: Iterable[Seen]) -> None:
        """A full list of one kind: what it does not name is gone."""
        listed = {seen.ref: seen for seen in everything}
        stale = [
            seen
            for known in self._by_instance.values()
            for ref, seen in known.items()
            if (ref.api_version, ref.kind) == (kind.api_version, kind.kind) and ref not in listed
        ]
        for seen in stale:
            self.drop(seen)
        for seen in listed.values():
            self.put(seen)

    def _touch(self, instance_id: str) -> None:
        self._touched[instance_id] = None
        self._news.set()


def _version(seen: Seen) -> int:
    # Resource versions of one server are comparable numbers (KEP-5504).
    return int(seen.manifest["metadata"]["resourceVersion"])


class Watcher:
    """Keeps one kind of the cache up to date."""

    def __init__(self, kind: Kind, client: KubeClient, observation: Observation, clock: Clock) -> None:
        self._kind = kind
        self._client = client
        self._observation = observation
        self._clock = clock
        self._version = ""
        self.listed = asyncio.Event()
        self.failure: AgentError | None = None
        """Why the last attempt failed, until one succeeds."""

    async def run(self, stop: asyncio.Event) -> None:
        """List, watch, resume, for ever."""
        while not stop.is_set():
            try:
                if not self._version:
                    await self._list()
                await self._watch()
            except Expired:
                self._version = ""
            except AgentError as error:
                self.failure = error
                await self._clock.wait(stop, seconds=_RETRY_SECONDS)

    async def _list(self) -> None:
        found: list[Seen] = []
        token = ""
        while True:
            params = {"labelSelector": INSTANCE_LABEL, "limit": _PAGE}
            if token:
                params["continue"] = token
            page = await self._client.send(Request("list", "GET", self._kind.collection(), params))
            found.extend(Seen(self._slim(item)) for item in page["items"])
            token = page["metadata"].get("continue", "")
            if not token:
                break
        self._observation.replace_kind(self._kind, found)
        self._version = page["metadata"]["resourceVersion"]
        self.failure = None
        self.listed.set()

    async def _watch(self) -> None:
        params = {
            "labelSelector": INSTANCE_LABEL,
            "resourceVersion": self._version,
            "allowWatchBookmarks": "true",
            "timeoutSeconds": _WATCH_SECONDS,
        }
        async for event in self._client.watch(self._kind.collection(), params):
            self.failure = None
            self._take(event["type"], event["object"])

    def _take(self, event: str, item: dict[str, Any]) -> None:
        if event == "ERROR":
            # A watch reports its end as a Status inside the stream; 410 is the common one.
            raise Expired(str(item.get("message", "the watch ended")))
        self._version = item["metadata"]["resourceVersion"]
        if event == "BOOKMARK":
            return
        seen = Seen(self._slim(item))
        if event == "DELETED":
            self._observation.drop(seen)
        else:
            self._observation.put(seen)

    def _slim(self, item: Manifest) -> Manifest:
        # Items of a list carry no apiVersion and kind. Pods are many, and only their metadata and status are judged.
        slim = {"apiVersion": self._kind.api_version, "kind": self._kind.kind, **item}
        if self._kind.kind == "Pod":
            slim.pop("spec", None)
            slim["metadata"] = {key: value for key, value in item["metadata"].items() if key != "managedFields"}
        return slim


def watchers(client: KubeClient, observation: Observation, clock: Clock) -> tuple[Watcher, ...]:
    """One watcher for each watched kind."""
    return tuple(Watcher(kind, client, observation, clock) for kind in WATCHED)
