"""DaemonSets: a pod on every node that takes it."""

from __future__ import annotations

import pytest

from tests.support.behaving import observed, pod, template
from tests.support.kube import Json, Kube
from tests.support.objects import Objects

SETTLED = {"currentNumberScheduled": 1, "desiredNumberScheduled": 1, "numberReady": 1, "updatedNumberScheduled": 1}


@pytest.fixture(autouse=True)
async def furnished(kube: Kube, objects: Objects) -> None:
    """Pods need the account that a new namespace gets a moment later."""
    await kube.until(f"/api/v1/namespaces/{objects.namespace}/serviceaccounts/default", lambda _: True)


def shipper(*, pods: Json | None = None, strategy: str = "RollingUpdate") -> Json:
    spec = {
        "selector": {"matchLabels": {"app": "logs"}},
        "template": pods or template("logs"),
        "updateStrategy": {"type": strategy},
    }
    return {"apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": {"name": "logs"}, "spec": spec}


async def pods_of(kube: Kube, objects: Objects) -> list[Json]:
    listed = await kube.request("GET", objects.collection(pod()), params={"labelSelector": "app=logs"})
    return [item for item in listed.body["items"] if "deletionTimestamp" not in item["metadata"]]


async def test_every_node_gets_a_pod(kube: Kube, objects: Objects) -> None:
    created = await objects.create(shipper(), "ann")
    stored = await kube.until(objects.path(shipper()), observed(**SETTLED, numberAvailable=1, numberUnavailable=0))
    assert stored["status"]["numberMisscheduled"] == 0
    (found,) = await pods_of(kube, objects)
    assert found["metadata"]["generateName"] == "logs-"
    assert found["metadata"]["labels"]["pod-template-generation"] == "1"
    assert found["metadata"]["ownerReferences"][0]["uid"] == created["metadata"]["uid"]


async def test_a_new_template_replaces_it(kube: Kube, objects: Objects) -> None:
    await objects.create(shipper(), "ann")
    await kube.until(objects.path(shipper()), observed(**SETTLED))
    (old,) = await pods_of(kube, objects)
    await objects.patch(shipper(), {"spec": {"template": template("logs", image="web:2")}}, "ann")
    await kube.until_gone(f"{objects.collection(pod())}/{old['metadata']['name']}")
    await kube.until(objects.path(shipper()), observed(**SETTLED, numberUnavailable=0))
    (new,) = await pods_of(kube, objects)
    assert new["spec"]["containers"][0]["image"] == "web:2"
    hashes = {each["metadata"]["labels"]["controller-revision-hash"] for each in (old, new)}
    assert len(hashes) == 2


async def test_on_delete_leaves_it_to_others(kube: Kube, objects: Objects) -> None:
    document = shipper(strategy="OnDelete")
    await objects.create(document, "ann")
    await kube.until(objects.path(document), observed(**SETTLED))
    (old,) = await pods_of(kube, objects)
    await objects.patch(document, {"spec": {"template": template("logs", image="web:2")}}, "ann")
    await kube.until(objects.path(document), observed(numberReady=1, updatedNumberScheduled=0))
    assert [each["metadata"]["uid"] for each in await pods_of(kube, objects)] == [old["metadata"]["uid"]]
    await kube.request("DELETE", f"{objects.collection(pod())}/{old['metadata']['name']}")
    await kube.until(objects.path(document), observed(**SETTLED))


async def test_a_node_that_is_not_meant_has_none(kube: Kube, objects: Objects) -> None:
    await objects.create(shipper(), "ann")
    await kube.until(objects.path(shipper()), observed(**SETTLED))
    patch = {"spec": {"template": {"spec": {"nodeSelector": {"there": "none"}}}}}
    await objects.patch(shipper(), patch, "ann")
    nobody = {"currentNumberScheduled": 0, "desiredNumberScheduled": 0, "numberReady": 0}
    await kube.until(objects.path(shipper()), observed(**nobody))
    assert await pods_of(kube, objects) == []


async def test_its_pods_go_with_it(kube: Kube, objects: Objects) -> None:
    await objects.create(shipper(), "ann")
    await kube.until(objects.path(shipper()), observed(**SETTLED))
    (found,) = await pods_of(kube, objects)
    await kube.request("DELETE", objects.path(shipper()), {"propagationPolicy": "Foreground"})
    await kube.until_gone(objects.path(shipper()))
    await kube.until_gone(f"{objects.collection(pod())}/{found['metadata']['name']}")
