"""Jobs: pods until as many succeeded as wanted, or too many failed.

Here: creating pods, counting, the final conditions, removal after ttlSecondsAfterFinished. Not here: schedules.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sandbox.cluster.behaviours.desk import Desk, condition, is_true
from sandbox.cluster.behaviours.happenings import Happening
from sandbox.cluster.behaviours.replicasets import pod_of
from sandbox.cluster.kinds import JOB, POD, Json
from sandbox.cluster.store import Change, Stored

_ENDINGS = ("Complete", "Failed")
_TOO_MANY = {"reason": "BackoffLimitExceeded", "message": "Job has reached the specified backoff limit"}
_PROGRAM = "job-controller"
_TOLD = {
    ("Complete", "True"): Happening("Completed", "Job completed", _PROGRAM),
    ("Failed", "True"): Happening(_TOO_MANY["reason"], _TOO_MANY["message"], _PROGRAM, warning=True),
    ("Suspended", "True"): Happening("Suspended", "Job suspended", _PROGRAM),
    ("Suspended", "False"): Happening("Resumed", "Job resumed", _PROGRAM),
}
_SUSPENDED = {"type": "Suspended", "status": "True", "reason": "JobSuspended", "message": "Job suspended"}
_RESUMED = {"type": "Suspended", "status": "False", "reason": "JobResumed", "message": "Job resumed"}
_ENOUGH = {"reason": "CompletionsReached", "message": "Reached expected number of succeeded pods"}


class Jobs:
    """Looks at Jobs and at the pods that they control."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def concerned(self, change: Change) -> Iterator[Stored]:
        """Yield a Job that came or changed, or whose pod did."""
        if change.after.kind == JOB and not change.gone:
            yield change.after
        elif change.after.kind == POD:
            owner = self._desk.parent(change.after, JOB)
            if owner is not None:
                yield owner

    def settle(self, stored: Stored) -> None:
        """Create what pods are missing; report, and say when the Job ended."""
        job = self._desk.fresh(stored)
        if job is None or job.deleting or any(is_true(job.document, kind) for kind in _ENDINGS):
            return
        pods = self._desk.children(job, POD)
        verdict = self._verdict(job, pods)
        if job.document["spec"]["suspend"]:
            self._stop(pods)
            verdict = () if is_true(job.document, "Suspended") else (_SUSPENDED,)
        elif not verdict:
            self._create(job, pods)
            verdict = (_RESUMED,) if is_true(job.document, "Suspended") else ()
        self._desk.report(job, self._status(job, self._desk.children(job, POD), verdict))
        for each in verdict[-1:]:
            self._desk.tell(job, _TOLD[each["type"], each["status"]])
        if verdict[1:] and "ttlSecondsAfterFinished" in job.document["spec"]:
            self._desk.later(job.document["spec"]["ttlSecondsAfterFinished"], lambda: self._desk.forget(job))

    def _create(self, job: Stored, pods: Sequence[Stored]) -> None:
        spec = job.document["spec"]
        active = len(_in_phase(pods, "Pending", "Running"))
        for _ in range(_wanted(spec, len(_in_phase(pods, "Succeeded"))) - active):
            pod = self._desk.create(POD, pod_of(job))
            self._desk.tell(job, Happening("SuccessfulCreate", f"Created pod: {pod.name}", _PROGRAM))

    def _stop(self, pods: Sequence[Stored]) -> None:
        for pod in _in_phase(pods, "Pending", "Running"):
            if not pod.deleting:
                self._desk.delete(pod)

    def _verdict(self, job: Stored, pods: Sequence[Stored]) -> tuple[Json, ...]:
        spec, succeeded = job.document["spec"], len(_in_phase(pods, "Succeeded"))
        active = len(_in_phase(pods, "Pending", "Running"))
        done = succeeded >= spec["completions"] if "completions" in spec else bool(succeeded and not active)
        if done:
            return tuple({"type": kind, "status": "True"} | _ENOUGH for kind in ("SuccessCriteriaMet", "Complete"))
        if len(_in_phase(pods, "Failed")) > spec["backoffLimit"]:
            return tuple({"type": kind, "status": "True"} | _TOO_MANY for kind in ("FailureTarget", "Failed"))
        return ()

    def _status(self, job: Stored, pods: Sequence[Stored], verdict: Sequence[Json]) -> Json:
        now, before = self._desk.api.now(), job.document["status"]
        conditions = before.get("conditions", [])
        for each in verdict:
            conditions = condition(conditions, each, now)
        active = _in_phase(pods, "Pending", "Running")
        counts = {
            "active": len(active),
            "succeeded": len(_in_phase(pods, "Succeeded")),
            "failed": len(_in_phase(pods, "Failed")),
        }
        status: Json = {
            **{name: count for name, count in counts.items() if count},
            "ready": sum(is_true(pod.document, "Ready") for pod in active),
            "terminating": 0,
            "uncountedTerminatedPods": {},
        }
        if conditions:
            status["conditions"] = conditions
        if not job.document["spec"]["suspend"]:
            status["startTime"] = before.get("startTime", now)
        if any(each["type"] == "Complete" for each in verdict):
            status["completionTime"] = now
        return status


def _wanted(spec: Json, succeeded: int) -> int:
    """Return how many pods shall run; where no completions are asked for all may, until the first one succeeds."""
    if "completions" not in spec:
        return 0 if succeeded else int(spec["parallelism"])
    return int(min(spec["parallelism"], spec["completions"] - succeeded))


def _in_phase(pods: Sequence[Stored], *phases: str) -> list[Stored]:
    return [pod for pod in pods if pod.document["status"]["phase"] in phases]
