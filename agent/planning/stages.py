"""In which order an instance comes to life or falls asleep, and what each stage waits for. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from agent.model.instance import State
from agent.model.objects import Manifest, ObjectRef, Rendered, Seen, Stage

_AWAKE = tuple(Stage)
_ASLEEP = (Stage.NAMESPACE, Stage.ACCESS, Stage.CONFIG, Stage.COMPONENTS, Stage.DATA, Stage.MIGRATION)
"""To sleep, Airflow goes before the database that it writes to."""

_RUNNING = frozenset({"Deployment", "StatefulSet", "Job"})
BINDING = frozenset({Stage.DATA, Stage.MIGRATION, Stage.COMPONENTS})
"""Stages that nothing overtakes, not even where one of their objects cannot be applied: no component may run on a
schema that was not migrated, and no database may go to sleep before those who write to it.
"""

WAITS = {
    Stage.NAMESPACE: "WaitingForNamespace",
    Stage.ACCESS: "WaitingForAccess",
    Stage.CONFIG: "WaitingForConfig",
    Stage.DATA: "WaitingForDatabase",
    Stage.MIGRATION: "Migrating",
    Stage.COMPONENTS: "RollingOut",
}
"""The reason to show while a stage is not there yet."""


class Readiness(Enum):
    """How far one object or one stage is."""

    READY = "ready"
    WAITING = "waiting"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Gate:
    """Whether a stage lets the next one begin, and if not, which object it waits for and why."""

    readiness: Readiness
    waits_for: ObjectRef | None = None
    message: str = ""


def order(state: State) -> tuple[Stage, ...]:
    """The order of stages for a wanted state."""
    return _ASLEEP if state is State.HIBERNATED else _AWAKE


def gate(stage: Stage, rendered: Sequence[Rendered], seen: Mapping[ObjectRef, Seen]) -> Gate:
    """Judge one stage by what is seen of its objects; the first that is not ready is named."""
    for wanted in rendered:
        if wanted.stage is not stage:
            continue
        judged = _judge(wanted, seen.get(wanted.ref))
        if judged.readiness is not Readiness.READY:
            return judged
    return Gate(Readiness.READY)


def standing(refs: Iterable[ObjectRef], seen: Mapping[ObjectRef, Seen]) -> Gate:
    """Judge what runs by its own numbers, where nobody works on it and what is wanted does not count."""
    running = [ref for ref in refs if ref.kind in _RUNNING]
    for ref in running:
        live = seen.get(ref)
        if live is None:
            return Gate(Readiness.WAITING, ref, f"{ref} is not there")
        judged = _judge(Rendered(Stage.COMPONENTS, live.manifest), live)
        if judged.readiness is not Readiness.READY:
            return judged
    return Gate(Readiness.READY) if running else Gate(Readiness.WAITING, None, "nothing was made yet")


def _judge(wanted: Rendered, live: Seen | None) -> Gate:
    ref = wanted.ref
    if live is None:
        return Gate(Readiness.WAITING, ref, f"{ref} is not there yet")
    if live.terminating:
        return Gate(Readiness.WAITING, ref, f"{ref} is still being deleted")
    if ref.kind in {"Deployment", "StatefulSet"}:
        return _workload(ref, wanted.manifest, live.manifest)
    if ref.kind == "Job":
        return _job(ref, live.manifest)
    return Gate(Readiness.READY)


def _workload(ref: ObjectRef, rendered: Manifest, live: Manifest) -> Gate:
    # What we want, not what the object says: it may be blocked, and say something else.
    wanted = rendered["spec"].get("replicas", live["spec"].get("replicas", 1))
    status = live.get("status") or {}
    current = status.get("observedGeneration", 0) >= live["metadata"].get("generation", 1)
    ready = status.get("readyReplicas", 0)
    total = status.get("replicas", 0)
    updated = status.get("updatedReplicas", 0)
    if current and ready >= wanted and total == wanted and updated >= wanted:
        return Gate(Readiness.READY)
    if total > wanted:
        return Gate(Readiness.WAITING, ref, f"{ref}: {total - wanted} of {total} pods have still to go")
    return Gate(Readiness.WAITING, ref, f"{ref}: {min(ready, updated)} of {wanted} pods are ready")


def _job(ref: ObjectRef, live: Manifest) -> Gate:
    conditions = {
        condition["type"]: condition
        for condition in (live.get("status") or {}).get("conditions") or ()
        if condition.get("status") == "True"
    }
    if "Complete" in conditions:
        return Gate(Readiness.READY)
    if "Failed" in conditions:
        said = conditions["Failed"].get("message") or conditions["Failed"].get("reason", "")
        return Gate(Readiness.FAILED, ref, f"{ref} failed: {said}")
    return Gate(Readiness.WAITING, ref, f"{ref} is running")
