"""Deployments: one ReplicaSet per template, and the roll from one to the next.

Here: rolling update within maxSurge and maxUnavailable, Recreate, status and conditions. Not here: pods.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterator, Sequence

from sandbox.cluster.behaviours.desk import Desk, condition, owned_by
from sandbox.cluster.behaviours.happenings import Happening
from sandbox.cluster.kinds import DEPLOYMENT, POD, REPLICA_SET, Json
from sandbox.cluster.store import Change, Stored, encoded

_HASH = "pod-template-hash"
_REVISION = "deployment.kubernetes.io/revision"


class Deployments:
    """Looks at Deployments and at the ReplicaSets that they control."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._begun: set[tuple[str, str]] = set()
        self._overdue: set[tuple[str, str]] = set()

    def concerned(self, change: Change) -> Iterator[Stored]:
        """Yield a Deployment that came or changed, or whose ReplicaSet did, or whose last old pod may have gone."""
        if change.after.kind == DEPLOYMENT:
            yield change.after
        replica_set = change.after if change.after.kind == REPLICA_SET else None
        if change.after.kind == POD and change.gone:
            replica_set = self._desk.parent(change.after, REPLICA_SET)
        owner = replica_set and self._desk.parent(replica_set, DEPLOYMENT)
        if owner:
            yield owner

    def settle(self, stored: Stored) -> None:
        """Take the next step of the roll; report."""
        deployment = self._desk.fresh(stored)
        if deployment is None:
            return
        still = deployment.deleting or deployment.document["spec"].get("paused")
        current = None if still else self._step(deployment)
        present = self._desk.fresh(stored)
        if present is not None:
            revision = {_REVISION: current.document["metadata"]["annotations"][_REVISION]} if current else {}
            self._desk.report(present, self._status(present, current), annotations=revision)

    def _step(self, deployment: Stored) -> Stored:
        self._desk.adopt(deployment, REPLICA_SET)
        current = self._current(deployment)
        others = [each for each in self._desk.children(deployment, REPLICA_SET) if each.uid != current.uid]
        self._watch_over(deployment, current)
        self._roll(deployment, current, others)
        self._clean_up(deployment, current, others)
        return current

    def _clean_up(self, deployment: Stored, current: Stored, others: Sequence[Stored]) -> None:
        """Once a roll is over, forget the oldest templates beyond the history that is kept."""
        spec, kept = deployment.document["spec"], deployment.document["spec"]["revisionHistoryLimit"]
        empty = [each for each in others if _replicas(each) == _count(each, "replicas") == 0]
        if _count(current, "availableReplicas") == spec["replicas"]:
            for each in sorted(empty, key=_revision)[: max(0, len(empty) - kept)]:
                self._desk.delete(each)

    def _current(self, deployment: Stored) -> Stored:
        digest = template_hash(deployment.document["spec"]["template"])
        sets = self._desk.children(deployment, REPLICA_SET)
        same = [each for each in sets if each.document["metadata"]["labels"][_HASH] == digest]
        newest = max((_revision(each) for each in sets), default=0)
        if not same:
            return self._desk.create(REPLICA_SET, _replica_set(deployment, digest, newest + 1))
        if _revision(same[0]) < newest:
            annotations = same[0].document["metadata"]["annotations"] | {_REVISION: str(newest + 1)}
            return self._desk.change(same[0], {"metadata": {"annotations": annotations}})
        return same[0]

    def _roll(self, deployment: Stored, current: Stored, others: Sequence[Stored]) -> None:
        spec = deployment.document["spec"]
        surge, unavailable = _margins(spec)
        wanted, old = spec["replicas"], sum(_replicas(each) for each in others)
        if spec["strategy"]["type"] == "Recreate":
            gone = not any(self._desk.children(each, POD) for each in others)
            self._scale(deployment, current, wanted if gone else _replicas(current))
            spare = old
        else:
            still = sum(max(_replicas(each), _count(each, "replicas")) for each in others)
            self._scale(deployment, current, min(wanted, max(_replicas(current), wanted + surge - still)))
            # What runs beyond the promised number may go: the pods of old sets that are not ready go first.
            spare = max(0, old + _count(current, "availableReplicas") - (wanted - unavailable))
        for each in sorted(others, key=lambda each: _count(each, "availableReplicas") - _replicas(each)):
            going = min(_replicas(each), spare)
            self._scale(deployment, each, _replicas(each) - going)
            spare -= going

    def _scale(self, deployment: Stored, replica_set: Stored, replicas: int) -> None:
        before = _replicas(replica_set)
        if before != replicas:
            self._desk.change(replica_set, {"spec": replica_set.document["spec"] | {"replicas": replicas}})
            way = "up" if before < replicas else "down"
            message = f"Scaled {way} replica set {replica_set.name} from {before} to {replicas}"
            self._desk.tell(deployment, Happening("ScalingReplicaSet", message, "deployment-controller"))

    def _watch_over(self, deployment: Stored, current: Stored) -> None:
        """Come back when the time for this template's roll is over."""
        roll = (deployment.uid, current.uid)
        if roll in self._begun:
            return
        self._begun.add(roll)

        def overdue() -> None:
            self._overdue.add(roll)
            self.settle(deployment)

        self._desk.later(deployment.document["spec"]["progressDeadlineSeconds"], overdue)

    def _status(self, deployment: Stored, current: Stored | None) -> Json:
        sets = self._desk.children(deployment, REPLICA_SET)
        wanted, total = deployment.document["spec"]["replicas"], sum(_count(each, "replicas") for each in sets)
        counts = {
            "replicas": total,
            "updatedReplicas": _count(current, "replicas"),
            "readyReplicas": sum(_count(each, "readyReplicas") for each in sets),
            "availableReplicas": sum(_count(each, "availableReplicas") for each in sets),
        }
        asked = sum(_replicas(each) for each in sets)
        counts["unavailableReplicas"] = max(0, asked - counts["availableReplicas"])
        complete = total == wanted == counts["updatedReplicas"] == counts["availableReplicas"]
        late = current is not None and (deployment.uid, current.uid) in self._overdue
        verdicts = (
            _available(deployment, counts["availableReplicas"]),
            _progressing(current, complete=complete, late=late),
        )
        conditions = deployment.document.get("status", {}).get("conditions", [])
        for verdict in verdicts:
            conditions = condition(conditions, verdict, self._desk.api.now())
        return {
            "observedGeneration": deployment.document["metadata"]["generation"],
            **{name: count for name, count in counts.items() if count},
            "conditions": [each | {"lastUpdateTime": each["lastTransitionTime"]} for each in conditions],
        }


def _available(deployment: Stored, available: int) -> Json:
    spec = deployment.document["spec"]
    enough = available >= spec["replicas"] - _margins(spec)[1]
    reason = "MinimumReplicasAvailable" if enough else "MinimumReplicasUnavailable"
    message = f"Deployment {'has' if enough else 'does not have'} minimum availability."
    return {"type": "Available", "status": "True" if enough else "False", "reason": reason, "message": message}


def _progressing(current: Stored | None, *, complete: bool, late: bool) -> Json:
    name = current.name if current else ""
    truth, reason, message = "True", "ReplicaSetUpdated", f'ReplicaSet "{name}" is progressing.'
    if complete:
        reason, message = "NewReplicaSetAvailable", f'ReplicaSet "{name}" has successfully progressed.'
    elif late:
        truth, reason, message = "False", "ProgressDeadlineExceeded", f'ReplicaSet "{name}" has timed out progressing.'
    return {"type": "Progressing", "status": truth, "reason": reason, "message": message}


def _margins(spec: Json) -> tuple[int, int]:
    """Return how many pods a roll may have too many and too few; never both zero."""
    rolling = spec["strategy"].get("rollingUpdate", {"maxSurge": 0, "maxUnavailable": 0})
    surge = _share(rolling["maxSurge"], spec["replicas"], math.ceil)
    unavailable = _share(rolling["maxUnavailable"], spec["replicas"], math.floor)
    return surge, unavailable or int(not surge)


def _share(margin: int | str, whole: int, rounding: Callable[[float], int]) -> int:
    return rounding(int(margin[:-1]) * whole / 100) if isinstance(margin, str) else margin


def _replicas(replica_set: Stored) -> int:
    return int(replica_set.document["spec"]["replicas"])


def _count(replica_set: Stored | None, name: str) -> int:
    return int(replica_set.document.get("status", {}).get(name, 0)) if replica_set else 0


def _revision(replica_set: Stored) -> int:
    return int(replica_set.document["metadata"]["annotations"][_REVISION])


def template_hash(template: Json) -> str:
    """Return the label value that stands for a pod template."""
    return hashlib.sha256(encoded(template)).hexdigest()[:10]


def _replica_set(deployment: Stored, digest: str, revision: int) -> Json:
    spec, label = deployment.document["spec"], {_HASH: digest}
    template, selector = spec["template"], spec["selector"]
    labels = template["metadata"]["labels"] | label
    return {
        "metadata": {
            "name": f"{deployment.name}-{digest}",
            "namespace": deployment.namespace,
            "labels": labels,
            "annotations": {_REVISION: str(revision)},
            "ownerReferences": [owned_by(deployment)],
        },
        "spec": {
            "replicas": 0,
            "selector": selector | {"matchLabels": selector.get("matchLabels", {}) | label},
            "template": template | {"metadata": template["metadata"] | {"labels": labels}},
        },
    }
