"""Faults of what is read: older than what is there, or from a history that is gone."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator

import aiohttp
import pytest

from sandbox.faults import Fault, FaultPlan, FaultyCluster, Gone, Stale, Where
from sandbox.faults.proxy import FaultProxy
from sandbox.realcluster import Programs, RealCluster
from tests.support.kube import Json, Kube, connected
from tests.support.objects import Objects, config_map, deployment
from tests.support.widgets import defined

ONE = {"Accept": "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"}
MANY = {"Accept": "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"}
ROOT = "kube-root-ca.crt"


@pytest.fixture
async def kube(any_faulty_cluster: FaultyCluster) -> AsyncIterator[Kube]:
    """A raw client of the cluster of this turn, through its faults."""
    async with connected(any_faulty_cluster.kubeconfig) as client:
        yield client


@pytest.fixture
async def objects(kube: Kube, any_faulty_namespace: str) -> Objects:
    """The objects of a namespace of this test alone, once the one that every namespace has is there."""
    found = Objects(kube, any_faulty_namespace)
    await kube.until(found.path(config_map(ROOT)), lambda _: True)
    return found


@pytest.fixture
def faults(any_faulty_cluster: FaultyCluster) -> FaultPlan:
    """What can go wrong on the cluster of this turn."""
    return any_faulty_cluster.faults


async def past(objects: Objects) -> tuple[Json, Where]:
    """An object as it was before it changed, with another of its kind that came after; and where to look for both."""
    old = await objects.create(config_map("a", v="1"), "ann")
    await objects.patch(config_map("a"), {"data": {"v": "2"}}, "ann")
    await objects.create(config_map("b"), "ann")
    return old, Where(namespace=objects.namespace)


def version_of(document: Json) -> str:
    return str(document["metadata"]["resourceVersion"])


async def test_an_object_is_read_as_it_was(objects: Objects, faults: FaultPlan) -> None:
    old, where = await past(objects)
    with faults.on(Fault(Stale(version_of(old)), where)) as lag:
        assert await objects.get(config_map("a")) == old
        answer = await objects.kube.request("GET", objects.path(config_map("a")), headers=ONE)
        assert answer.body == {
            "kind": "PartialObjectMetadata",
            "apiVersion": "meta.k8s.io/v1",
            "metadata": old["metadata"],
        }
    assert lag.count == 2
    assert (await objects.get(config_map("a")))["data"] == {"v": "2"}


async def test_an_object_that_came_later_is_missing(objects: Objects, faults: FaultPlan) -> None:
    old, where = await past(objects)
    path = objects.path(config_map("c"))
    genuine = await objects.kube.request("GET", path)
    await objects.create(config_map("c"), "ann")
    with faults.on(Fault(Stale(version_of(old)), where)):
        answer = await objects.kube.request("GET", path)
        assert (answer.status, answer.body) == (404, genuine.body)
        missing = await objects.kube.request("GET", objects.path(deployment()))
        assert (missing.status, missing.body["details"]) == (
            404,
            {"name": "web", "group": "apps", "kind": "deployments"},
        )


async def test_an_object_that_is_gone_is_still_read(objects: Objects, faults: FaultPlan) -> None:
    old, where = await past(objects)
    await objects.kube.request("DELETE", objects.path(config_map("a")))
    with faults.on(Fault(Stale(version_of(old)), where)):
        assert await objects.get(config_map("a")) == old


async def test_a_list_shows_an_older_moment(objects: Objects, faults: FaultPlan) -> None:
    old, where = await past(objects)
    collection = objects.collection(config_map())
    with faults.on(Fault(Stale(version_of(old)), where)):
        for params, headers in (({}, {}), ({"resourceVersion": "0"}, {}), ({"resourceVersion": "1"}, MANY)):
            answer = await objects.kube.request("GET", collection, params=params, headers=headers)
            assert [item["metadata"]["name"] for item in answer.body["items"]] == ["a", ROOT]
            assert answer.body["metadata"]["resourceVersion"] == version_of(old)
            assert version_of(answer.body["items"][0]) == version_of(old)
        exact = {"resourceVersion": version_of(old), "resourceVersionMatch": "Exact"}
        answer = await objects.kube.request("GET", collection, params=exact)
        assert len(answer.body["items"]) == 2


async def test_a_list_that_lags_behind_comes_in_pages_too(objects: Objects, faults: FaultPlan) -> None:
    old, where = await past(objects)
    collection = objects.collection(config_map())
    with faults.on(Fault(Stale(version_of(old)), where)):
        first = await objects.kube.request("GET", collection, params={"limit": "1"})
        assert [item["metadata"]["name"] for item in first.body["items"]] == ["a"]
        params = {"limit": "1", "continue": first.body["metadata"]["continue"]}
        second = await objects.kube.request("GET", collection, params=params)
    assert [item["metadata"]["name"] for item in second.body["items"]] == [ROOT]
    assert version_of(second.body) == version_of(old)


async def test_a_list_that_must_be_newer_has_to_wait(objects: Objects, faults: FaultPlan) -> None:
    """The words are those for a version that no server has seen yet."""
    old, where = await past(objects)
    collection, future = objects.collection(config_map()), {"resourceVersion": "999999999"}
    genuine = await objects.kube.request("GET", collection, params=future)
    with faults.on(Fault(Stale(version_of(old)), where)):
        params = {"resourceVersion": version_of(await objects.create(config_map("c"), "ann"))}
        answer = await objects.kube.request("GET", collection, params=params)
    assert (answer.status, answer.headers["Retry-After"]) == (504, genuine.headers["Retry-After"])
    assert answer.body | {"message": ""} == genuine.body | {"message": ""}
    assert answer.body["message"] == (
        f"Timeout: Too large resource version: {params['resourceVersion']}, current: {version_of(old)}"
    )


async def test_nothing_else_lags_behind(objects: Objects, faults: FaultPlan) -> None:
    old, where = await past(objects)
    await objects.create(deployment(paused=True), "ann")
    with faults.on(Fault(Stale(version_of(old)), where)) as lag:
        await objects.patch(config_map("a"), {"data": {"v": "3"}}, "ann")
        assert (await objects.kube.request("GET", objects.path(deployment(), "scale"))).status == 200
        assert (await objects.kube.request("GET", "/readyz")).status == 200
    assert lag.count == 0


async def test_a_page_of_a_moment_that_is_gone(objects: Objects, faults: FaultPlan) -> None:
    """With the token of the refusal the list goes on, with what is there by then."""
    _, where = await past(objects)
    collection = objects.collection(config_map())
    first = await objects.kube.request("GET", collection, params={"limit": "1"})
    with faults.on(Fault(Gone(), where, times=1)):
        params = {"limit": "5", "continue": first.body["metadata"]["continue"]}
        refused = await objects.kube.request("GET", collection, params=params)
        assert (refused.status, refused.body["code"], refused.body["reason"]) == (410, 410, "Expired")
        assert refused.body["message"].startswith("The provided continue parameter is too old to display a consistent")
    await objects.create(config_map("c"), "ann")
    params = {"limit": "5", "continue": refused.body["metadata"]["continue"]}
    rest = await objects.kube.request("GET", collection, params=params)
    assert [item["metadata"]["name"] for item in rest.body["items"]] == ["b", "c", ROOT]
    assert int(version_of(rest.body)) > int(version_of(first.body))


async def test_an_exact_moment_that_is_gone(objects: Objects, faults: FaultPlan) -> None:
    old, where = await past(objects)
    exact = {"resourceVersion": version_of(old), "resourceVersionMatch": "Exact"}
    with faults.on(Fault(Gone(), where)) as loss:
        answer = await objects.kube.request("GET", objects.collection(config_map()), params=exact)
        assert (answer.status, answer.body["reason"]) == (410, "Expired")
        assert answer.body["message"] == "The resourceVersion for the provided list is too old."
        assert (await objects.kube.request("GET", objects.collection(config_map()))).status == 200
    assert loss.count == 1


async def test_history_that_is_gone_is_worded_as_by_the_real_server(real_programs: Programs) -> None:
    """Compacted away below a cluster of its own; of a kind that is new, no cache holds what etcd has lost."""
    async with (
        RealCluster(real_programs, name="compacted") as cluster,
        FaultProxy.serve(cluster) as proxy,
        connected(proxy.kubeconfig) as kube,
        defined(kube, "default") as widgets,
    ):
        for name in ("a", "b", "c"):
            await kube.request("POST", widgets.collection, widgets.widget(name))
        first = await kube.request("GET", widgets.collection, params={"limit": "1"})
        await compact(cluster, int(version_of(first.body)) - 1)
        page = json.dumps({"v": "meta.k8s.io/v1", "rv": 5, "start": "a\0"}, separators=(",", ":"))
        token = {"continue": base64.urlsafe_b64encode(page.encode()).decode().rstrip("=")}
        for params in (token, {"resourceVersion": "5", "resourceVersionMatch": "Exact"}):
            genuine = await kube.request("GET", widgets.collection, params=params)
            with proxy.faults.on(Fault(Gone())):
                ours = await kube.request("GET", widgets.collection, params=params)
            assert (ours.status, ours.body) == (genuine.status, genuine.body)
            assert ours.status == 410


async def compact(cluster: RealCluster, version: int) -> None:
    """Have etcd forget what was before a version."""
    connector = aiohttp.UnixConnector(path=str(cluster.home / "etcd.sock"))
    async with aiohttp.ClientSession(connector=connector) as session:
        wish = {"revision": str(version), "physical": True}
        async with session.post("http://etcd/v3/kv/compaction", json=wish) as answer:
            assert answer.status == 200, await answer.text()
