"""The namespace of an instance and the bounds on what may run in it."""

from __future__ import annotations

from collections.abc import Iterator

from agent.model.instance import Instance, Resources
from agent.model.objects import Manifest
from agent.rendering import broker, components, database, labels, migration, processes, services, workers
from agent.rendering.names import PREFIX
from agent.rendering.processes import Use
from agent.rendering.quantities import Footprint, cores, footprint, mebibytes, total

POD_SECURITY = ("enforce", "warn", "audit")
DEFAULTS = Resources({"cpu": "100m", "memory": "256Mi"}, {"memory": "512Mi"})
"""What a container gets that nobody gave resources: one that somebody else put into a pod."""

SPARE_PODS = 4
"""Pods beyond the rolls: migrations, and containers of people who look into something."""

SPARE_CLAIMS = 2


def render(instance: Instance) -> Iterator[Manifest]:
    """Namespace, quota, limit range."""
    yield {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": instance.namespace, "labels": _labels(instance)},
    }
    hard = quota(instance)
    if hard:
        yield {
            "apiVersion": "v1",
            "kind": "ResourceQuota",
            "metadata": labels.metadata(instance, f"{PREFIX}-quota", labels.common(instance)),
            "spec": {"hard": hard},
        }
    yield {
        "apiVersion": "v1",
        "kind": "LimitRange",
        "metadata": labels.metadata(instance, f"{PREFIX}-defaults", labels.common(instance)),
        "spec": {
            "limits": [
                {
                    "type": "Container",
                    "defaultRequest": dict(DEFAULTS.requests),
                    "default": dict(DEFAULTS.limits),
                },
            ],
        },
    }


def _labels(instance: Instance) -> dict[str, str]:
    return {
        **labels.of_document(instance.labels),
        **labels.common(instance),
        labels.ENVIRONMENT: str(instance.environment),
        labels.TEAM: labels.value(instance.team),
        **{f"pod-security.kubernetes.io/{mode}": "restricted" for mode in POD_SECURITY},
    }


def quota(instance: Instance) -> dict[str, str]:
    """The bounds: the document's own, or what all components need at once, at rest and while they roll.

    The same awake and asleep, so that waking does not race with the quota.
    """
    if instance.isolation.quota is not None:
        return dict(sorted(instance.isolation.quota.items()))
    need = total((*_at_rest(instance), *_while_rolling(instance), *_spare()))
    return {
        "limits.memory": mebibytes(need.memory_limit),
        "persistentvolumeclaims": str(2 + SPARE_CLAIMS),
        "pods": str(need.pods),
        "requests.cpu": cores(need.cores),
        "requests.memory": mebibytes(need.memory),
        "services.loadbalancers": "0",
        "services.nodeports": "0",
    }


def _at_rest(instance: Instance) -> Iterator[Footprint]:
    yield footprint(services.resources(instance.database, database.SERVED))
    yield footprint(services.resources(instance.broker, broker.SERVED))
    for role, component in components.declared(instance).items():
        yield footprint(processes.resources(instance, Use(role, component.resources))).times(component.replicas)
    for queue in instance.workers:
        yield footprint(processes.resources(instance, workers.use(queue))).times(queue.replicas)


def _while_rolling(instance: Instance) -> Iterator[Footprint]:
    """A Deployment starts one pod more, while the one that it replaced may still be shutting down."""
    for role, component in components.declared(instance).items():
        if not processes.process(instance, role).addressed:
            extra = min(component.replicas, 2)
            yield footprint(processes.resources(instance, Use(role, component.resources))).times(extra)


def _spare() -> Iterator[Footprint]:
    yield footprint(migration.RESOURCES).times(SPARE_PODS)
