"""Workloads whose pods run on any cluster of the tests, and ways to wait for what becomes of them.

Here: documents, and conditions as predicates. Not here: HTTP. A pod is told how to behave by an annotation that both
the simulated kubelet of the real cluster and the embedded cluster understand.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.support.kube import Json

SIMULATE = "sandbox.perigee.dev/simulate"


def template(name: str, *, does: str = "", image: str = "web:1", **spec: Any) -> Json:
    """A pod template of one container; ``does`` says how its pods behave."""
    metadata: Json = {"labels": {"app": name}}
    if does:
        metadata["annotations"] = {SIMULATE: does}
    return {"metadata": metadata, "spec": {"containers": [{"name": "main", "image": image}]} | spec}


def pod(name: str = "web", *, does: str = "", **spec: Any) -> Json:
    """A pod."""
    made = template(name, does=does, **spec)
    return {"apiVersion": "v1", "kind": "Pod", "metadata": made["metadata"] | {"name": name}, "spec": made["spec"]}


def workload(kind: str, name: str = "web", *, pods: Json | None = None, **spec: Any) -> Json:
    """A Deployment, ReplicaSet or StatefulSet."""
    head = {"apiVersion": "apps/v1", "kind": kind, "metadata": {"name": name}}
    own = {"serviceName": name} if kind == "StatefulSet" else {}
    common = {"replicas": 1, "selector": {"matchLabels": {"app": name}}, "template": pods or template(name)}
    return head | {"spec": own | common | spec}


def job(name: str = "work", *, does: str = "", **spec: Any) -> Json:
    """A Job of one pod."""
    pods = template(name, does=does, restartPolicy="Never")
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name}, "spec": {"template": pods} | spec}


def has(*path: str, equal: Any) -> Callable[[Json], bool]:
    """Say whether the value at a path of an object is as given; what is missing counts as None."""

    def holds(stored: Json) -> bool:
        found: Any = stored
        for name in path:
            found = (found or {}).get(name)
        return bool(found == equal)

    return holds


def conditions(stored: Json) -> dict[str, Json]:
    """The conditions of an object by their type."""
    return {each["type"]: each for each in stored.get("status", {}).get("conditions") or []}


def is_true(kind: str) -> Callable[[Json], bool]:
    """Say whether a condition of an object is true."""
    return lambda stored: conditions(stored).get(kind, {}).get("status") == "True"


def observed(**status: Any) -> Callable[[Json], bool]:
    """Say whether a controller has seen the present generation and reports these numbers."""

    def holds(stored: Json) -> bool:
        found = stored.get("status", {})
        seen = found.get("observedGeneration") == stored["metadata"]["generation"]
        return bool(seen and all((found.get(name) or 0) == value for name, value in status.items()))

    return holds
