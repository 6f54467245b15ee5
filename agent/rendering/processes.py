"""From the facts about one of Airflow's processes to the pod template that runs it.

Here: what components and workers have in common. Not here: how many there are and what kind of workload keeps them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from agent.model.instance import Instance, Resources
from agent.model.objects import Manifest
from agent.rendering import pods, quantities, versions
from agent.rendering.credentials import checksum
from agent.rendering.names import Role
from agent.rendering.pods import AirflowContainer, PodShape
from agent.rendering.versions import Process


@dataclass(frozen=True, slots=True)
class Use:
    """A process as one workload uses it; ``options`` are added to its command line."""

    role: Role
    resources: Resources
    options: tuple[str, ...] = ()
    queue: str | None = None


def process(instance: Instance, role: Role) -> Process:
    """The facts about a role's process in the instance's version."""
    return versions.release(instance.airflow.version).processes[role]


def resources(instance: Instance, use: Use) -> Resources:
    """What one pod gets, completed where the document is silent."""
    return quantities.complete(use.resources, memory=process(instance, use.role).memory)


def template(instance: Instance, use: Use, *, key_checksums: Mapping[str, str]) -> Manifest:
    """The pod template; its annotations change when configuration or keys of this very process change."""
    facts = process(instance, use.role)
    container = AirflowContainer(
        name=str(use.role),
        argv=(*facts.argv, *use.options),
        needs=facts.needs,
        resources=resources(instance, use),
        read_only=not facts.user_code,
        extras=_extras(facts),
    )
    shape = PodShape(
        role=use.role,
        queue=use.queue,
        containers=(pods.airflow(instance, container),),
        volumes=pods.scratch(bounded=not facts.user_code),
        user=pods.AIRFLOW_USER,
        group=pods.AIRFLOW_GROUP,
        grace_seconds=facts.grace_seconds,
        annotations=pods.checksums(instance, checksum(facts.needs, key_checksums)),
        extra_labels=pods.version_label(instance),
    )
    return pods.template(instance, shape)


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
