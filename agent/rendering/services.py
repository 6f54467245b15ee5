"""The embedded services: what PostgreSQL and Redis have in common as single pods with a volume of their own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from agent.model.instance import EmbeddedService, Retain
from agent.model.objects import Manifest
from agent.rendering import pods, quantities, workloads
from agent.rendering.blueprint import Blueprint
from agent.rendering.checks import Check
from agent.rendering.credentials import Need, checksum, variables
from agent.rendering.names import Role
from agent.rendering.pods import PodShape
from agent.rendering.workloads import Identity, Volume

VOLUME_PATH = "/var/lib/perigee"


@dataclass(frozen=True, slots=True)
class Served:
    """What distinguishes one embedded service from the other."""

    role: Role
    script: str
    need: Need
    port: Mapping[str, int]
    startup: Check
    liveness: Check
    readiness: Check
    retain: Retain
    memory: str
    scratch: Mapping[str, Manifest]
    grace_seconds: int = 120


def render(blueprint: Blueprint, service: EmbeddedService, *, served: Served) -> Iterator[Manifest]:
    """The Service and the StatefulSet of one embedded service."""
    shape = PodShape(
        role=served.role,
        containers=(_container(blueprint, service, served),),
        volumes=tuple({"name": _volume_name(path), "emptyDir": source} for path, source in served.scratch.items()),
        user=service.uid,
        group=service.uid,
        grace_seconds=served.grace_seconds,
        annotations={pods.KEYS_CHECKSUM: checksum((served.need,), blueprint.keys)},
        owns_volume=True,
    )
    yield workloads.service(blueprint, served.role, served.port)
    yield workloads.stateful_set(
        blueprint,
        Identity.of(served.role),
        replicas=int(blueprint.awake),
        template=pods.template(blueprint, shape),
        volume=Volume(service, served.retain),
    )


def _container(blueprint: Blueprint, service: EmbeddedService, served: Served) -> Manifest:
    return {
        "name": str(served.role),
        "image": service.image,
        "imagePullPolicy": blueprint.airflow.pull_policy,
        "command": ["sh", "-c", served.script],
        "env": variables((served.need,)),
        "ports": pods.ports(served.port),
        "startupProbe": pods.probe(served.startup),
        "livenessProbe": pods.probe(served.liveness),
        "readinessProbe": pods.probe(served.readiness),
        "resources": quantities.manifest(service.resources),
        "securityContext": pods.container_security(read_only=True),
        "volumeMounts": [
            {"name": "data", "mountPath": VOLUME_PATH},
            *({"name": _volume_name(path), "mountPath": path} for path in served.scratch),
        ],
    }


def _volume_name(path: str) -> str:
    return path.strip("/").replace("/", "-")
