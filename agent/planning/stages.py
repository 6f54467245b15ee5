"""In which order an instance comes to life or falls asleep, and what each stage waits for. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from agent.model.instance import State
from agent.model.objects import ObjectRef, Rendered, Stage
from agent.model.observed import Seen, Work, Workload

_AWAKE = tuple(Stage)
_ASLEEP = (Stage.NAMESPACE, Stage.ACCESS, Stage.CONFIG, Stage.COMPONENTS, Stage.DATA, Stage.MIGRATION)
"""To sleep, Airflow goes before the database that it writes to."""

_RUNNING = frozenset({"Deployment", "StatefulSet", "Job"})
BINDING = frozenset({Stage.DATA, Stage.MIGRATION, Stage.COMPONENTS})
"""Stages that nothing overtakes, not even where one of their objects cannot be applied: no component may run on a
schema that was not migrated, and no database may go to sleep before those who write to it.
"""

SUPPLIED = frozenset({Stage.MIGRATION, Stage.COMPONENTS})
"""Stages with Airflow's own pods, which do not start without their secret values."""

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


@dataclass(frozen=True, slots=True)
class Expected:
    """What a stage waits for of one object. ``replicas`` None: as many pods as the object itself asks for."""

    stage: Stage
    ref: ObjectRef
    replicas: int | None = None


def expected(rendered: Iterable[Rendered]) -> tuple[Expected, ...]:
    """What to wait for, of everything that was rendered; enough to judge gates without the manifests."""
    return tuple(Expected(one.stage, one.ref, one.manifest.get("spec", {}).get("replicas")) for one in rendered)


def gate(stage: Stage, awaited: Sequence[Expected], seen: Mapping[ObjectRef, Seen]) -> Gate:
    """Judge one stage by what is seen of its objects; the first that is not ready is named."""
    for one in awaited:
        if one.stage is not stage:
            continue
        judged = _judge(one, seen.get(one.ref))
        if judged.readiness is not Readiness.READY:
            return judged
    return Gate(Readiness.READY)


def failed(one: Expected, live: Seen) -> bool:
    """Whether a Job came to its end without success."""
    return _judge(one, live).readiness is Readiness.FAILED


def standing(refs: Iterable[ObjectRef], seen: Mapping[ObjectRef, Seen]) -> Gate:
    """Judge what runs by its own numbers, where nobody works on it and what is wanted does not count."""
    running = [ref for ref in refs if ref.kind in _RUNNING]
    for ref in running:
        live = seen.get(ref)
        if live is None:
            return Gate(Readiness.WAITING, ref, f"{ref} is not there")
        judged = _judge(Expected(Stage.COMPONENTS, ref), live)
        if judged.readiness is not Readiness.READY:
            return judged
    return Gate(Readiness.READY) if running else Gate(Readiness.WAITING, None, "nothing was made yet")


def _judge(one: Expected, live: Seen | None) -> Gate:
    ref = one.ref
    if live is None:
        return Gate(Readiness.WAITING, ref, f"{ref} is not there yet")
    if live.terminating:
        return Gate(Readiness.WAITING, ref, f"{ref} is still being deleted")
    if isinstance(live.detail, Workload):
        return _workload(ref, one.replicas, live.detail)
    if isinstance(live.detail, Work):
        return _work(ref, live.detail)
    return Gate(Readiness.READY)


def _workload(ref: ObjectRef, replicas: int | None, pods: Workload) -> Gate:
    # What we want, not what the object says: it may be blocked, and say something else.
    wanted = pods.wanted if replicas is None else replicas
    if pods.current and pods.ready >= wanted and pods.total == wanted and pods.updated >= wanted:
        return Gate(Readiness.READY)
    if pods.total > wanted:
        return Gate(Readiness.WAITING, ref, f"{ref}: {pods.total - wanted} of {pods.total} pods have still to go")
    return Gate(Readiness.WAITING, ref, f"{ref}: {min(pods.ready, pods.updated)} of {wanted} pods are ready")


def _work(ref: ObjectRef, work: Work) -> Gate:
    if work.complete:
        return Gate(Readiness.READY)
    if work.failed:
        return Gate(Readiness.FAILED, ref, f"{ref} failed: {work.failed}")
    return Gate(Readiness.WAITING, ref, f"{ref} is running")
