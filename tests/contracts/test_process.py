"""The embedded cluster as a process and as a context: its files, its end. Its own promises, for its users."""

from __future__ import annotations

import asyncio
import json
import signal
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from sandbox.cluster import EmbeddedCluster, Latencies, Tuning
from sandbox.cluster.__main__ import main
from tests.support.behaving import has, is_true, pod, workload
from tests.support.kube import Json, Kube, connected
from tests.support.objects import Objects, config_map


async def furnished(kube: Kube) -> Objects:
    await kube.until("/api/v1/namespaces/default/serviceaccounts/default", lambda _: True)
    return Objects(kube, "default")


def test_the_embedded_cluster_is_a_program(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["python", "--directory", str(tmp_path / "home"), "--port", "0"]
    monkeypatch.setattr("sys.argv", arguments)

    def stop_when_served(*_: object) -> None:
        signal.raise_signal(signal.SIGTERM)

    signal.signal(signal.SIGALRM, stop_when_served)
    signal.setitimer(signal.ITIMER_REAL, 1.0)
    main()
    assert capsys.readouterr().out == f"{tmp_path}/home/kubeconfig\n"
    written = json.loads((tmp_path / "home" / "kubeconfig").read_text())
    assert written["clusters"][0]["cluster"]["server"].startswith("https://127.0.0.1:")


async def test_an_embedded_cluster_ends_under_its_watchers(tmp_path: Path) -> None:
    async with AsyncExitStack() as clients, asyncio.TaskGroup() as group:
        async with EmbeddedCluster.serve(tmp_path) as cluster:
            kube = await clients.enter_async_context(connected(cluster.kubeconfig))
            events = kube.watch("/api/v1/namespaces", {"labelSelector": "late"})
            watching = group.create_task(_all(events))
            await (await furnished(kube)).create(config_map("unrelated"), "ann")
        assert await watching == []
    assert cluster.audit_log.stat().st_size > 0


async def _all(events: AsyncIterator[Json]) -> list[Json]:
    return [event async for event in events]


async def test_embedded_pods_take_the_time_they_are_given() -> None:
    latencies = Latencies(pod_start_seconds=0.3, job_seconds=0.1, pod_stop_seconds=0.3)
    async with EmbeddedCluster.serve(latencies=latencies) as cluster, connected(cluster.kubeconfig) as kube:
        objects = await furnished(kube)
        await objects.create(pod(), "ann")
        waiting = await kube.until(objects.path(pod()), is_true("PodScheduled"))
        assert waiting["status"]["phase"] == "Pending"
        await objects.patch(pod(), {"metadata": {"labels": {"touched": "yes"}}}, "ann")
        await kube.until(objects.path(pod()), is_true("Ready"))
        await kube.request("DELETE", objects.path(pod()))
        assert has("status", "phase", equal="Running")(await objects.get(pod()))
        await kube.until_gone(objects.path(pod()))
        await objects.create(pod("short"), "ann")
        await kube.until(objects.path(pod("short")), is_true("PodScheduled"))
        await kube.request("DELETE", objects.path(pod("short")), {"gracePeriodSeconds": 0})
        await kube.until_gone(objects.path(pod("short")))
    assert not cluster.kubeconfig.exists()


async def test_an_embedded_window_closes() -> None:
    async with EmbeddedCluster.serve(tuning=Tuning(window=5)) as cluster, connected(cluster.kubeconfig) as kube:
        objects = await furnished(kube)
        first = await objects.create(config_map("a"), "ann")
        page = await kube.request("GET", objects.collection(config_map()), params={"limit": "1"})
        for number in range(6):
            await objects.patch(config_map("a"), {"data": {"n": str(number)}}, "ann")
        params = {"resourceVersion": first["metadata"]["resourceVersion"], "timeoutSeconds": "5"}
        found = [event async for event in kube.watch(objects.collection(config_map()), params)]
        assert [(event["type"], event["object"]["code"]) for event in found] == [("ERROR", 410)]
        token = {"continue": page.body["metadata"]["continue"]}
        late = await kube.request("GET", objects.collection(config_map()), params=token)
        assert (late.status, late.body["reason"]) == (410, "Expired")


async def test_an_embedded_deployment_of_hundreds_settles() -> None:
    async with EmbeddedCluster.serve() as cluster, connected(cluster.kubeconfig) as kube:
        objects = await furnished(kube)
        web = workload("Deployment", replicas=200)
        await objects.create(web, "ann")
        await kube.until(objects.path(web), has("status", "readyReplicas", equal=200), seconds=40)
