"""From the facts about one of Airflow's processes to the pod template that runs it.

Here: what components and workers have in common. Not here: how many there are and what kind of workload keeps them.
"""

from __future__ import annotations

from dataclasses import dataclass

from agent.model.instance import Resources
from agent.model.objects import Manifest
from agent.rendering import pods, versions
from agent.rendering.blueprint import Blueprint
from agent.rendering.credentials import checksum
from agent.rendering.names import Role
from agent.rendering.pods import AirflowContainer, PodShape
from agent.rendering.versions import Process


@dataclass(frozen=True, slots=True)
class Use:
    """A process as one workload uses it: with complete resources; ``options`` are added to its command line."""

    role: Role
    resources: Resources
    options: tuple[str, ...] = ()
    queue: str | None = None


def process(blueprint: Blueprint, role: Role) -> Process:
    """The facts about a role's process in the instance's version."""
    return versions.release(blueprint.airflow.version).processes[role]


def template(blueprint: Blueprint, use: Use) -> Manifest:
    """The pod template; its annotations change when configuration or keys of this very process change."""
    facts = process(blueprint, use.role)
    container = AirflowContainer(
        name=str(use.role),
        argv=(*facts.argv, *use.options),
        needs=facts.needs,
        resources=use.resources,
        read_only=not facts.user_code,
        extras=_extras(facts),
    )
    shape = PodShape(
        role=use.role,
        queue=use.queue,
        containers=(pods.airflow(blueprint, container),),
        volumes=pods.scratch(bounded=not facts.user_code),
        user=pods.AIRFLOW_USER,
        group=pods.AIRFLOW_GROUP,
        grace_seconds=facts.grace_seconds,
        annotations=pods.checksums(blueprint, checksum(facts.needs, blueprint.keys)),
        extra_labels=pods.version_label(blueprint),
    )
    return pods.template(blueprint, shape)


def _extras(facts: Process) -> Manifest:
    extras: Manifest = {
        "startupProbe": pods.probe(facts.startup),
        "livenessProbe": pods.probe(facts.liveness),
        "readinessProbe": pods.probe(facts.readiness),
    }
    if facts.ports:
        extras["ports"] = pods.ports(facts.ports)
    if facts.drain_seconds:
        extras["lifecycle"] = {"preStop": {"exec": {"command": ["sleep", str(facts.drain_seconds)]}}}
    return extras
