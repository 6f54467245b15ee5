"""DaemonSets: one pod on every node that takes it, and there is one node.

Here: creating, rolling, OnDelete, counting. Not here: how many nodes there are (``nodes``).
"""

from __future__ import annotations

from collections.abc import Iterator

from sandbox.cluster.behaviours.deployments import template_hash
from sandbox.cluster.behaviours.desk import Desk, is_true
from sandbox.cluster.behaviours.happenings import Happening
from sandbox.cluster.behaviours.nodes import NODE_NAME, takes
from sandbox.cluster.behaviours.replicasets import pod_of
from sandbox.cluster.kinds import DAEMON_SET, NODE, POD, Json
from sandbox.cluster.store import Change, Stored

_PROGRAM = "daemonset-controller"
_REVISION_LABEL = "controller-revision-hash"


class DaemonSets:
    """Looks at DaemonSets and at the pods that they control."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def concerned(self, change: Change) -> Iterator[Stored]:
        """Yield a DaemonSet that came or changed, or whose pod did."""
        if change.after.kind == DAEMON_SET:
            yield change.after
        elif change.after.kind == POD:
            owner = self._desk.parent(change.after, DAEMON_SET)
            if owner is not None:
                yield owner

    def settle(self, stored: Stored) -> None:
        """See to it that the node has its pod, of the present template; report."""
        daemon_set = self._desk.fresh(stored)
        if daemon_set is None:
            return
        wanted = self._is_wanted(daemon_set)
        revision = template_hash(daemon_set.document["spec"]["template"])
        if not daemon_set.deleting:
            self._step(daemon_set, revision, wanted=wanted)
        self._desk.report(daemon_set, self._status(daemon_set, revision, wanted=wanted))

    def _is_wanted(self, daemon_set: Stored) -> bool:
        node = self._desk.api.live(NODE, "", NODE_NAME)
        return takes(node.document, daemon_set.document["spec"]["template"]["spec"])

    def _step(self, daemon_set: Stored, revision: str, *, wanted: bool) -> None:
        pods = self._desk.children(daemon_set, POD)
        rolls = daemon_set.document["spec"]["updateStrategy"]["type"] == "RollingUpdate"
        for pod in pods:
            outdated = rolls and pod.document["metadata"]["labels"][_REVISION_LABEL] != revision
            if not pod.deleting and (outdated or not wanted):
                self._desk.delete(pod)
                self._tell(daemon_set, "SuccessfulDelete", f"Deleted pod: {pod.name}")
        if wanted and not pods:
            pod = self._desk.create(POD, pod_of(daemon_set, labels=self._labels(daemon_set, revision)))
            self._tell(daemon_set, "SuccessfulCreate", f"Created pod: {pod.name}")

    def _labels(self, daemon_set: Stored, revision: str) -> Json:
        generation = str(daemon_set.document["metadata"]["generation"])
        return {_REVISION_LABEL: revision, "pod-template-generation": generation}

    def _tell(self, daemon_set: Stored, reason: str, message: str) -> None:
        self._desk.tell(daemon_set, Happening(reason, message, _PROGRAM))

    def _status(self, daemon_set: Stored, revision: str, *, wanted: bool) -> Json:
        pods = self._desk.children(daemon_set, POD)
        ready = sum(is_true(pod.document, "Ready") and not pod.deleting for pod in pods)
        updated = sum(pod.document["metadata"]["labels"][_REVISION_LABEL] == revision for pod in pods)
        counts = {
            "updatedNumberScheduled": updated,
            "numberAvailable": ready,
            "numberUnavailable": max(0, int(wanted) - ready),
        }
        return {
            "currentNumberScheduled": len(pods),
            "desiredNumberScheduled": int(wanted),
            "numberMisscheduled": 0,
            "numberReady": ready,
            "observedGeneration": daemon_set.document["metadata"]["generation"],
            **{name: count for name, count in counts.items() if count},
        }
