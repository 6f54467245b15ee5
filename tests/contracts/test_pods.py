"""Pods that behave: they get a node, run, get ready, and go."""

from __future__ import annotations

import asyncio
import re

import pytest

from tests.support.behaving import SIMULATE, conditions, has, is_true, pod
from tests.support.kube import Kube
from tests.support.objects import Objects


@pytest.fixture(autouse=True)
async def furnished(kube: Kube, objects: Objects) -> None:
    """Pods need the account that a new namespace gets a moment later."""
    await kube.until(f"/api/v1/namespaces/{objects.namespace}/serviceaccounts/default", lambda _: True)


async def test_a_pod_runs(kube: Kube, objects: Objects) -> None:
    await objects.create(pod(initContainers=[{"name": "first", "image": "web:1"}]), "ann")
    stored = await kube.until(objects.path(pod()), is_true("Ready"))
    status = stored["status"]
    assert status["phase"] == "Running"
    assert {"PodScheduled", "Initialized", "ContainersReady", "Ready"} <= conditions(stored).keys()
    assert re.fullmatch(r"[0-9.]+", status["podIP"])
    assert status["podIPs"] == [{"ip": status["podIP"]}]
    assert {"hostIP", "startTime"} <= status.keys()
    (container,) = status["containerStatuses"]
    assert (container["name"], container["ready"], container["started"]) == ("main", True, True)
    assert (container["image"], container["restartCount"]) == ("web:1", 0)
    assert "startedAt" in container["state"]["running"]
    (first,) = status["initContainerStatuses"]
    assert first["state"]["terminated"]["exitCode"] == 0
    params = {"fieldSelector": f"spec.nodeName={stored['spec']['nodeName']},status.phase=Running"}
    listed = await kube.request("GET", objects.collection(pod()), params=params)
    assert [item["metadata"]["name"] for item in listed.body["items"]] == ["web"]


async def test_its_node_is_ready(kube: Kube, objects: Objects) -> None:
    await objects.create(pod(), "ann")
    stored = await kube.until(objects.path(pod()), lambda stored: "nodeName" in stored["spec"])
    node = await kube.request("GET", f"/api/v1/nodes/{stored['spec']['nodeName']}")
    assert is_true("Ready")(node.body)
    assert {"cpu", "memory", "pods"} <= node.body["status"]["allocatable"].keys()
    assert node.body["status"]["nodeInfo"]["operatingSystem"] == "linux"


async def test_getting_a_node_is_no_new_generation(kube: Kube, objects: Objects) -> None:
    await objects.create(pod(), "ann")
    stored = await kube.until(objects.path(pod()), is_true("Ready"))
    assert stored["metadata"]["generation"] == 1


async def test_a_pod_that_no_node_takes_waits(kube: Kube, objects: Objects) -> None:
    nowhere = pod(nodeSelector={"there": "none"})
    await objects.create(nowhere, "ann")
    stored = await kube.until(objects.path(nowhere), lambda stored: "PodScheduled" in conditions(stored))
    found = conditions(stored)["PodScheduled"]
    assert (found["status"], found["reason"]) == ("False", "Unschedulable")
    assert re.match(r"0/\d+ nodes are available: .*didn't match Pod's node affinity/selector", found["message"])
    assert stored["status"]["phase"] == "Pending"


async def test_a_pod_that_waits_for_no_node_goes_at_once(kube: Kube, objects: Objects) -> None:
    nowhere = pod(nodeSelector={"there": "none"})
    await objects.create(nowhere, "ann")
    answer = await kube.request("DELETE", objects.path(nowhere))
    assert (answer.status, answer.body["kind"]) == (200, "Pod")
    assert (await kube.request("GET", objects.path(nowhere))).status == 404


async def test_a_pod_may_be_slow_to_start(kube: Kube, objects: Objects) -> None:
    slow = pod(does="pending")
    await objects.create(slow, "ann")
    stored = await kube.until(objects.path(slow), is_true("PodScheduled"))
    assert (stored["status"]["phase"], is_true("Ready")(stored)) == ("Pending", False)
    await objects.patch(slow, {"metadata": {"annotations": {SIMULATE: None}}}, "ann")
    await kube.until(objects.path(slow), is_true("Ready"))


async def test_a_pod_may_run_without_being_ready(kube: Kube, objects: Objects) -> None:
    lame = pod(does="unready")
    await objects.create(lame, "ann")
    stored = await kube.until(objects.path(lame), has("status", "phase", equal="Running"))
    assert conditions(stored)["Ready"]["status"] == "False"
    assert [each["ready"] for each in stored["status"]["containerStatuses"]] == [False]


async def test_a_pod_may_crash_again_and_again(kube: Kube, objects: Objects) -> None:
    broken = pod(does="crash")
    await objects.create(broken, "ann")
    stored = await kube.until(objects.path(broken), has("status", "phase", equal="Running"))
    assert conditions(stored)["Ready"]["status"] == "False"
    (container,) = stored["status"]["containerStatuses"]
    assert container["state"]["waiting"]["reason"] == "CrashLoopBackOff"
    assert container["lastState"]["terminated"]["exitCode"] == 1
    assert container["restartCount"] == 1


async def test_a_deleted_pod_has_time_to_go(kube: Kube, objects: Objects) -> None:
    stubborn = pod(does="terminating", terminationGracePeriodSeconds=77)
    await objects.create(stubborn, "ann")
    await kube.until(objects.path(stubborn), is_true("Ready"))
    answer = await kube.request("DELETE", objects.path(stubborn))
    assert answer.body["metadata"]["deletionGracePeriodSeconds"] == 77
    assert answer.body["metadata"]["generation"] == 2
    shorter = await kube.request("DELETE", objects.path(stubborn), {"gracePeriodSeconds": 5})
    assert shorter.body["metadata"]["deletionGracePeriodSeconds"] == 5
    longer = await kube.request("DELETE", objects.path(stubborn), params={"gracePeriodSeconds": "50"})
    assert longer.body["metadata"]["deletionGracePeriodSeconds"] == 5
    gone = await kube.request("DELETE", objects.path(stubborn), {"gracePeriodSeconds": 0})
    assert gone.status == 200
    await kube.until_gone(objects.path(stubborn))


async def test_a_deleted_pod_goes(kube: Kube, objects: Objects) -> None:
    await objects.create(pod(), "ann")
    await kube.until(objects.path(pod()), is_true("Ready"))
    await kube.request("DELETE", objects.path(pod()))
    await kube.until_gone(objects.path(pod()))


async def test_twenty_pods_run_at_once(kube: Kube, objects: Objects) -> None:
    names = [f"web-{number}" for number in range(20)]
    await asyncio.gather(*(objects.create(pod(name), "ann") for name in names))
    found = [await kube.until(objects.path(pod(name)), is_true("Ready")) for name in names]
    assert len({stored["status"]["podIP"] for stored in found}) == 20


def log_path(objects: Objects, name: str = "web") -> str:
    return f"{objects.path(pod(name))}/log"


@pytest.mark.parametrize(
    ("containers", "asked", "message"),
    [
        (["a", "b"], "", "a container name must be specified for pod web, choose one of: [a b]"),
        (["a", "b"], "c", "container c is not valid for pod web"),
        (["a"], "b", "container b is not valid for pod web"),
    ],
)
async def test_a_log_needs_a_container(
    kube: Kube, objects: Objects, containers: list[str], asked: str, message: str
) -> None:
    document = pod(containers=[{"name": name, "image": "web:1"} for name in containers])
    await objects.create(document, "ann")
    answer = await kube.request("GET", log_path(objects), params={"container": asked} if asked else {})
    assert (answer.status, answer.body["reason"], answer.body["message"]) == (400, "BadRequest", message)


async def test_a_log_needs_a_pod(kube: Kube, objects: Objects) -> None:
    answer = await kube.request("GET", log_path(objects, "none"))
    assert (answer.status, answer.body["message"]) == (404, 'pods "none" not found')
