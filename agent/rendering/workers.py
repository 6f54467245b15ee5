"""Celery workers: one StatefulSet per queue, all under one headless Service through which their logs are fetched."""

from __future__ import annotations

from collections.abc import Iterator

from agent.model.objects import Manifest, ObjectRef
from agent.rendering import names, processes, workloads
from agent.rendering.blueprint import Blueprint, Queue
from agent.rendering.names import Role
from agent.rendering.processes import Use
from agent.rendering.workloads import Identity


def use(queue: Queue) -> Use:
    """The worker process as this queue uses it. Celery names a worker after its pod, so the names never collide."""
    return Use(
        role=Role.WORKER,
        resources=queue.workload.resources,
        options=("--queues", queue.name, "--concurrency", str(queue.concurrency)),
        queue=queue.name,
    )


def _identity(queue: Queue) -> Identity:
    return Identity(names.workers(queue.name), Role.WORKER, queue.name)


def render(blueprint: Blueprint) -> Iterator[Manifest]:
    """The objects of all queues."""
    if blueprint.queues:
        ports = processes.process(blueprint, Role.WORKER).ports
        yield workloads.headless_service(blueprint, Role.WORKER, ports)
    for queue in blueprint.queues:
        identity = _identity(queue)
        copies, template = queue.workload.copies, processes.template(blueprint, use(queue))
        yield workloads.stateful_set(blueprint, identity, replicas=copies.declared, template=template)
        if copies.budgeted:
            yield workloads.disruption_budget(blueprint, identity)


def handed_over(blueprint: Blueprint) -> Iterator[tuple[ObjectRef, int]]:
    """The worker sets whose number belongs to somebody outside, with the number to start with."""
    for queue in blueprint.queues:
        if queue.workload.copies.start is not None:
            yield _identity(queue).ref(blueprint, "StatefulSet"), queue.workload.copies.start
