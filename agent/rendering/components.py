"""Airflow's always-on processes: API server, scheduler, DAG processor, triggerer.

Here: workload, Services and disruption budget of each. Not here: what the processes are (versions), workers (workers).
"""

from __future__ import annotations

from collections.abc import Iterator

from agent.model.objects import Manifest, ObjectRef
from agent.rendering import processes, workloads
from agent.rendering.blueprint import Blueprint
from agent.rendering.names import Role
from agent.rendering.processes import Use
from agent.rendering.workloads import Identity


def render(blueprint: Blueprint) -> Iterator[Manifest]:
    """The objects of all components."""
    for role, workload in blueprint.components.items():
        identity, facts = Identity.of(role), processes.process(blueprint, role)
        copies, template = workload.copies, processes.template(blueprint, Use(role, workload.resources))
        if facts.addressed:
            yield workloads.headless_service(blueprint, role, facts.ports)
            yield workloads.stateful_set(blueprint, identity, replicas=copies.declared, template=template)
        else:
            yield workloads.deployment(blueprint, identity, replicas=copies.declared, template=template)
        if role is Role.API_SERVER:
            yield workloads.service(blueprint, role, facts.ports)
        if copies.budgeted:
            yield workloads.disruption_budget(blueprint, identity)


def handed_over(blueprint: Blueprint) -> Iterator[tuple[ObjectRef, int]]:
    """The workloads of components whose number belongs to somebody outside, with the number to start with."""
    for role, workload in blueprint.components.items():
        if workload.copies.start is not None:
            kind = "StatefulSet" if processes.process(blueprint, role).addressed else "Deployment"
            yield Identity.of(role).ref(blueprint, kind), workload.copies.start
