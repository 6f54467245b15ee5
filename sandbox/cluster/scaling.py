"""The scale subresource: an autoscaling/v1 Scale as another face of ``spec.replicas``.

Here: the translation both ways. Not here: what replicas cause.
"""

from __future__ import annotations

from sandbox.cluster.errors import Cause, invalid, other_scale
from sandbox.cluster.kinds import Json, Kind
from sandbox.cluster.store import Stored

SCALE = Kind("autoscaling", "v1", "Scale", "scales")
_KEPT = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")


def scale_of(stored: Stored) -> Json:
    """Return the Scale of a workload."""
    document = stored.document
    labels = document["spec"]["selector"].get("matchLabels", {})
    return {
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": {key: document["metadata"][key] for key in _KEPT if key in document["metadata"]},
        "spec": {name: count for name, count in document["spec"].items() if name == "replicas" and count},
        "status": {
            "replicas": document.get("status", {}).get("replicas", 0),
            "selector": ",".join(f"{key}={value}" for key, value in sorted(labels.items())),
        },
    }


def scaled(stored: Stored, scale: Json) -> Json:
    """Return the workload that has the replicas of ``scale``.

    Raises:
        ApiError: 422, when there are fewer than none; 409, when it is the Scale of another object.
    """
    document = stored.document
    _require_same(stored, scale["metadata"])
    metadata = document["metadata"] | {
        key: scale["metadata"][key] for key in ("resourceVersion",) if key in scale["metadata"]
    }
    replicas = scale.get("spec", {}).get("replicas", 0)
    if replicas < 0:
        raise invalid(SCALE, stored.name, [Cause.negative("spec.replicas", replicas)])
    return document | {"metadata": metadata, "spec": document["spec"] | {"replicas": replicas}}


def intent(stored: Stored, applied: Json) -> Json:
    """Return an applied Scale as an intent on the workload itself.

    Raises:
        ApiError: 409, when it is the Scale of another object.
    """
    _require_same(stored, applied["metadata"])
    head = {"apiVersion": stored.kind.api_version, "kind": stored.kind.name, "metadata": applied["metadata"]}
    return head | ({"spec": applied["spec"]} if applied.get("spec") else {})


def _require_same(stored: Stored, metadata: Json) -> None:
    if metadata.get("uid", stored.uid) != stored.uid:
        raise other_scale(stored.kind, stored.name, sent=metadata["uid"], present=stored.uid)
