"""The cluster's own programs: controllers, kubelet, garbage collector, each woken by changes of the store.

Here: the loop that runs them and the objects a cluster is born with. Not here: what each of them decides. They share
one queue, so that they settle within one run of it, in the order in which things happened.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from functools import partial

from sandbox.cluster.api import Api, Write
from sandbox.cluster.behaviours.agenda import Agenda
from sandbox.cluster.behaviours.daemonsets import DaemonSets
from sandbox.cluster.behaviours.definitions import Definitions
from sandbox.cluster.behaviours.deployments import Deployments
from sandbox.cluster.behaviours.desk import Behaviour, Desk
from sandbox.cluster.behaviours.family import Family
from sandbox.cluster.behaviours.garbage import Garbage
from sandbox.cluster.behaviours.jobs import Jobs
from sandbox.cluster.behaviours.kubelet import Kubelet
from sandbox.cluster.behaviours.namespaces import Namespaces
from sandbox.cluster.behaviours.nodes import NODE_DOCUMENT, node_status
from sandbox.cluster.behaviours.replicasets import ReplicaSets
from sandbox.cluster.behaviours.statefulsets import StatefulSets
from sandbox.cluster.behaviours.volumes import CLASS_DOCUMENT, Volumes
from sandbox.cluster.kinds import CLASS, NAMESPACE, NODE
from sandbox.cluster.store import Change, Stored

_BORN_WITH = ("default", "kube-node-lease", "kube-public", "kube-system")


@dataclass(frozen=True, slots=True)
class Latencies:
    """How long simulated work takes, in seconds; zero settles everything at once."""

    pod_start_seconds: float = 0.0
    job_seconds: float = 0.0
    pod_stop_seconds: float = 0.0


class Behaviours:
    """All behaviours of one cluster, at work until ``stop``.

    Two tasks for the whole life of the cluster: one works off the queue, one waits for what is due later. No task is
    ever started for a single object, so that a cluster at rest has none to clean up.
    """

    def __init__(self, api: Api, group: asyncio.TaskGroup, latencies: Latencies) -> None:
        self._api = api
        self._queue: asyncio.Queue[tuple[Behaviour, Stored]] = asyncio.Queue()
        self._agenda = Agenda(api.pace)
        desk = Desk(api, Family(api.store), self._agenda.later)
        self._behaviours: tuple[Behaviour, ...] = (
            Namespaces(desk),
            Definitions(desk),
            Garbage(desk),
            Volumes(desk),
            Kubelet(desk, (latencies.pod_start_seconds, latencies.job_seconds, latencies.pod_stop_seconds)),
            ReplicaSets(desk),
            Deployments(desk),
            StatefulSets(desk),
            DaemonSets(desk),
            Jobs(desk),
        )
        api.store.listen(self._notice)
        self._tasks = [
            group.create_task(self._work(), name="behaviours"),
            group.create_task(self._agenda.run(), name="agenda"),
        ]
        self._bear()

    def stop(self) -> None:
        """End the work, whatever is still to do."""
        for task in self._tasks:
            task.cancel()

    def _bear(self) -> None:
        write = Write("kube-apiserver")
        for name in _BORN_WITH:
            self._api.create(NAMESPACE, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}, write)
        node = self._api.create(NODE, NODE_DOCUMENT, Write("kubelet"))
        status = node_status(self._api.now())
        self._api.replace(node, node.document | {"status": status}, Write("kubelet", subresource="status"))
        self._api.create(CLASS, CLASS_DOCUMENT, write)

    def _notice(self, change: Change) -> None:
        for behaviour in self._behaviours:
            for concerned in behaviour.concerned(change):
                self._queue.put_nowait((behaviour, concerned))

    async def _work(self) -> None:
        while True:
            behaviour, concerned = await self._queue.get()
            self._agenda.attempt(partial(behaviour.settle, concerned))
            await self._api.pace.give_way()
