"""The kubelet and the scheduler of simulated nodes: pods come to life, finish, and go, without containers.

Here: when a pod takes its next step. Not here: what its status then says (``podlife``). A pod is told how to behave by
the annotation ``sandbox.perigee.dev/simulate``:
``pending`` (never starts), ``unready`` (runs, never ready), ``running`` (a Job's pod goes on), ``fail`` (a Job's pod
fails), ``crash`` (restarts again and again), ``terminating`` (never goes once deleted).
"""

from __future__ import annotations

from collections.abc import Iterator

from sandbox.cluster.api import Write
from sandbox.cluster.behaviours import podlife
from sandbox.cluster.behaviours.desk import Desk
from sandbox.cluster.behaviours.happenings import SCHEDULER, Happening
from sandbox.cluster.behaviours.nodes import NODE_NAME, takes
from sandbox.cluster.behaviours.podlife import simulated
from sandbox.cluster.behaviours.volumes import claims_of
from sandbox.cluster.kinds import CLAIM, NODE, POD
from sandbox.cluster.store import Change, Stored


class Kubelet:
    """Looks at pods. ``seconds`` are those of starting, of a job's work and of stopping."""

    def __init__(self, desk: Desk, seconds: tuple[float, float, float]) -> None:
        self._desk = desk
        self._start, self._work, self._stop = seconds
        self._due: set[tuple[str, str]] = set()

    def concerned(self, change: Change) -> Iterator[Stored]:
        """Yield a pod that came or changed, and pods that may have waited for a claim."""
        if change.after.kind == POD and not change.gone:
            yield change.after
        if change.after.kind == CLAIM:
            for pod in self._desk.api.store.of(POD, change.after.namespace):
                if change.after.name in claims_of(pod.document):
                    yield pod

    def settle(self, stored: Stored) -> None:
        """Take the pod's next step, or see to it that it is taken in time."""
        pod = self._desk.fresh(stored)
        if pod is None:
            return
        step = self._next_step(pod)
        if step is None or (pod.uid, step) in self._due:
            return
        self._due.add((pod.uid, step))
        seconds = {"start": self._start, "finish": self._work, "stop": self._stop}.get(step, 0.0)
        self._desk.later(seconds, lambda: self._take(pod, step))

    def _next_step(self, pod: Stored) -> str | None:
        does, phase = simulated(pod.document), pod.document["status"]["phase"]
        if pod.deleting:
            return None if does == "terminating" else "stop"
        if not pod.document["spec"].get("nodeName"):
            return "wait" if self._hindrance(pod) else "bind"
        if phase == "Pending":
            return None if does == "pending" else "start"
        if phase == "Running" and podlife.ends(pod.document) and does not in {"running", "unready", "crash"}:
            return "finish"
        return None

    def _take(self, seen: Stored, step: str) -> None:
        self._due.discard((seen.uid, step))
        pod = self._desk.fresh(seen)
        if pod is None or self._next_step(pod) != step:
            return
        now = self._desk.api.now()
        if step == "stop":
            self._desk.delete(pod, grace_seconds=0)
        elif step == "bind":
            self._bind(pod, now)
        elif step == "wait":
            message = f"0/1 nodes are available: {self._hindrance(pod)}"
            told = self._desk.report(pod, podlife.unschedulable(pod.document, message, now), manager="kube-scheduler")
            if told.version != pod.version:
                self._desk.tell(pod, Happening("FailedScheduling", message, SCHEDULER, warning=True))
        elif step == "start":
            self._desk.report(pod, podlife.running(pod.document, now), manager="kubelet")
        else:
            self._desk.report(pod, podlife.finished(pod.document, now), manager="kubelet")

    def _hindrance(self, pod: Stored) -> str:
        """Say why no node takes a pod; "" when one does."""
        claims = (self._desk.api.store.get(CLAIM, pod.namespace, name) for name in claims_of(pod.document))
        if any(claim is None or claim.document["status"]["phase"] != "Bound" for claim in claims):
            return "pod has unbound immediate PersistentVolumeClaims. not found"
        if takes(self._desk.api.live(NODE, "", NODE_NAME).document, pod.document["spec"]):
            return ""
        return "1 node(s) didn't match Pod's node affinity/selector."

    def _bind(self, pod: Stored, now: str) -> None:
        document = pod.document | {"spec": pod.document["spec"] | {"nodeName": NODE_NAME}}
        bound = self._desk.api.replace(pod, document, Write("kube-scheduler", subresource="binding"))
        self._desk.report(bound, podlife.scheduled(bound.document, now), manager="kube-scheduler")
        message = f"Successfully assigned {pod.namespace}/{pod.name} to {NODE_NAME}"
        self._desk.tell(pod, Happening("Scheduled", message, SCHEDULER))
