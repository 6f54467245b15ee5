"""Logs: what a container wrote, cut as asked.

The contents are the embedded cluster's own promise: the nodes of the real test cluster have no kubelet that could be
asked for them. What the API server itself says is in the contracts of pods.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime

import pytest

from sandbox.testcluster import TestCluster
from tests.support.behaving import is_true, job, pod
from tests.support.kube import Kube, connected
from tests.support.objects import Objects

TWO = pod(containers=[{"name": "a", "image": "web:1"}, {"name": "b", "image": "web:1"}])


@pytest.fixture
async def embedded(embedded_cluster: TestCluster, embedded_namespace: str) -> AsyncIterator[Objects]:
    """The objects of a fresh namespace of the embedded cluster."""
    async with connected(embedded_cluster.kubeconfig) as kube:
        await kube.until(f"/api/v1/namespaces/{embedded_namespace}/serviceaccounts/default", lambda _: True)
        yield Objects(kube, embedded_namespace)


async def log(objects: Objects, **params: str) -> str:
    answer = await objects.kube.request("GET", objects.path(TWO, "log"), params={"container": "b"} | params)
    assert answer.status == 200, answer.body
    return str(answer.body)


async def test_embedded_containers_write_lines(embedded: Objects) -> None:
    await embedded.create(TWO, "ann")
    await embedded.kube.until(embedded.path(TWO), is_true("Ready"))
    whole = await log(embedded)
    assert whole == await log(embedded) == "b: starting\nb: listening\nb: ready\n"
    assert await log(embedded, tailLines="1") == "b: ready\n"
    assert await log(embedded, tailLines="0") == ""
    assert await log(embedded, tailLines="9") == whole
    assert await log(embedded, limitBytes="5") == whole[:5]


async def test_embedded_lines_have_times(embedded: Objects) -> None:
    await embedded.create(TWO, "ann")
    await embedded.kube.until(embedded.path(TWO), is_true("Ready"))
    stamped = [line.split(" ", 1) for line in (await log(embedded, timestamps="true")).splitlines()]
    assert [line for _, line in stamped] == ["b: starting", "b: listening", "b: ready"]
    moments = [datetime.fromisoformat(moment) for moment, _ in stamped]
    assert moments == sorted(set(moments))
    assert await log(embedded, sinceTime=stamped[2][0]) == "b: ready\n"


async def test_embedded_containers_that_wait_have_written_nothing(embedded: Objects) -> None:
    await embedded.create(pod("slow", does="pending"), "ann")
    await embedded.kube.until(embedded.path(pod("slow")), is_true("PodScheduled"))
    answer = await embedded.kube.request("GET", embedded.path(pod("slow"), "log"))
    assert (answer.status, answer.body["reason"]) == (400, "BadRequest")
    assert answer.body["message"] == 'container "main" in pod "slow" is waiting to start: ContainerCreating'


async def followed(kube: Kube, path: str) -> str:
    return str((await kube.request("GET", path, params={"follow": "true"})).body)


async def test_an_embedded_log_is_followed_until_its_pod_goes(embedded: Objects) -> None:
    await embedded.create(pod(), "ann")
    await embedded.kube.until(embedded.path(pod()), is_true("Ready"))
    async with asyncio.TaskGroup() as group:
        following = group.create_task(followed(embedded.kube, embedded.path(pod(), "log")))
        await embedded.create(pod("other"), "ann")
        await embedded.kube.until(embedded.path(pod("other")), is_true("Ready"))
        assert not following.done()
        await embedded.kube.request("DELETE", embedded.path(pod()))
    assert following.result() == "main: starting\nmain: listening\nmain: ready\n"


async def test_the_log_of_an_embedded_job_stays(embedded: Objects) -> None:
    await embedded.create(job(), "ann")
    await embedded.kube.until(embedded.path(job()), is_true("Complete"))
    listed = await embedded.kube.request("GET", embedded.collection(pod()), params={"labelSelector": "job-name=work"})
    (worker,) = listed.body["items"]
    answer = await embedded.kube.request("GET", f"{embedded.collection(pod())}/{worker['metadata']['name']}/log")
    assert answer.body.endswith("main: ready\n")
