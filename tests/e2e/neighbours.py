"""Others at the objects of an instance: all sorts of strangers on one of them, and a controller that never gives in.

Here: what they do with their own tools, and whether it is still as they left it. Not here: what the agent makes of it.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import aclosing
from pathlib import Path
from typing import Any

from sandbox.realcluster import RealCluster
from tests.integration.loops.lives import World
from tests.integration.loops.strangers import API_SERVER, SCHEDULER, apply, live, path, replicas, scale
from tests.support.journey import Journey
from tests.support.kube import connected
from tests.support.kubectl import Kubectl
from tests.support.release import OBJECTS, Release

DAG_PROCESSOR = "deployments/airflow-dag-processor"
WORKERS = "statefulsets/airflow-worker-default"


class Street:
    """The strangers' tools on one instance."""

    def __init__(self, way: Journey, cluster: RealCluster, folder: Path) -> None:
        self.way = way
        self.cluster = cluster
        self.world = World(way.granted, way.namespace, way.client)
        self.kubectl = Kubectl(cluster.programs["kubectl"], cluster.kubeconfig, self.world.home)
        self.release = Release(cluster.programs["helm"], cluster.kubeconfig, self.world.home, folder)

    async def shows(self, which: str, holds: Callable[[dict[str, Any]], bool]) -> None:
        """Wait until an object is as somebody wants it."""
        async with connected(self.cluster.kubeconfig) as kube:
            await kube.until(path(self.world, which), holds, seconds=60)

    async def autoscale(self, which: str, *, least: int) -> None:
        """A HorizontalPodAutoscaler of Kubernetes' own: it keeps to its bounds even where nobody serves metrics."""
        kind, _, name = which.partition("/")
        target = f"{kind.removesuffix('s')}/{name}"
        await self.kubectl("autoscale", target, f"--min={least}", "--max=4", "--cpu=80%", f"--name=hpa-{name}")
        await self.shows(which, lambda found: replicas(found) == least)

    async def scaled_by_others(self) -> None:
        """kubernetes/kubernetes#25238, kedacore/keda#5288: whoever scales is not answered by the document's number."""
        await self.autoscale(SCHEDULER, least=2)  # the document leaves it to others
        await self.autoscale(DAG_PROCESSOR, least=2)  # the document says a number
        await self.kubectl("scale", "deployment/airflow-api-server", "--replicas=3")
        for number in (2, 3):
            await scale(self.world, WORKERS, number, manager="keda-operator")

    async def annotated_by_others(self) -> None:
        """As cert-manager, clouds and people annotate: by apply, by update, and in a pod template."""
        noted = {"name": "airflow-api-server", "annotations": {"cert-manager.io/issuer": "internal"}}
        issued = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": noted}
        await apply(self.world, issued, API_SERVER, manager="cert-manager")
        await self.kubectl("annotate", "service/airflow-api-server", "service.beta.kubernetes.io/lb=internal")
        await self.kubectl("annotate", "configmap/airflow-config", "example.com/seen=yes")
        await self.kubectl("label", "secret/airflow-keys", "backup.example.com/include=yes")
        await self.kubectl("rollout", "restart", "deployment/airflow-scheduler")

    async def has_what_others_did(self) -> None:
        """What everybody did is there as they left it."""
        world = self.world
        counts = [replicas(await live(world, which)) for which in (API_SERVER, SCHEDULER, DAG_PROCESSOR, WORKERS)]
        assert counts == [3, 2, 2, 3]
        notes = {
            which: (await live(world, which))["metadata"]["annotations"]
            for which in (API_SERVER, "services/airflow-api-server", "configmaps/airflow-config")
        }
        assert notes[API_SERVER]["cert-manager.io/issuer"] == "internal"
        assert notes["services/airflow-api-server"]["service.beta.kubernetes.io/lb"] == "internal"
        assert notes["configmaps/airflow-config"]["example.com/seen"] == "yes"
        keys = await live(world, "secrets/airflow-keys")
        assert keys["metadata"]["labels"]["backup.example.com/include"] == "yes"
        template = (await live(world, SCHEDULER))["spec"]["template"]
        assert "kubectl.kubernetes.io/restartedAt" in template["metadata"]["annotations"]

    async def neighbour(self) -> list[dict[str, Any]]:
        """The objects of the release, without what the system writes to them."""
        found = [await self.world.get(each.format(self.world.home)) for each in OBJECTS]
        return [
            {key: one[key] for key in ("metadata", "spec", "data") if key in one}
            | {"metadata": {**one["metadata"], "resourceVersion": "", "managedFields": managers(one)}}
            for one in found
            if one is not None
        ]


def managers(found: dict[str, Any]) -> set[str]:
    """Who wrote to an object, but for its status."""
    return {one["manager"] for one in found["metadata"]["managedFields"] if one.get("subresource") != "status"}


class Zealot:
    """A controller that watches one field and writes it its own way whenever it is not so; it never gives in."""

    MANAGER = "zealous-operator"
    SECONDS = 5

    def __init__(self, world: World, cluster: RealCluster) -> None:
        self._world = world
        self._cluster = cluster
        self.written = 0

    async def insist(self) -> None:
        """Go on until cancelled. What the watch still tells of the time before the last write is old news."""
        collection, _, name = path(self._world, SCHEDULER).rpartition("/")
        params, last = {"fieldSelector": f"metadata.name={name}", "timeoutSeconds": "3600"}, 0
        async with (
            connected(self._cluster.kubeconfig) as kube,
            aclosing(kube.watch(collection, params)) as events,
        ):
            async for event in events:
                if version(event["object"]) > last and grace(event["object"]) != self.SECONDS:
                    last = version(await take_grace(self._world, self.SECONDS, manager=self.MANAGER))
                    self.written += 1


def version(found: dict[str, Any]) -> int:
    """Which state of an object it is; the numbers only grow."""
    return int(found["metadata"]["resourceVersion"])


def grace(workload: dict[str, Any]) -> int:
    """How long pods of a workload may take to stop."""
    return int(workload["spec"]["template"]["spec"]["terminationGracePeriodSeconds"])


async def take_grace(world: World, seconds: int, *, manager: str) -> dict[str, Any]:
    """Somebody applies one field of the scheduler, by force."""
    spec = {"template": {"spec": {"terminationGracePeriodSeconds": seconds}}}
    wanted = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "airflow-scheduler"}, "spec": spec}
    return await apply(world, wanted, SCHEDULER, manager=manager)
