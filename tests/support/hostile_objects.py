"""Objects that no guard may let through: each is harmless but for one field, in some kind that carries pods or none.

Here: making them out of what the renderer emits for a harmless instance. Not here: which rule each one breaks.
"""

from __future__ import annotations

from copy import deepcopy
from typing import Any

from agent.model.objects import Manifest
from tests.support.instances import an_instance, manifests

INSTANCE = an_instance()
CLEAN = tuple(manifests(INSTANCE))
HOME = INSTANCE.namespace

_TEMPLATES = {
    "Pod": (),
    "Deployment": ("spec", "template"),
    "StatefulSet": ("spec", "template"),
    "DaemonSet": ("spec", "template"),
    "ReplicaSet": ("spec", "template"),
    "ReplicationController": ("spec", "template"),
    "Job": ("spec", "template"),
    "CronJob": ("spec", "jobTemplate", "spec", "template"),
    "PodTemplate": ("template",),
}
KINDS = tuple(_TEMPLATES)


def template() -> Manifest:
    """A pod template that every rule lets through, as the renderer makes it."""
    scheduler = next(
        one for one in CLEAN if one["kind"] == "Deployment" and one["metadata"]["name"] == "airflow-scheduler"
    )
    return deepcopy(dict(scheduler["spec"]["template"]))


def an_object(kind: str, *, api_version: str = "v1", namespace: str = HOME, **fields: Any) -> Manifest:
    """An object of the instance's namespace; without one it is of the cluster."""
    metadata: Manifest = {"name": "hostile", **({"namespace": namespace} if namespace else {})}
    metadata |= fields.pop("metadata", {})
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata, **fields}


def carried_by(kind: str, pod: Manifest) -> Manifest:
    """The pod template in an object of that kind."""
    carrier: Manifest = an_object(kind)
    place = carrier
    for step in _TEMPLATES[kind]:
        place = place.setdefault(step, {})
    place.setdefault("metadata", {}).update(pod.get("metadata", {}))
    place["spec"] = pod["spec"]
    return carrier


def pod(kind: str, **fields: Any) -> Manifest:
    """A pod of which some fields are others; None takes one away."""
    made = template()
    made["spec"] = _changed(made["spec"], fields)
    return carried_by(kind, made)


def context(kind: str, **fields: Any) -> Manifest:
    """A pod with another security context of its own."""
    made = template()
    made["spec"]["securityContext"] = _changed(made["spec"]["securityContext"], fields)
    return carried_by(kind, made)


def annotated(kind: str, **annotations: str) -> Manifest:
    """A pod with further annotations; their names have no dashes and slashes here: ``_in_`` is one."""
    made = template()
    made["metadata"].setdefault("annotations", {}).update(annotations)
    return carried_by(kind, made)


def container(kind: str, *, among: str = "containers", **fields: Any) -> Manifest:
    """A pod with one more container of which some fields are others."""
    made = template()
    one = _changed(made["spec"]["containers"][0], {"name": "hostile", **fields})
    made["spec"].setdefault(among, []).append(one)
    return carried_by(kind, made)


def allowed(kind: str, *, among: str = "containers", **fields: Any) -> Manifest:
    """A pod with one more container with another security context."""
    mine = template()["spec"]["containers"][0]["securityContext"]
    return container(kind, among=among, securityContext=_changed(mine, fields))


def mounting(kind: str, **volume: Any) -> Manifest:
    """A pod with one more volume."""
    made = template()
    made["spec"]["volumes"].append({"name": "hostile", **volume})
    return carried_by(kind, made)


def claiming(**spec: Any) -> Manifest:
    """A StatefulSet with a volume claim."""
    made = pod("StatefulSet")
    claim = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}, **spec}
    made["spec"]["volumeClaimTemplates"] = [{"metadata": {"name": "hostile"}, "spec": claim}]
    return made


def _changed(fields: Manifest, changes: Manifest) -> Manifest:
    return {name: text for name, text in {**fields, **changes}.items() if text is not None}
