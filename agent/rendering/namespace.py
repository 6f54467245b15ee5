"""The namespace of an instance and the bounds on what may run in it."""

from __future__ import annotations

from collections.abc import Iterator

from agent.model.instance import Resources
from agent.model.objects import Manifest
from agent.rendering import labels, migration, processes
from agent.rendering.blueprint import Blueprint
from agent.rendering.names import PREFIX
from agent.rendering.quantities import Footprint, cores, footprint, mebibytes, total

POD_SECURITY = ("enforce", "warn", "audit")
DEFAULTS = Resources({"cpu": "100m", "memory": "256Mi"}, {"memory": "512Mi"})
"""What a container gets that nobody gave resources: one that somebody else put into a pod."""

SPARE_PODS = 4
"""Pods beyond the rolls: migrations, and containers of people who look into something."""

SPARE_CLAIMS = 2


def home(blueprint: Blueprint) -> Manifest:
    """The namespace itself."""
    return {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": blueprint.namespace, "labels": _labels(blueprint)},
    }


def bounds(blueprint: Blueprint) -> Iterator[Manifest]:
    """Quota and limit range."""
    hard = quota(blueprint)
    if hard:
        yield {
            "apiVersion": "v1",
            "kind": "ResourceQuota",
            "metadata": labels.metadata(blueprint, f"{PREFIX}-quota", labels.common(blueprint)),
            "spec": {"hard": hard},
        }
    yield {
        "apiVersion": "v1",
        "kind": "LimitRange",
        "metadata": labels.metadata(blueprint, f"{PREFIX}-defaults", labels.common(blueprint)),
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


def _labels(blueprint: Blueprint) -> dict[str, str]:
    return {
        **blueprint.labels,
        **labels.common(blueprint),
        labels.ENVIRONMENT: str(blueprint.environment),
        labels.TEAM: labels.value(blueprint.team),
        **{f"pod-security.kubernetes.io/{mode}": "restricted" for mode in POD_SECURITY},
    }


def quota(blueprint: Blueprint) -> dict[str, str]:
    """The bounds: the document's own, or what all components need at once, at rest and while they roll.

    The same awake and asleep, so that waking does not race with the quota.
    """
    if blueprint.quota is not None:
        return dict(sorted(blueprint.quota.items()))
    need = total((*_at_rest(blueprint), *_while_rolling(blueprint), *_spare()))
    return {
        "limits.memory": mebibytes(need.memory_limit),
        "persistentvolumeclaims": str(2 + SPARE_CLAIMS),
        "pods": str(need.pods),
        "requests.cpu": cores(need.cores),
        "requests.memory": mebibytes(need.memory),
        "services.loadbalancers": "0",
        "services.nodeports": "0",
    }


def _at_rest(blueprint: Blueprint) -> Iterator[Footprint]:
    for service in (blueprint.database, blueprint.broker):
        yield footprint(service.resources)
    for workload in (*blueprint.components.values(), *(queue.workload for queue in blueprint.queues)):
        yield footprint(workload.resources).times(workload.copies.counted)


def _while_rolling(blueprint: Blueprint) -> Iterator[Footprint]:
    """A Deployment starts one pod more, while the one that it replaced may still be shutting down."""
    for role, workload in blueprint.components.items():
        if not processes.process(blueprint, role).addressed:
            yield footprint(workload.resources).times(min(workload.copies.counted, 2))


def _spare() -> Iterator[Footprint]:
    yield footprint(migration.RESOURCES).times(SPARE_PODS)
