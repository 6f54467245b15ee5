"""Airflow's always-on processes: API server, scheduler, DAG processor, triggerer.

Here: workload, Services and disruption budget of each. Not here: what the processes are (versions), workers (workers).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from agent.model.instance import Component, Instance
from agent.model.objects import Manifest
from agent.rendering import processes, workloads
from agent.rendering.names import Role
from agent.rendering.processes import Use
from agent.rendering.workloads import Identity


def declared(instance: Instance) -> Mapping[Role, Component]:
    """What the document says of each component."""
    return {
        Role.API_SERVER: instance.api_server,
        Role.SCHEDULER: instance.scheduler,
        Role.DAG_PROCESSOR: instance.dag_processor,
        Role.TRIGGERER: instance.triggerer,
    }


def render(instance: Instance, key_checksums: Mapping[str, str]) -> Iterator[Manifest]:
    """The objects of all components."""
    for role, component in declared(instance).items():
        identity, facts = Identity.of(role), processes.process(instance, role)
        template = processes.template(instance, Use(role, component.resources), key_checksums=key_checksums)
        if facts.addressed:
            yield workloads.headless_service(instance, role, facts.ports)
            yield workloads.stateful_set(instance, identity, replicas=component.replicas, template=template)
        else:
            yield workloads.deployment(instance, identity, replicas=component.replicas, template=template)
        if role is Role.API_SERVER:
            yield workloads.service(instance, role, facts.ports)
        if component.replicas > 1:
            yield workloads.disruption_budget(instance, identity)
