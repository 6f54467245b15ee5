"""ReplicaSets: as many pods as wanted.

Here: creating what is missing, choosing what goes, counting. Not here: rollouts (``deployments``).
"""

from __future__ import annotations

from collections.abc import Iterator

from sandbox.cluster.behaviours.desk import Desk, condition, is_true, owned_by
from sandbox.cluster.behaviours.happenings import Happening
from sandbox.cluster.errors import ApiError
from sandbox.cluster.kinds import POD, REPLICA_SET, Json
from sandbox.cluster.store import Change, Stored

_PROGRAM = "replicaset-controller"
_COST = "controller.kubernetes.io/pod-deletion-cost"
_ENDED = {"Succeeded", "Failed"}


class ReplicaSets:
    """Looks at ReplicaSets and at the pods that they control."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def concerned(self, change: Change) -> Iterator[Stored]:
        """Yield a ReplicaSet that came or changed, or whose pod did."""
        if change.after.kind == REPLICA_SET:
            yield change.after
        elif change.after.kind == POD:
            owner = self._desk.parent(change.after, REPLICA_SET)
            if owner is not None:
                yield owner

    def settle(self, stored: Stored) -> None:
        """Create and delete pods until there are as many as wanted; report."""
        replica_set = self._desk.fresh(stored)
        if replica_set is None:
            return
        try:
            if not replica_set.deleting:
                self._desk.adopt(replica_set, POD)
                self._scale(replica_set)
        except ApiError as refusal:
            failed = {"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": str(refusal)}
            failure = condition(replica_set.document["status"].get("conditions", []), failed, self._desk.api.now())
            self._desk.report(replica_set, self._status(replica_set) | {"conditions": failure})
            self._desk.tell(
                replica_set, Happening("FailedCreate", f"Error creating: {refusal}", _PROGRAM, warning=True)
            )
            raise
        self._desk.report(replica_set, self._status(replica_set))

    def _scale(self, replica_set: Stored) -> None:
        pods = self._active(replica_set)
        wanted = replica_set.document["spec"]["replicas"]
        for _ in range(wanted - len(pods)):
            pod = self._desk.create(POD, pod_of(replica_set))
            self._desk.tell(replica_set, Happening("SuccessfulCreate", f"Created pod: {pod.name}", _PROGRAM))
        # The family lists the oldest first; of equals, the youngest goes.
        going = sorted(enumerate(pods), key=lambda aged: (*_first_to_go(aged[1]), -aged[0]))
        for _, pod in going[: max(0, len(pods) - wanted)]:
            self._desk.delete(pod)
            self._desk.tell(replica_set, Happening("SuccessfulDelete", f"Deleted pod: {pod.name}", _PROGRAM))

    def _active(self, replica_set: Stored) -> list[Stored]:
        pods = self._desk.children(replica_set, POD)
        return [pod for pod in pods if not pod.deleting and pod.document["status"]["phase"] not in _ENDED]

    def _status(self, replica_set: Stored) -> Json:
        pods = self._active(replica_set)
        ready = sum(is_true(pod.document, "Ready") for pod in pods)
        counts = {"readyReplicas": ready, "availableReplicas": ready, "fullyLabeledReplicas": len(pods)}
        return {
            "replicas": len(pods),
            "observedGeneration": replica_set.document["metadata"]["generation"],
            **{name: count for name, count in counts.items() if count},
        }


def _first_to_go(pod: Stored) -> tuple[bool, int]:
    """Order pods as the real controller does: not ready before ready, cheap before dear, young before old."""
    annotations = pod.document["metadata"].get("annotations", {})
    return is_true(pod.document, "Ready"), int(annotations.get(_COST, 0))


def pod_of(owner: Stored, *, name: str = "", labels: Json | None = None) -> Json:
    """Return the pod that a workload's template describes; without a name, one is made from the owner's."""
    template = owner.document["spec"]["template"]
    metadata: Json = {
        "namespace": owner.namespace,
        "labels": (template["metadata"].get("labels") or {}) | (labels or {}),
        "annotations": template["metadata"].get("annotations") or {},
        "ownerReferences": [owned_by(owner)],
    }
    metadata |= {"name": name} if name else {"generateName": f"{owner.name}-"}
    return {"metadata": metadata, "spec": dict(template["spec"])}
