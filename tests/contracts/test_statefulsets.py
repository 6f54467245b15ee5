"""StatefulSets: ordinals, their order, their claims, and what is left to whoever deletes pods."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import Any

import pytest

from tests.support.behaving import SIMULATE, has, is_true, observed, pod, template, workload
from tests.support.kube import Json, Kube
from tests.support.objects import Objects

CLAIM = {
    "metadata": {"name": "data", "labels": {"kept": "yes"}},
    "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
}


@pytest.fixture(autouse=True)
async def furnished(kube: Kube, objects: Objects) -> None:
    """Pods need the account that a new namespace gets a moment later."""
    await kube.until(f"/api/v1/namespaces/{objects.namespace}/serviceaccounts/default", lambda _: True)


def database(replicas: int, **spec: Any) -> Json:
    return workload("StatefulSet", "db", replicas=replicas, **spec)


def rolled_out(replicas: int) -> Json:
    return {"replicas": replicas, "readyReplicas": replicas, "updatedReplicas": replicas}


async def pods(kube: Kube, objects: Objects) -> dict[str, Json]:
    listed = await kube.request("GET", objects.collection(pod()), params={"labelSelector": "app=db"})
    return {item["metadata"]["name"]: item for item in listed.body["items"]}


async def went(kube: Kube, objects: Objects, version: str, *, last: str) -> list[str]:
    """The pods that went since a version, until one of that name did."""
    found: list[str] = []
    params = {"labelSelector": "app=db", "resourceVersion": version}
    async with asyncio.timeout(20), aclosing(kube.watch(objects.collection(pod()), params)) as events:
        async for event in events:
            if event["type"] == "DELETED":
                found.append(event["object"]["metadata"]["name"])
            if last in found:
                break
    return found


async def test_pods_have_ordinals_and_labels(kube: Kube, objects: Objects) -> None:
    created = await objects.create(database(2), "ann")
    stored = await kube.until(objects.path(database(2)), observed(**rolled_out(2), availableReplicas=2))
    assert stored["status"]["currentRevision"] == stored["status"]["updateRevision"]
    assert stored["status"]["currentReplicas"] == 2
    found = await pods(kube, objects)
    assert list(found) == ["db-0", "db-1"]
    assert found["db-1"]["metadata"]["labels"] == {
        "app": "db",
        "apps.kubernetes.io/pod-index": "1",
        "controller-revision-hash": stored["status"]["updateRevision"],
        "statefulset.kubernetes.io/pod-name": "db-1",
    }
    assert found["db-1"]["spec"]["hostname"] == "db-1"
    assert found["db-1"]["metadata"]["ownerReferences"][0]["uid"] == created["metadata"]["uid"]
    revision = {"apiVersion": "apps/v1", "kind": "ControllerRevision"}
    recorded = await objects.get(revision | {"metadata": {"name": stored["status"]["updateRevision"]}})
    assert recorded["revision"] == 1
    assert recorded["data"]["spec"]["template"]["spec"]["containers"][0]["image"] == "web:1"


async def test_each_waits_for_the_one_before(kube: Kube, objects: Objects) -> None:
    document = database(2, pods=template("db", does="pending"))
    await objects.create(document, "ann")
    await kube.until(objects.path(pod("db-0")), is_true("PodScheduled"))
    stored = await kube.until(objects.path(document), observed(replicas=1))
    assert stored["status"].get("readyReplicas", 0) == 0
    assert list(await pods(kube, objects)) == ["db-0"]
    await objects.patch(pod("db-0"), {"metadata": {"annotations": {SIMULATE: None}}}, "ann")
    await kube.until(objects.path(pod("db-1")), is_true("PodScheduled"))


async def test_in_parallel_none_waits(kube: Kube, objects: Objects) -> None:
    document = database(3, pods=template("db", does="unready"), podManagementPolicy="Parallel")
    await objects.create(document, "ann")
    await kube.until(objects.path(document), observed(replicas=3, readyReplicas=0))
    await objects.patch(document, {"spec": {"replicas": 1}}, "ann")
    for name in ("db-2", "db-1"):
        await kube.until_gone(objects.path(pod(name)))
    assert list(await pods(kube, objects)) == ["db-0"]


async def test_the_highest_goes_first(kube: Kube, objects: Objects) -> None:
    await objects.create(database(3), "ann")
    await kube.until(objects.path(database(3)), observed(**rolled_out(3)))
    version = (await objects.patch(database(3), {"spec": {"replicas": 1}}, "ann"))["metadata"]["resourceVersion"]
    assert (await went(kube, objects, version, last="db-1"))[0] == "db-2"
    await kube.until(objects.path(database(3)), observed(**rolled_out(1)))


async def test_a_roll_goes_from_the_highest_down(kube: Kube, objects: Objects) -> None:
    await objects.create(database(2), "ann")
    before = await kube.until(objects.path(database(2)), observed(**rolled_out(2)))
    patch = {"spec": {"template": template("db", image="web:2")}}
    version = (await objects.patch(database(2), patch, "ann"))["metadata"]["resourceVersion"]
    assert (await went(kube, objects, version, last="db-0"))[0] == "db-1"

    def done(stored: Json) -> bool:
        status = stored["status"]
        return observed(**rolled_out(2))(stored) and bool(status["currentRevision"] == status["updateRevision"])

    stored = await kube.until(objects.path(database(2)), done)
    assert stored["status"]["updateRevision"] != before["status"]["updateRevision"]
    images = {item["spec"]["containers"][0]["image"] for item in (await pods(kube, objects)).values()}
    assert images == {"web:2"}


async def test_a_partition_keeps_the_lower_ones(kube: Kube, objects: Objects) -> None:
    strategy = {"type": "RollingUpdate", "rollingUpdate": {"partition": 1}}
    document = database(2, updateStrategy=strategy)
    await objects.create(document, "ann")
    await kube.until(objects.path(document), observed(**rolled_out(2)))
    await objects.patch(document, {"spec": {"template": template("db", image="web:2")}}, "ann")
    await kube.until(objects.path(document), observed(replicas=2, readyReplicas=2, updatedReplicas=1))
    found = await pods(kube, objects)
    assert [item["spec"]["containers"][0]["image"] for item in found.values()] == ["web:1", "web:2"]


async def test_on_delete_leaves_the_pods_to_others(kube: Kube, objects: Objects) -> None:
    document = database(2, updateStrategy={"type": "OnDelete"})
    await objects.create(document, "ann")
    before = await kube.until(objects.path(document), observed(**rolled_out(2)))
    kept = {name: item["metadata"]["uid"] for name, item in (await pods(kube, objects)).items()}
    await objects.patch(document, {"spec": {"template": template("db", image="web:2")}}, "ann")
    stored = await kube.until(objects.path(document), observed(replicas=2, readyReplicas=2, updatedReplicas=0))
    assert (
        stored["status"]["currentRevision"] == before["status"]["currentRevision"] != stored["status"]["updateRevision"]
    )
    assert {name: item["metadata"]["uid"] for name, item in (await pods(kube, objects)).items()} == kept
    await kube.request("DELETE", objects.path(pod("db-0")))
    await kube.until(objects.path(document), observed(replicas=2, readyReplicas=2, updatedReplicas=1))
    found = await pods(kube, objects)
    assert found["db-0"]["spec"]["containers"][0]["image"] == "web:2"
    assert found["db-1"]["metadata"]["uid"] == kept["db-1"]


async def test_every_pod_has_its_claim(kube: Kube, objects: Objects) -> None:
    document = database(2, volumeClaimTemplates=[CLAIM])
    document["spec"]["template"]["spec"]["volumes"] = [{"name": "scratch", "emptyDir": {}}]
    await objects.create(document, "ann")
    await kube.until(objects.path(document), observed(**rolled_out(2)))
    claim = {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "data-db-1"}}
    stored = await objects.get(claim)
    assert stored["metadata"]["labels"] == {"kept": "yes", "app": "db"}
    assert stored["status"]["phase"] == "Bound"
    volumes = {each["name"]: each for each in (await pods(kube, objects))["db-1"]["spec"]["volumes"]}
    assert volumes["data"] == {"name": "data", "persistentVolumeClaim": {"claimName": "data-db-1"}}
    assert volumes["scratch"] == {"name": "scratch", "emptyDir": {}}


async def test_claims_outlive_pods_and_sets(kube: Kube, objects: Objects) -> None:
    document = database(1, volumeClaimTemplates=[CLAIM])
    await objects.create(document, "ann")
    await kube.until(objects.path(document), observed(**rolled_out(1)))
    claim = {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "data-db-0"}}
    before = await objects.get(claim)
    await objects.patch(document, {"spec": {"replicas": 0}}, "ann")
    await kube.until_gone(objects.path(pod("db-0")))
    await kube.request("DELETE", objects.path(document))
    await kube.until_gone(objects.path(document))
    await objects.create(document, "ann")
    await kube.until(objects.path(document), observed(**rolled_out(1)))
    after = await objects.get(claim)
    assert after["metadata"]["uid"] == before["metadata"]["uid"]
    assert after["spec"]["volumeName"] == before["spec"]["volumeName"]


async def test_an_orphaned_pod_is_adopted_by_the_next_set(kube: Kube, objects: Objects) -> None:
    await objects.create(database(1), "ann")
    await kube.until(objects.path(database(1)), observed(**rolled_out(1)))
    kept = (await objects.get(pod("db-0")))["metadata"]["uid"]
    await kube.request("DELETE", objects.path(database(1)), {"propagationPolicy": "Orphan"})
    await kube.until_gone(objects.path(database(1)))
    created = await objects.create(database(1), "ann")
    adopted = await kube.until(objects.path(pod("db-0")), lambda item: "ownerReferences" in item["metadata"])
    assert adopted["metadata"]["uid"] == kept
    assert adopted["metadata"]["ownerReferences"][0]["uid"] == created["metadata"]["uid"]
    await kube.until(objects.path(database(1)), observed(**rolled_out(1)))


async def test_everything_goes_with_a_set_but_claims(kube: Kube, objects: Objects) -> None:
    document = database(1, volumeClaimTemplates=[CLAIM])
    await objects.create(document, "ann")
    await kube.until(objects.path(document), observed(**rolled_out(1)))
    await kube.request("DELETE", objects.path(document), {"propagationPolicy": "Foreground"})
    await kube.until_gone(objects.path(document))
    await kube.until_gone(objects.path(pod("db-0")))
    claim = {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "data-db-0"}}
    assert has("status", "phase", equal="Bound")(await objects.get(claim))
