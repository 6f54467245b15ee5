"""What is in the cluster: one list and one watch per kind, kept as a cache of everything labelled for an instance.

Where the agent was given a fixed pool of namespaces: one of each per kind and namespace.

A watch that ends is resumed where it stopped; a version that is too old (410) means list again; a watch that says
nothing, not even a bookmark, is taken for dead. See Kubernetes' API concepts, "Efficient detection of changes".
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Iterable, Mapping
from contextlib import aclosing
from dataclasses import replace
from typing import Any

from agent.cluster.client import METADATA, METADATA_LIST, KubeClient, Request, Silence
from agent.cluster.kinds import POOLED, WATCHED, Kind
from agent.model.errors import AgentError, Expired, NotAuthorised
from agent.model.labels import INSTANCE
from agent.model.objects import Manifest, ObjectRef
from agent.model.observed import Seen
from agent.planning.observing import observed
from agent.ports import Clock

_PAGE = "500"
_WATCH_SECONDS = "300"
_RETRY_SECONDS = 2.0
_FAILURES_BEFORE_LISTING = 3


class Observation:
    """The cache, shared by the watches that fill it and the loops that read it.

    Of two states of one object the one with the higher resource version counts, wherever it came from: watches and the
    answers to our own writes overtake each other.
    """

    def __init__(self) -> None:
        self._by_instance: dict[str, dict[ObjectRef, Seen]] = {}
        self._holders: dict[ObjectRef, str] = {}
        self._told: dict[tuple[str, str], int] = {}
        """Up to which version each kind was told, everywhere ("") or in one namespace."""
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
        """An object is there, in this state; news that is no newer than what is known already is ignored.

        Our own writes are put here as they are answered, so that nobody judges by a watch that lags behind them. Where
        the watch is ahead instead and the object is not there, it has gone meanwhile.
        """
        present = self._present(seen.ref)
        if seen.version <= (present.version if present is not None else self._told_of(seen.ref)):
            return
        self._show(seen)

    def drop(self, seen: Seen) -> None:
        """This incarnation of an object is gone (or no longer labelled for us); a newer one stays."""
        present = self._present(seen.ref)
        if present is not None and (present.uid == seen.uid or present.version <= seen.version):
            self._hide(seen.ref)

    def replace_kind(self, kind: Kind, everything: Iterable[Seen], *, version: int, namespace: str = "") -> None:
        """A full list of one kind, everywhere or in one namespace, of that version: what it does not name is gone,
        unless it was made later.

        A list that is older than what a watch told means that the server was restored: then only the list counts.
        """
        restored = version < self._told.get((kind.kind, namespace), 0)
        listed = {seen.ref: seen for seen in everything}
        known = [
            ref
            for ref in self._holders
            if (ref.api_version, ref.kind) == (kind.api_version, kind.kind) and namespace in {"", ref.namespace}
        ]
        for ref in known:
            present = self._present(ref)
            if present is not None and (restored or (ref not in listed and present.version <= version)):
                self._hide(ref)
        for seen in listed.values():
            present = self._present(seen.ref)
            if present is None or present.version < seen.version:
                self._show(seen)
        self._told[kind.kind, namespace] = version

    def replace_part(self, kind: Kind, instance_id: str, everything: Iterable[Seen]) -> None:
        """A full list of one instance's objects of a kind that no watch covers."""
        listed = {seen.ref: seen for seen in everything}
        for ref in [ref for ref in self._by_instance.get(instance_id, {}) if ref.kind == kind.kind]:
            if ref not in listed:
                self._hide(ref)
        for seen in listed.values():
            present = self._present(seen.ref)
            if present is None or present.version < seen.version:
                self._show(seen)

    def tell(self, kind: Kind, seen: Seen, *, namespace: str = "") -> None:
        """A watch, of everything or of one namespace, says that an object is there, in this state."""
        self.put(seen)
        self.told(kind, seen.version, namespace=namespace)

    def told(self, kind: Kind, version: int, *, namespace: str = "") -> None:
        """Everything of this kind up to that version was told, everywhere or in one namespace."""
        self._told[kind.kind, namespace] = max(version, self._told.get((kind.kind, namespace), 0))

    def _told_of(self, ref: ObjectRef) -> int:
        return max(self._told.get((ref.kind, ""), 0), self._told.get((ref.kind, ref.namespace), 0))

    def _present(self, ref: ObjectRef) -> Seen | None:
        holder = self._holders.get(ref)
        return self._by_instance[holder][ref] if holder is not None else None

    def _show(self, seen: Seen) -> None:
        """Keep the state under the instance that its label names now, which may be none."""
        instance_id, holder = seen.labels.get(INSTANCE, ""), self._holders.get(seen.ref)
        if holder is not None and holder != instance_id:
            self._hide(seen.ref)
        if instance_id:
            known = self._by_instance.setdefault(instance_id, {})
            present = known.get(seen.ref)
            self._holders[seen.ref] = instance_id
            known[seen.ref] = seen
            # Most news of a pod's life changes nothing that anybody decides by.
            if present is None or replace(present, version=seen.version) != seen:
                self._touch(instance_id)

    def _hide(self, ref: ObjectRef) -> None:
        holder = self._holders.pop(ref)
        known = self._by_instance[holder]
        del known[ref]
        if not known:
            del self._by_instance[holder]
        self._touch(holder)

    def _touch(self, instance_id: str) -> None:
        self._touched[instance_id] = None
        self._news.set()


class Watcher:
    """Keeps one kind of the cache up to date, everywhere or in one namespace."""

    def __init__(
        self, kind: Kind, client: KubeClient, observation: Observation, clock: Clock, *, namespace: str = ""
    ) -> None:
        self._kind = kind
        self.namespace = namespace
        self._collection = kind.collection(namespace)
        self._client = client
        self._observation = observation
        self._clock = clock
        self._version = ""
        self._failures = 0
        self.listed = asyncio.Event()
        self.tried = asyncio.Event()
        """Set once it was listed; or, in one namespace of several, once it is known not to be allowed."""
        self.failure: AgentError | None = None
        """Why the last attempt failed, until one succeeds."""

    async def run(self, stop: asyncio.Event) -> None:
        """List, watch, resume, for ever; a server that ends watches as soon as they begin is not hurried."""
        while not stop.is_set():
            began = self._clock.monotonic()
            failed = await self._failed()
            if failed or self._clock.monotonic() - began < _RETRY_SECONDS:
                await self._clock.wait(stop, seconds=_RETRY_SECONDS)

    async def _failed(self) -> bool:
        """List if need be, and watch until the watch ends."""
        try:
            if not self._version:
                await self._list()
            await self._watch()
            self._succeeded()
        except Expired:
            self._version = ""
        except Silence:
            self._succeeded()  # the server took the watch: if something was missed, the next one tells
        except AgentError as error:
            self.failure = error
            if self.namespace and isinstance(error, NotAuthorised):
                self.tried.set()  # it may have been deleted, with our rights in it: the others do not wait for it
            self._failures += 1
            if self._failures >= _FAILURES_BEFORE_LISTING:
                self._version = ""  # perhaps it is this version that the server cannot go on from
            return True
        return False

    async def _list(self) -> None:
        found: list[Seen] = []
        token = ""
        while True:
            params = {"labelSelector": INSTANCE, "limit": _PAGE}
            if token:
                params["continue"] = token
            accept = "application/json" if self._kind.whole else METADATA_LIST
            page = await self._client.send(Request("list", "GET", self._collection, params, accept=accept))
            found.extend(self._seen(item) for item in page["items"] or ())
            token = page["metadata"].get("continue", "")
            if not token:
                break
        version = page["metadata"]["resourceVersion"]
        self._observation.replace_kind(self._kind, found, version=int(version), namespace=self.namespace)
        self._version = version
        self._succeeded()
        self.listed.set()
        self.tried.set()

    def _succeeded(self) -> None:
        self.failure = None
        self._failures = 0

    async def _watch(self) -> None:
        params = {
            "labelSelector": INSTANCE,
            "resourceVersion": self._version,
            "allowWatchBookmarks": "true",
            "timeoutSeconds": _WATCH_SECONDS,
        }
        accept = "application/json" if self._kind.whole else METADATA
        async with aclosing(self._client.watch(self._collection, params, accept=accept)) as events:
            async for event in events:
                self._succeeded()
                self._take(event["type"], event["object"])

    def _take(self, event: str, item: dict[str, Any]) -> None:
        if event == "ERROR":
            # A watch reports its end as a Status inside the stream; 410 is the common one.
            raise Expired(str(item.get("message", "the watch ended")))
        self._version = item["metadata"]["resourceVersion"]
        if event == "BOOKMARK":
            self._observation.told(self._kind, int(self._version), namespace=self.namespace)
            return
        seen = self._seen(item)
        if event == "DELETED":
            self._observation.drop(seen)
            self._observation.told(self._kind, int(self._version), namespace=self.namespace)
        else:
            self._observation.tell(self._kind, seen, namespace=self.namespace)

    def _seen(self, item: Manifest) -> Seen:
        # Items of a list carry no apiVersion and kind; those of a metadata-only list carry another one.
        return observed({**item, "apiVersion": self._kind.api_version, "kind": self._kind.kind})


def watchers(
    client: KubeClient, observation: Observation, clock: Clock, *, namespaces: Collection[str] = ()
) -> tuple[Watcher, ...]:
    """One watcher for each watched kind; in a fixed pool, one for each in each of its namespaces."""
    return tuple(
        Watcher(kind, client, observation, clock, namespace=namespace)
        for namespace in namespaces or ("",)
        for kind in (POOLED if namespaces else WATCHED)
    )
