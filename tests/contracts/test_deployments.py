"""Deployments and ReplicaSets: pods come, are replaced and go; the status says so."""

from __future__ import annotations

import asyncio
from contextlib import aclosing

import pytest

from tests.support.behaving import SIMULATE, conditions, has, is_true, observed, template, workload
from tests.support.kube import Json, Kube
from tests.support.objects import Objects

COST = "controller.kubernetes.io/pod-deletion-cost"


@pytest.fixture(autouse=True)
async def furnished(kube: Kube, objects: Objects) -> None:
    """Pods need the account that a new namespace gets a moment later."""
    await kube.until(f"/api/v1/namespaces/{objects.namespace}/serviceaccounts/default", lambda _: True)


def rolled_out(replicas: int) -> Json:
    return {"replicas": replicas, "updatedReplicas": replicas, "readyReplicas": replicas}


async def items(kube: Kube, objects: Objects, plural: str, selector: str = "app=web") -> list[Json]:
    group = "/api/v1" if plural == "pods" else "/apis/apps/v1"
    params = {"labelSelector": selector}
    answer = await kube.request("GET", f"{group}/namespaces/{objects.namespace}/{plural}", params=params)
    found: list[Json] = answer.body["items"]
    return found


async def test_a_deployment_runs_its_replicas(kube: Kube, objects: Objects) -> None:
    web = workload("Deployment", replicas=2)
    await objects.create(web, "ann")
    stored = await kube.until(objects.path(web), observed(**rolled_out(2), availableReplicas=2, unavailableReplicas=0))
    assert stored["metadata"]["annotations"]["deployment.kubernetes.io/revision"] == "1"
    (replica_set,) = await items(kube, objects, "replicasets")
    digest = replica_set["metadata"]["labels"]["pod-template-hash"]
    assert replica_set["metadata"]["name"] == f"web-{digest}"
    assert replica_set["metadata"]["labels"] == {"app": "web", "pod-template-hash": digest}
    assert replica_set["spec"]["selector"]["matchLabels"] == {"app": "web", "pod-template-hash": digest}
    assert replica_set["status"]["readyReplicas"] == replica_set["status"]["fullyLabeledReplicas"] == 2
    (reference,) = replica_set["metadata"]["ownerReferences"]
    assert reference == {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "name": "web",
        "uid": stored["metadata"]["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }
    pods = await items(kube, objects, "pods")
    assert {pod["metadata"]["labels"]["pod-template-hash"] for pod in pods} == {digest}
    assert all(pod["metadata"]["generateName"] == f"web-{digest}-" for pod in pods)
    assert {pod["metadata"]["ownerReferences"][0]["uid"] for pod in pods} == {replica_set["metadata"]["uid"]}


async def test_conditions_tell_that_it_is_done(kube: Kube, objects: Objects) -> None:
    web = workload("Deployment")
    await objects.create(web, "ann")

    def done(stored: Json) -> bool:
        return bool(conditions(stored).get("Progressing", {}).get("reason") == "NewReplicaSetAvailable")

    found = conditions(await kube.until(objects.path(web), done))
    (replica_set,) = await items(kube, objects, "replicasets")
    assert found["Progressing"]["status"] == "True"
    message = f'ReplicaSet "{replica_set["metadata"]["name"]}" has successfully progressed.'
    assert found["Progressing"]["message"] == message
    assert (found["Available"]["status"], found["Available"]["reason"]) == ("True", "MinimumReplicasAvailable")
    assert found["Available"]["message"] == "Deployment has minimum availability."


async def test_the_controller_owns_the_status_it_writes(kube: Kube, objects: Objects) -> None:
    web = workload("Deployment")
    created = await objects.create(web, "ann")
    stored = await kube.until(objects.path(web), observed(**rolled_out(1)))
    assert stored["metadata"]["generation"] == created["metadata"]["generation"]
    assert ("kube-controller-manager", "Update", "status") in {
        (each["manager"], each["operation"], each.get("subresource")) for each in stored["metadata"]["managedFields"]
    }


async def test_a_deployment_scales_up_and_down(kube: Kube, objects: Objects) -> None:
    web = workload("Deployment")
    await objects.create(web, "ann")
    await kube.until(objects.path(web), observed(**rolled_out(1)))
    for replicas in (3, 1, 0):
        await objects.patch(web, {"spec": {"replicas": replicas}}, "ann", subresource="scale")
        await kube.until(objects.path(web), observed(**rolled_out(replicas)))
    (replica_set,) = await items(kube, objects, "replicasets")
    assert replica_set["spec"]["replicas"] == 0


async def test_a_new_template_replaces_the_pods(kube: Kube, objects: Objects) -> None:
    web = workload("Deployment", replicas=3)
    await objects.create(web, "ann")
    await kube.until(objects.path(web), observed(**rolled_out(3)))
    old = {pod["metadata"]["uid"] for pod in await items(kube, objects, "pods")}
    await objects.patch(web, {"spec": {"template": template("web", image="web:2")}}, "ann")
    stored = await kube.until(objects.path(web), observed(**rolled_out(3), unavailableReplicas=0))
    assert stored["metadata"]["annotations"]["deployment.kubernetes.io/revision"] == "2"
    pods = [pod for pod in await items(kube, objects, "pods") if "deletionTimestamp" not in pod["metadata"]]
    assert {pod["spec"]["containers"][0]["image"] for pod in pods} == {"web:2"}
    assert not old & {pod["metadata"]["uid"] for pod in pods}
    sizes = {each["metadata"]["annotations"]["deployment.kubernetes.io/revision"]: each["spec"]["replicas"]
             for each in await items(kube, objects, "replicasets")}  # fmt: skip
    assert sizes == {"1": 0, "2": 3}


async def test_a_roll_keeps_its_promises(kube: Kube, objects: Objects) -> None:
    strategy = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 1}}
    web = workload("Deployment", replicas=4, strategy=strategy)
    await objects.create(web, "ann")
    await kube.until(objects.path(web), observed(**rolled_out(4)))
    (first,) = await items(kube, objects, "replicasets")
    await objects.patch(web, {"spec": {"template": template("web", image="web:2")}}, "ann")
    sets = {first["metadata"]["name"]: first}
    collection = f"/apis/apps/v1/namespaces/{objects.namespace}/replicasets"
    params = {"resourceVersion": first["metadata"]["resourceVersion"]}
    async with asyncio.timeout(20), aclosing(kube.watch(collection, params)) as events:
        async for event in events:
            sets[event["object"]["metadata"]["name"]] = event["object"]
            available = [each["status"].get("availableReplicas", 0) for each in sets.values()]
            assert sum(available) >= 3
            assert sum(each["spec"]["replicas"] for each in sets.values()) <= 5
            if sorted(available) == [0, 4] and sets[first["metadata"]["name"]]["spec"]["replicas"] == 0:
                break


async def test_the_old_template_comes_back_under_a_new_revision(kube: Kube, objects: Objects) -> None:
    web = workload("Deployment")
    await objects.create(web, "ann")
    await kube.until(objects.path(web), observed(**rolled_out(1)))
    for image in ("web:2", "web:1"):
        await objects.patch(web, {"spec": {"template": template("web", image=image)}}, "ann")
        await kube.until(objects.path(web), observed(**rolled_out(1), unavailableReplicas=0))
    revision = "deployment.kubernetes.io/revision"
    assert (await kube.until(objects.path(web), lambda _: True))["metadata"]["annotations"][revision] == "3"
    found = {
        each["metadata"]["annotations"][revision]: each["spec"] for each in await items(kube, objects, "replicasets")
    }
    assert found.keys() == {"2", "3"}
    assert found["3"]["template"]["spec"]["containers"][0]["image"] == "web:1"


async def test_recreate_never_runs_both(kube: Kube, objects: Objects) -> None:
    web = workload("Deployment", replicas=2, strategy={"type": "Recreate"})
    created = await objects.create(web, "ann")
    await kube.until(objects.path(web), observed(**rolled_out(2)))
    await objects.patch(web, {"spec": {"template": template("web", image="web:2")}}, "ann")
    await kube.until(objects.path(web), observed(**rolled_out(2), unavailableReplicas=0))
    running: dict[str, str] = {}
    params = {"labelSelector": "app=web", "resourceVersion": created["metadata"]["resourceVersion"]}
    images: list[str] = []
    async with aclosing(kube.watch(f"/api/v1/namespaces/{objects.namespace}/pods", params)) as events:
        async for event in events:
            metadata = event["object"]["metadata"]
            running[metadata["uid"]] = event["object"]["spec"]["containers"][0]["image"]
            if event["type"] == "DELETED":
                del running[metadata["uid"]]
            assert len(set(running.values())) <= 1
            images.append(event["object"]["spec"]["containers"][0]["image"])
            if images.count("web:2") and is_true("Ready")(event["object"]) and len(running) == 2:
                break
    assert images[0] == "web:1"


async def test_pods_that_are_not_ready_hold_a_roll(kube: Kube, objects: Objects) -> None:
    strategy = {"rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}
    web = workload("Deployment", replicas=2, strategy=strategy)
    await objects.create(web, "ann")
    await kube.until(objects.path(web), observed(**rolled_out(2)))
    await objects.patch(web, {"spec": {"template": template("web", does="unready")}}, "ann")
    stored = await kube.until(objects.path(web), observed(replicas=3, updatedReplicas=1, unavailableReplicas=1))
    assert stored["status"]["availableReplicas"] == 2
    assert is_true("Available")(stored)
    healed = {"spec": {"template": {"metadata": {"annotations": {SIMULATE: None}}}}}
    await objects.patch(web, healed, "ann")
    await kube.until(objects.path(web), observed(**rolled_out(2), unavailableReplicas=0))


async def test_too_few_pods_are_said(kube: Kube, objects: Objects) -> None:
    web = workload("Deployment", pods=template("web", does="unready"))
    await objects.create(web, "ann")
    stored = await kube.until(objects.path(web), observed(replicas=1, unavailableReplicas=1))
    found = conditions(stored)["Available"]
    assert (found["status"], found["reason"]) == ("False", "MinimumReplicasUnavailable")
    assert found["message"] == "Deployment does not have minimum availability."


async def test_a_roll_that_takes_too_long_is_said(kube: Kube, objects: Objects) -> None:
    web = workload("Deployment", pods=template("web", does="unready"), progressDeadlineSeconds=1)
    await objects.create(web, "ann")

    def late(stored: Json) -> bool:
        return bool(conditions(stored).get("Progressing", {}).get("status") == "False")

    found = conditions(await kube.until(objects.path(web), late))["Progressing"]
    assert found["reason"] == "ProgressDeadlineExceeded"
    assert found["message"].endswith("has timed out progressing.")


async def test_a_roll_in_time_is_not(kube: Kube, objects: Objects) -> None:
    web = workload("Deployment", progressDeadlineSeconds=1)
    await objects.create(web, "ann")
    await kube.until(objects.path(web), observed(**rolled_out(1)))
    other = workload("Deployment", "other", pods=template("other", does="unready"), progressDeadlineSeconds=2)
    await objects.create(other, "ann")

    def late(stored: Json) -> bool:
        return bool(conditions(stored).get("Progressing", {}).get("status") == "False")

    await kube.until(objects.path(other), late)
    assert is_true("Progressing")(await objects.get(web))


async def test_a_paused_deployment_does_not_roll(kube: Kube, objects: Objects) -> None:
    web = workload("Deployment")
    await objects.create(web, "ann")
    await kube.until(objects.path(web), observed(**rolled_out(1)))
    patch = {"spec": {"paused": True, "template": template("web", image="web:2")}}
    await objects.patch(web, patch, "ann")
    await kube.until(objects.path(web), observed(replicas=1, readyReplicas=1))
    assert len(await items(kube, objects, "replicasets")) == 1
    await objects.patch(web, {"spec": {"paused": None}}, "ann")
    await kube.until(objects.path(web), observed(**rolled_out(1)))
    assert len(await items(kube, objects, "replicasets")) == 2


async def test_a_lost_pod_is_replaced(kube: Kube, objects: Objects) -> None:
    web = workload("Deployment")
    await objects.create(web, "ann")
    await kube.until(objects.path(web), observed(**rolled_out(1)))
    (lost,) = await items(kube, objects, "pods")
    await kube.request("DELETE", f"/api/v1/namespaces/{objects.namespace}/pods/{lost['metadata']['name']}")
    await kube.until_gone(f"/api/v1/namespaces/{objects.namespace}/pods/{lost['metadata']['name']}")
    await kube.until(objects.path(web), observed(**rolled_out(1)))
    (found,) = await items(kube, objects, "pods")
    assert found["metadata"]["uid"] != lost["metadata"]["uid"]


async def test_everything_goes_with_a_deployment(kube: Kube, objects: Objects) -> None:
    web = workload("Deployment", replicas=2)
    await objects.create(web, "ann")
    await kube.until(objects.path(web), observed(**rolled_out(2)))
    sets, pods = await items(kube, objects, "replicasets"), await items(kube, objects, "pods")
    await kube.request("DELETE", objects.path(web), {"propagationPolicy": "Foreground"})
    await kube.until_gone(objects.path(web))
    assert await items(kube, objects, "replicasets") == []
    for pod in pods:
        await kube.until_gone(f"/api/v1/namespaces/{objects.namespace}/pods/{pod['metadata']['name']}")
    assert len(sets) == 1


async def test_the_cheapest_pods_go_first(kube: Kube, objects: Objects) -> None:
    front = workload("ReplicaSet", replicas=3)
    await objects.create(front, "ann")
    await kube.until(objects.path(front), observed(replicas=3, readyReplicas=3))
    pods = await items(kube, objects, "pods")
    for pod, cost in zip(pods, ("5", "-5", "0"), strict=True):
        document = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": pod["metadata"]["name"]}}
        await objects.patch(document, {"metadata": {"annotations": {COST: cost}}}, "ann")
    for number in (1, 2):
        await objects.patch(front, {"spec": {"replicas": 3 - number}}, "ann")
        await kube.until(objects.path(front), observed(replicas=3 - number, readyReplicas=3 - number))
        name = pods[number]["metadata"]["name"]
        await kube.until_gone(f"/api/v1/namespaces/{objects.namespace}/pods/{name}")
    (left,) = await items(kube, objects, "pods")
    assert left["metadata"]["name"] == pods[0]["metadata"]["name"]


async def test_pods_that_are_not_ready_go_before_others(kube: Kube, objects: Objects) -> None:
    front = workload("ReplicaSet", replicas=1)
    await objects.create(front, "ann")
    await kube.until(objects.path(front), observed(replicas=1, readyReplicas=1))
    (ready,) = await items(kube, objects, "pods")
    await objects.patch(front, {"spec": {"replicas": 2, "template": template("web", does="unready")}}, "ann")
    await kube.until(objects.path(front), observed(replicas=2, readyReplicas=1))
    await objects.patch(front, {"spec": {"replicas": 1}}, "ann")
    await kube.until(objects.path(front), observed(replicas=1, readyReplicas=1))
    left = [pod for pod in await items(kube, objects, "pods") if "deletionTimestamp" not in pod["metadata"]]
    assert [pod["metadata"]["uid"] for pod in left] == [ready["metadata"]["uid"]]


async def test_a_set_that_waits_for_an_account_gets_its_pods_later(kube: Kube, objects: Objects) -> None:
    front = workload("ReplicaSet", pods=template("web", serviceAccountName="late"))
    await objects.create(front, "ann")
    stored = await kube.until(objects.path(front), is_true("ReplicaFailure"))
    found = conditions(stored)["ReplicaFailure"]
    assert found["reason"] == "FailedCreate"
    assert 'serviceaccount "late" not found' in found["message"]
    await objects.create({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "late"}}, "ann")
    stored = await kube.until(objects.path(front), observed(replicas=1, readyReplicas=1))
    assert "ReplicaFailure" not in conditions(stored)


async def test_orphans_stay(kube: Kube, objects: Objects) -> None:
    front = workload("ReplicaSet")
    await objects.create(front, "ann")
    await kube.until(objects.path(front), observed(replicas=1, readyReplicas=1))
    await kube.request("DELETE", objects.path(front), {"propagationPolicy": "Orphan"})
    await kube.until_gone(objects.path(front))
    (left,) = await items(kube, objects, "pods")
    assert "ownerReferences" not in left["metadata"]
    assert has("status", "phase", equal="Running")(left)


async def test_orphans_are_adopted_by_the_next_of_their_kind(kube: Kube, objects: Objects) -> None:
    web = workload("Deployment")
    await objects.create(web, "ann")
    await kube.until(objects.path(web), observed(**rolled_out(1)))
    (kept,) = await items(kube, objects, "pods")
    await kube.request("DELETE", objects.path(web), {"propagationPolicy": "Orphan"})
    await kube.until_gone(objects.path(web))
    await objects.create(web, "ann")
    await kube.until(objects.path(web), observed(**rolled_out(1)))
    assert [pod["metadata"]["uid"] for pod in await items(kube, objects, "pods")] == [kept["metadata"]["uid"]]
    (replica_set,) = await items(kube, objects, "replicasets")
    assert replica_set["metadata"]["ownerReferences"][0]["name"] == "web"


async def test_free_pods_are_adopted(kube: Kube, objects: Objects) -> None:
    front = workload("ReplicaSet")
    bare = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "bare", "labels": {"app": "web"}}}
    await objects.create(bare | {"spec": template("web")["spec"]}, "ann")
    created = await objects.create(front, "ann")
    await kube.until(objects.path(front), observed(replicas=1, readyReplicas=1))
    (found,) = await items(kube, objects, "pods")
    assert found["metadata"]["name"] == "bare"
    assert found["metadata"]["ownerReferences"][0]["uid"] == created["metadata"]["uid"]


async def test_old_templates_are_forgotten(kube: Kube, objects: Objects) -> None:
    web = workload("Deployment", revisionHistoryLimit=1)
    await objects.create(web, "ann")
    await kube.until(objects.path(web), observed(**rolled_out(1)))
    names = []
    for image in ("web:2", "web:3"):
        names += [each["metadata"]["name"] for each in await items(kube, objects, "replicasets")]
        await objects.patch(web, {"spec": {"template": template("web", image=image)}}, "ann")
        await kube.until(objects.path(web), observed(**rolled_out(1), unavailableReplicas=0))
    await kube.until_gone(f"/apis/apps/v1/namespaces/{objects.namespace}/replicasets/{names[0]}")
    revisions = [each["metadata"]["annotations"]["deployment.kubernetes.io/revision"]
                 for each in await items(kube, objects, "replicasets")]  # fmt: skip
    assert sorted(revisions) == ["2", "3"]
