"""Celery workers: one StatefulSet per queue, all under one headless Service through which their logs are fetched."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from agent.model.instance import Instance, WorkerQueue
from agent.model.objects import Manifest
from agent.rendering import names, processes, workloads
from agent.rendering.names import Role
from agent.rendering.processes import Use
from agent.rendering.workloads import Identity


def use(queue: WorkerQueue) -> Use:
    """The worker process as this queue uses it. Celery names a worker after its pod, so the names never collide."""
    return Use(
        role=Role.WORKER,
        resources=queue.resources,
        options=("--queues", queue.name, "--concurrency", str(queue.concurrency)),
        queue=queue.name,
    )


def render(instance: Instance, key_checksums: Mapping[str, str]) -> Iterator[Manifest]:
    """The objects of all queues."""
    if instance.workers:
        ports = processes.process(instance, Role.WORKER).ports
        yield workloads.headless_service(instance, Role.WORKER, ports)
    for queue in instance.workers:
        identity = Identity(names.workers(queue.name), Role.WORKER, queue.name)
        template = processes.template(instance, use(queue), key_checksums=key_checksums)
        yield workloads.stateful_set(instance, identity, replicas=queue.replicas, template=template)
        if queue.replicas > 1:
            yield workloads.disruption_budget(instance, identity)
