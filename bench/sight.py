"""The third party: watches on the API server that have nothing to do with the agent, and when they showed what.

Here: listing, watching, and waiting for what shall be seen. Not here: making changes (``api``).
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from agent.loops.pace import SystemClock
from agent.model.objects import ObjectRef
from bench.api import Api
from bench.findings import Unmeasured

Live = Mapping[ObjectRef, Mapping[str, Any]]
PATIENCE_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Collection:
    """All objects of one kind."""

    api_version: str
    kind: str
    path: str


COLLECTIONS = (
    Collection("v1", "Namespace", "/api/v1/namespaces"),
    Collection("v1", "ResourceQuota", "/api/v1/resourcequotas"),
    Collection("v1", "LimitRange", "/api/v1/limitranges"),
    Collection("v1", "ServiceAccount", "/api/v1/serviceaccounts"),
    Collection("v1", "Secret", "/api/v1/secrets"),
    Collection("v1", "ConfigMap", "/api/v1/configmaps"),
    Collection("v1", "Service", "/api/v1/services"),
    Collection("apps/v1", "Deployment", "/apis/apps/v1/deployments"),
    Collection("apps/v1", "StatefulSet", "/apis/apps/v1/statefulsets"),
    Collection("batch/v1", "Job", "/apis/batch/v1/jobs"),
    Collection("networking.k8s.io/v1", "NetworkPolicy", "/apis/networking.k8s.io/v1/networkpolicies"),
    Collection("policy/v1", "PodDisruptionBudget", "/apis/policy/v1/poddisruptionbudgets"),
    Collection("rbac.authorization.k8s.io/v1", "Role", "/apis/rbac.authorization.k8s.io/v1/roles"),
    Collection("rbac.authorization.k8s.io/v1", "RoleBinding", "/apis/rbac.authorization.k8s.io/v1/rolebindings"),
)
_PATHS = {(collection.api_version, collection.kind): collection.path for collection in COLLECTIONS}


def path_of(ref: ObjectRef) -> str:
    """Where the API server serves one object."""
    root, _, plural = _PATHS[ref.api_version, ref.kind].rpartition("/")
    return f"{root}/namespaces/{ref.namespace}/{plural}/{ref.name}" if ref.namespace else f"{root}/{plural}/{ref.name}"


@dataclass(slots=True)
class _Countdown:
    """Objects that are still awaited one by one; asking all of thousands at each event would cost more than them."""

    each: Callable[[Mapping[str, Any]], bool]
    missing: set[ObjectRef]
    reached: asyncio.Future[float]

    def take(self, ref: ObjectRef, item: Mapping[str, Any], now: float) -> None:
        """Strike the object out if it is as it shall be."""
        if ref in self.missing and self.each(item):
            self.missing.discard(ref)
            if not self.missing and not self.reached.done():
                self.reached.set_result(now)


class Sight:
    """What the watches show, and when it was seen (the monotonic clock's seconds)."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._clock = SystemClock()
        self._live: dict[ObjectRef, Mapping[str, Any]] = {}
        self._expected: list[tuple[Callable[[Live], bool], asyncio.Future[float]]] = []
        self._countdowns: list[_Countdown] = []

    def expect(self, seen: Callable[[Live], bool]) -> asyncio.Future[float]:
        """The moment at which ``seen`` first holds, judged at each event from now on."""
        future: asyncio.Future[float] = asyncio.get_running_loop().create_future()
        if seen(self._live):
            future.set_result(self._clock.monotonic())
        else:
            self._expected.append((seen, future))
        return future

    def expect_each(
        self, refs: Iterable[ObjectRef], each: Callable[[Mapping[str, Any]], bool]
    ) -> asyncio.Future[float]:
        """The moment at which each of the objects has been as ``each`` wants it; they may be very many."""
        countdown = _Countdown(each, set(refs), asyncio.get_running_loop().create_future())
        for ref in tuple(countdown.missing):
            if ref in self._live:
                countdown.take(ref, self._live[ref], self._clock.monotonic())
        if not countdown.missing and not countdown.reached.done():
            countdown.reached.set_result(self._clock.monotonic())
        self._countdowns.append(countdown)
        return countdown.reached

    async def until(self, seen: Callable[[Live], bool]) -> float:
        """Wait for that moment; raises TimeoutError when patience is over."""
        return await awaited(self.expect(seen))

    async def follow(self, collection: Collection, listed: asyncio.Event) -> None:
        """List once, then watch for ever."""
        page = await self._api.send("GET", collection.path)
        for item in page["items"]:
            self._take("ADDED", collection, item)
        listed.set()
        params = {"watch": "true", "resourceVersion": page["metadata"]["resourceVersion"], "timeoutSeconds": "3600"}
        async with self._api.request("GET", collection.path, params=params) as response:
            async for line in response.content:
                event = json.loads(line)
                self._take(event["type"], collection, event["object"])
        raise Unmeasured(f"the watch of {collection.path} ended")

    def _take(self, event: str, collection: Collection, item: Mapping[str, Any]) -> None:
        metadata = item["metadata"]
        ref = ObjectRef(collection.api_version, collection.kind, metadata.get("namespace", ""), metadata["name"])
        if event == "DELETED":
            self._live.pop(ref, None)
        else:
            self._live[ref] = _slim(item)
        now = self._clock.monotonic()
        if event != "DELETED":
            for countdown in self._countdowns:
                countdown.take(ref, self._live[ref], now)
            self._countdowns = [countdown for countdown in self._countdowns if not countdown.reached.done()]
        waiting = [(seen, future) for seen, future in self._expected if not future.done()]
        for seen, future in waiting:
            if seen(self._live):
                future.set_result(now)
        self._expected = [(seen, future) for seen, future in waiting if not future.done()]


@asynccontextmanager
async def watching(api: Api) -> AsyncIterator[Sight]:
    """Everything in sight while the block runs."""
    sight = Sight(api)
    async with asyncio.TaskGroup() as group:
        events = [asyncio.Event() for _ in COLLECTIONS]
        following = [
            group.create_task(sight.follow(collection, listed))
            for collection, listed in zip(COLLECTIONS, events, strict=True)
        ]
        for listed in events:
            await listed.wait()
        yield sight
        for task in following:
            task.cancel()


def _slim(item: Mapping[str, Any]) -> Mapping[str, Any]:
    """What is judged of an object. A thousand instances in full would make the judge the largest process of all."""
    metadata, spec = item["metadata"], item.get("spec") or {}
    return {
        "metadata": {"labels": metadata.get("labels") or {}, "generation": metadata.get("generation", 1)},
        "spec": {"replicas": spec["replicas"]} if "replicas" in spec else {},
        "status": item.get("status") or {},
    }


async def awaited(moment: asyncio.Future[float], *, seconds: float = PATIENCE_SECONDS) -> float:
    """The moment once it has come; raises TimeoutError when patience is over."""
    async with asyncio.timeout(seconds):
        return await moment


def wants(ref: ObjectRef, replicas: int) -> Callable[[Live], bool]:
    """Whether a Deployment's wanted replicas are these."""
    return lambda live: ref in live and live[ref]["spec"]["replicas"] == replicas


def settled(ref: ObjectRef, replicas: int) -> Callable[[Live], bool]:
    """Whether a Deployment has exactly these replicas, all ready."""

    def judge(live: Live) -> bool:
        status = live[ref].get("status", {}) if ref in live else {}
        return status.get("replicas") == status.get("readyReplicas") == replicas

    return judge


def exist(refs: Iterable[ObjectRef]) -> Callable[[Live], bool]:
    """Whether all of them exist."""
    wanted = frozenset(refs)
    return lambda live: wanted <= live.keys()


def titled(title: str) -> Callable[[Mapping[str, Any]], bool]:
    """Whether an object carries this title of an instance; what carries none, as the Secret with keys, needs only be
    there.
    """
    return lambda item: bool(item["metadata"]["labels"].get("app.kubernetes.io/instance", title) == title)


def anything(item: Mapping[str, Any]) -> bool:
    """Whether an object exists; what was seen does."""
    return bool(item)


def calm(refs: Iterable[ObjectRef]) -> Callable[[Live], bool]:
    """Whether the cluster's own controllers have taken note of every workload among them."""
    workloads = tuple(ref for ref in refs if ref.kind in {"Deployment", "StatefulSet"})

    def judge(live: Live) -> bool:
        return all(
            ref in live and live[ref]["status"].get("observedGeneration", 0) >= live[ref]["metadata"]["generation"]
            for ref in workloads
        )

    return judge


def run(refs: Iterable[ObjectRef]) -> Callable[[Live], bool]:
    """Whether all of them exist and do what they are for: pods ready, Jobs succeeded."""
    wanted = tuple(refs)
    return lambda live: all(ref in live and _runs(ref.kind, live[ref]) for ref in wanted)


def _runs(kind: str, item: Mapping[str, Any]) -> bool:
    status = item.get("status", {})
    if kind in {"Deployment", "StatefulSet"}:
        return bool(status.get("readyReplicas", 0) >= item["spec"]["replicas"])
    return kind != "Job" or bool(status.get("succeeded", 0) >= 1)
