"""Kinds of workload around a pod template: Deployment, StatefulSet, Service, disruption budget.

Here: how each kind rolls, keeps and is kept. Not here: what runs in the pods.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from agent.model.instance import EmbeddedService, Retain
from agent.model.objects import Manifest, ObjectRef
from agent.rendering import labels, names
from agent.rendering.blueprint import Blueprint
from agent.rendering.names import Role

REVISIONS_KEPT = 3
WORKLOADS = "apps/v1"


@dataclass(frozen=True, slots=True)
class Identity:
    """Which workload of an instance: its name, role and, for workers, queue."""

    name: str
    role: Role
    queue: str | None = None

    @classmethod
    def of(cls, role: Role) -> Identity:
        """The one workload of a role."""
        return cls(names.of(role), role)

    def metadata(self, blueprint: Blueprint) -> Manifest:
        """The metadata of the workload's objects."""
        return labels.metadata(blueprint, self.name, labels.standard(blueprint, self.role, queue=self.queue))

    def ref(self, blueprint: Blueprint, kind: str) -> ObjectRef:
        """What names the workload."""
        return ObjectRef(WORKLOADS, kind, blueprint.namespace, self.name)

    def selector(self, blueprint: Blueprint) -> Manifest:
        """What selects its pods."""
        return {"matchLabels": labels.selector(blueprint, self.role, queue=self.queue)}


def deployment(blueprint: Blueprint, identity: Identity, *, replicas: int | None, template: Manifest) -> Manifest:
    """Pods without identity; a roll starts the new one first and never has fewer than before."""
    return {
        "apiVersion": WORKLOADS,
        "kind": "Deployment",
        "metadata": identity.metadata(blueprint),
        "spec": {
            **_declared(replicas),
            "revisionHistoryLimit": REVISIONS_KEPT,
            "selector": identity.selector(blueprint),
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}},
            "template": template,
        },
    }


def _declared(replicas: int | None) -> Manifest:
    """The number, or nothing where it belongs to somebody outside: a field that is not sent is not ours."""
    return {} if replicas is None else {"replicas": replicas}


@dataclass(frozen=True, slots=True)
class Volume:
    """A volume of a StatefulSet's own, and which promise of the document keeps it."""

    service: EmbeddedService
    retain: Retain
    name: str = "data"


def stateful_set(
    blueprint: Blueprint,
    identity: Identity,
    *,
    replicas: int | None,
    template: Manifest,
    volume: Volume | None = None,
) -> Manifest:
    """Pods with stable names, resolvable through the role's Service; all start at once, a roll goes one by one."""
    spec: Manifest = {
        **_declared(replicas),
        "revisionHistoryLimit": REVISIONS_KEPT,
        "serviceName": names.of(identity.role),
        "podManagementPolicy": "Parallel",
        "selector": identity.selector(blueprint),
        "updateStrategy": {"type": "RollingUpdate"},
        "template": template,
    }
    if volume is not None:
        spec["persistentVolumeClaimRetentionPolicy"] = {"whenDeleted": "Retain", "whenScaled": "Retain"}
        spec["volumeClaimTemplates"] = [_claim(blueprint, identity, volume)]
    return {"apiVersion": WORKLOADS, "kind": "StatefulSet", "metadata": identity.metadata(blueprint), "spec": spec}


def _claim(blueprint: Blueprint, identity: Identity, volume: Volume) -> Manifest:
    storage_class = volume.service.storage_class
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": volume.name, "labels": labels.of_volume(blueprint, identity.role, volume.retain)},
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            **({"storageClassName": storage_class} if storage_class is not None else {}),
            "resources": {"requests": {"storage": volume.service.storage}},
        },
    }


def service(blueprint: Blueprint, role: Role, ports: Mapping[str, int]) -> Manifest:
    """One address for a role's pods."""
    return _service(blueprint, role, {"type": "ClusterIP", "ports": _service_ports(ports)})


def headless_service(blueprint: Blueprint, role: Role, ports: Mapping[str, int]) -> Manifest:
    """Names for single pods, also for those that are not ready: their logs matter most then."""
    return _service(
        blueprint,
        role,
        {"clusterIP": "None", "publishNotReadyAddresses": True, "ports": _service_ports(ports)},
    )


def _service(blueprint: Blueprint, role: Role, spec: Manifest) -> Manifest:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": Identity.of(role).metadata(blueprint),
        "spec": {"selector": labels.selector(blueprint, role), **spec},
    }


def _service_ports(ports: Mapping[str, int]) -> list[Manifest]:
    return [{"name": name, "port": number, "targetPort": number, "protocol": "TCP"} for name, number in ports.items()]


def disruption_budget(blueprint: Blueprint, identity: Identity) -> Manifest:
    """At most one pod at a time goes by anybody's will; a pod that is broken anyway may always go."""
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": identity.metadata(blueprint),
        "spec": {
            "maxUnavailable": 1,
            "unhealthyPodEvictionPolicy": "AlwaysAllow",
            "selector": identity.selector(blueprint),
        },
    }
