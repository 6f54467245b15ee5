"""Simulated pods do as their annotation says, on both kinds of cluster alike."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from kubernetes_asyncio import client, config, watch

from sandbox.testcluster import TestCluster

SIMULATE = "sandbox.perigee.dev/simulate"
SECONDS = 20
CONTAINER = {"name": "main", "image": "test:1"}


@pytest.fixture
async def api(any_cluster: TestCluster) -> AsyncIterator[client.ApiClient]:
    async with await config.new_client_from_config(str(any_cluster.kubeconfig)) as api:
        yield api


@pytest.fixture
def core(api: client.ApiClient) -> client.CoreV1Api:
    return client.CoreV1Api(api)


@pytest.fixture
def batch(api: client.ApiClient) -> client.BatchV1Api:
    return client.BatchV1Api(api)


# The client takes plain manifests although its stubs want models: hence Any.
def pod(does: str = "") -> Any:
    metadata = {"name": "pod", "annotations": {SIMULATE: does}}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": {"containers": [CONTAINER]}}


def job(name: str, does: str) -> Any:
    spec = {"restartPolicy": "Never", "containers": [CONTAINER]}
    template = {"metadata": {"annotations": {SIMULATE: does}}, "spec": spec}
    return {"metadata": {"name": name}, "spec": {"backoffLimit": 0, "template": template}}


async def seen(core: client.CoreV1Api, namespace: str, wanted: Callable[[Any], bool]) -> Any:
    """The pod, as soon as it is as wanted."""
    async with watch.Watch() as events:
        async for event in events.stream(core.list_namespaced_pod, namespace, timeout_seconds=SECONDS):
            if wanted(event["object"]):
                return event["object"]
    pytest.fail("the pod never became as wanted")


async def gone(core: client.CoreV1Api, namespace: str, version: str) -> bool:
    """Whether the pod goes, after the version at which it was still there."""
    async with watch.Watch() as events:
        stream = events.stream(core.list_namespaced_pod, namespace, resource_version=version, timeout_seconds=SECONDS)
        async for event in stream:
            if event["type"] == "DELETED":
                return True
    return False


def ready(pod: Any) -> str | None:
    return next((each.status for each in pod.status.conditions or [] if each.type == "Ready"), None)


async def test_a_pod_runs_and_is_ready(core: client.CoreV1Api, any_namespace: str) -> None:
    await core.create_namespaced_pod(any_namespace, pod())
    running = await seen(core, any_namespace, lambda each: ready(each) == "True")
    assert running.status.phase == "Running"
    assert running.status.pod_ip
    assert running.spec.node_name == "simulated-0"


async def test_a_pending_pod_starts_when_it_is_let_go(core: client.CoreV1Api, any_namespace: str) -> None:
    await core.create_namespaced_pod(any_namespace, pod("pending"))
    held = await seen(core, any_namespace, lambda each: bool(each.spec.node_name))
    assert held.status.phase == "Pending"
    await core.patch_namespaced_pod("pod", any_namespace, {"metadata": {"annotations": {SIMULATE: ""}}})
    await seen(core, any_namespace, lambda each: each.status.phase == "Running")


async def test_an_unready_pod_runs(core: client.CoreV1Api, any_namespace: str) -> None:
    await core.create_namespaced_pod(any_namespace, pod("unready"))
    running = await seen(core, any_namespace, lambda each: each.status.phase == "Running")
    assert ready(running) == "False"


async def test_a_crashing_pod_tells_of_its_restart(core: client.CoreV1Api, any_namespace: str) -> None:
    await core.create_namespaced_pod(any_namespace, pod("crash"))
    crashing = await seen(core, any_namespace, lambda each: each.status.phase == "Running")
    (container,) = crashing.status.container_statuses
    assert container.state.waiting.reason == "CrashLoopBackOff"
    assert (container.restart_count, container.last_state.terminated.exit_code) == (1, 1)


@pytest.mark.parametrize(("does", "phase"), [("", "Succeeded"), ("fail", "Failed")])
async def test_the_pod_of_a_job_ends_as_it_is_told(
    core: client.CoreV1Api, batch: client.BatchV1Api, any_namespace: str, does: str, phase: str
) -> None:
    await batch.create_namespaced_job(any_namespace, job("work", does))
    await seen(core, any_namespace, lambda each: each.status.phase == phase)


async def test_the_pod_of_a_job_goes_on_when_it_is_told(
    core: client.CoreV1Api, batch: client.BatchV1Api, any_namespace: str
) -> None:
    await batch.create_namespaced_job(any_namespace, job("long", "running"))
    long = await seen(core, any_namespace, lambda each: each.status.phase == "Running")
    # Another one begins later and is at its end: the first has had its time.
    await batch.create_namespaced_job(any_namespace, job("short", ""))
    await seen(core, any_namespace, lambda each: each.status.phase == "Succeeded")
    assert (await core.read_namespaced_pod(long.metadata.name, any_namespace)).status.phase == "Running"


async def test_a_pod_that_will_not_go_goes_when_it_is_let(core: client.CoreV1Api, any_namespace: str) -> None:
    await core.create_namespaced_pod(any_namespace, pod("terminating"))
    await seen(core, any_namespace, lambda each: ready(each) == "True")
    await core.delete_namespaced_pod("pod", any_namespace)
    staying = await core.read_namespaced_pod("pod", any_namespace)
    assert staying.metadata.deletion_timestamp is not None
    await core.patch_namespaced_pod("pod", any_namespace, {"metadata": {"annotations": {SIMULATE: ""}}})
    assert await gone(core, any_namespace, staying.metadata.resource_version)
