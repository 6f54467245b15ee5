"""What is told about an instance: conditions and components, judged from what was seen and done. Pure.

Every condition is always there, so that a reader never has to guess what its absence means.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from agent.model.changes import Change
from agent.model.conditions import Condition, Truth
from agent.model.desired import Document, Refusal
from agent.model.errors import AgentError, Refused
from agent.model.instance import State
from agent.model.labels import COMPONENT, QUEUE
from agent.model.objects import Inventory, ObjectRef, Stage
from agent.model.observed import Life, Seen, Workload
from agent.model.secrets import wants
from agent.model.status import ComponentStatus, InstanceStatus
from agent.planning.fields import text
from agent.planning.stages import WAITS, Gate, Readiness

_NAMED = 3
"""So many contested fields are named in one message."""


@dataclass(frozen=True, slots=True)
class View:
    """What one pass over an instance knows at its end.

    ``pending``: the stage that is not ready and what it waits for. ``gone``: a tombstone has done all it may.
    ``leftover``: what keeps an instance that is otherwise well from being tidy. ``deferred``: what is left for later.
    ``frozen``: why the customer's rules let nothing be changed now.
    ``unsupplied``: why secret values cannot be had.
    """

    document: Document
    inventory: Inventory
    seen: Mapping[ObjectRef, Seen]
    changes: tuple[Change, ...] = ()
    pending: tuple[Stage, Gate] | None = None
    waits_for: str = ""
    error: AgentError | None = None
    blocked: tuple[AgentError, ...] = ()
    leftover: AgentError | None = None
    deferred: str = ""
    frozen: str = ""
    unsupplied: tuple[AgentError, ...] = ()
    gone: bool = False
    refusal: Refusal | None = None
    unlisted: bool = False


def failure(view: View) -> tuple[str, str] | None:
    """What keeps the pass from its end and will be tried again: a reason and what to tell; None if nothing does."""
    if view.error is not None:
        return view.error.reason, view.error.explain()
    if view.blocked:
        return view.blocked[0].reason, _joined(view.blocked)
    if view.unsupplied:
        return view.unsupplied[0].reason, _joined(view.unsupplied)
    if view.leftover is not None:
        return view.leftover.reason, view.leftover.explain()
    if view.pending is not None and view.pending[1].readiness is Readiness.FAILED:
        return "MigrationFailed", view.pending[1].message
    return None


def status(view: View, now: datetime) -> InstanceStatus:
    """The whole status of one instance."""
    instance = view.document.instance
    return InstanceStatus(
        id=instance.id,
        name=instance.name,
        namespace=view.inventory.namespace or instance.namespace,
        revision=view.document.entry.revision,
        state="deleted" if view.gone else instance.state.value,
        conditions=(
            _ready(view, now),
            _progressing(view, now),
            _stalled(view, now),
            _accepted(view, now),
            _claim("Paused", instance.paused, "PausedByDocument", "the document says paused: nothing is written", now),
            _claim("Frozen", bool(view.frozen), "FrozenByGuard", view.frozen, now),
            _claim("Unlisted", view.unlisted, "NotInIndex", "the index does not name it: it stays as it is", now),
            _unknown_fields(view, now),
            _ceded(view, now),
            _secrets(view, now),
        ),
        components=components(view.seen),
        changes=view.changes,
        observed_at=now,
    )


def refused_status(refusal: Refusal, now: datetime) -> InstanceStatus:
    """The status of an instance of which no document was ever accepted."""
    message = f"revision {refusal.entry.revision} is refused: {refusal.message}"
    return InstanceStatus(
        id=refusal.entry.id,
        name="",
        namespace="",
        revision=0,
        state="refused",
        conditions=(
            Condition("Ready", Truth.FALSE, refusal.reason, message, now),
            Condition("Accepted", Truth.FALSE, refusal.reason, message, now),
        ),
        components=(),
        changes=(),
        observed_at=now,
    )


def components(seen: Mapping[ObjectRef, Seen]) -> tuple[ComponentStatus, ...]:
    """Pods wanted and ready per component and queue, from the workloads that carry our labels."""
    found = (
        _component(one, one.detail)
        for one in seen.values()
        if isinstance(one.detail, Workload) and COMPONENT in one.labels
    )
    return tuple(sorted(found, key=lambda component: component.name))


def pod_troubles(seen: Mapping[ObjectRef, Seen]) -> tuple[str, ...]:
    """Why pods are not running, in Kubernetes' own words, one line for each pod in trouble."""
    lives = (one.detail for one in seen.values() if isinstance(one.detail, Life))
    return tuple(sorted(life.trouble for life in lives if life.trouble))


def _component(one: Seen, pods: Workload) -> ComponentStatus:
    queue = one.labels.get(QUEUE)
    name = one.labels[COMPONENT] + (f"/{queue}" if queue else "")
    return ComponentStatus(name, pods.wanted, pods.ready)


def _ready(view: View, now: datetime) -> Condition:
    state = view.document.instance.state
    if state is not State.RUNNING:
        reason = "Hibernated" if state is State.HIBERNATED else "Deleted"
        return Condition("Ready", Truth.FALSE, reason, f"the document says {state.value}", now)
    if view.error is not None:
        return Condition("Ready", Truth.UNKNOWN, view.error.reason, view.error.explain(), now)
    if view.pending is not None:
        stage, gate = view.pending
        idle = view.document.instance.paused or view.frozen
        reason = "NotAllReady" if idle else _waiting(view, stage, gate)
        return Condition("Ready", Truth.FALSE, reason, _with_troubles(gate.message, view.seen), now)
    if view.blocked:
        return Condition("Ready", Truth.FALSE, view.blocked[0].reason, view.blocked[0].explain(), now)
    return Condition("Ready", Truth.TRUE, "AllComponentsReady", "every component is ready", now)


def _progressing(view: View, now: datetime) -> Condition:
    if view.document.instance.paused:
        return Condition("Progressing", Truth.FALSE, "Paused", "nothing is done while the document says paused", now)
    if view.frozen:
        return Condition("Progressing", Truth.FALSE, "Frozen", view.frozen, now)
    if view.gone:
        return Condition("Progressing", Truth.FALSE, "Deleted", "everything that may go is gone", now)
    if view.waits_for:
        return Condition("Progressing", Truth.TRUE, "Deleting", f"waiting for {view.waits_for}", now)
    if view.pending is not None:
        stage, gate = view.pending
        return Condition("Progressing", Truth.TRUE, _waiting(view, stage, gate), gate.message, now)
    if view.deferred:
        return Condition("Progressing", Truth.FALSE, "RollDeferred", view.deferred, now)
    return Condition("Progressing", Truth.FALSE, "Settled", "nothing is left to do", now)


def _stalled(view: View, now: datetime) -> Condition:
    found = failure(view)
    if found is not None:
        return Condition("Stalled", Truth.TRUE, *found, now)
    return Condition("Stalled", Truth.FALSE, "NoFailure", "", now)


def _accepted(view: View, now: datetime) -> Condition:
    if view.refusal is not None:
        entry = view.refusal.entry
        message = f"revision {entry.revision} is refused, the one before stays: {view.refusal.message}"
        return Condition("Accepted", Truth.FALSE, view.refusal.reason, message, now)
    if isinstance(view.error, Refused):
        # What was verified and is refused here: by the guard, or since the namespace is not the instance's to have.
        return Condition("Accepted", Truth.FALSE, view.error.reason, view.error.explain(), now)
    return Condition("Accepted", Truth.TRUE, "Verified", "", now)


def _unknown_fields(view: View, now: datetime) -> Condition:
    names = view.document.unknown_fields
    message = f"this agent does not know: {', '.join(names)}" if names else ""
    return _claim("UnknownFields", bool(names), "NewerThanAgent", message, now)


def _ceded(view: View, now: datetime) -> Condition:
    """Fields that the document wants otherwise and that others hold: they win, and somebody should know."""
    held = [
        f"{one.ref} {text(ceded.path)} is held by {ceded.manager}"
        for one in view.inventory.owned
        for ceded in one.ceded
    ]
    if not held:
        return Condition("FieldConflict", Truth.FALSE, "NoneHeldByOthers", "", now)
    more = f" and {len(held) - _NAMED} more" if len(held) > _NAMED else ""
    message = f"{'; '.join(held[:_NAMED])}{more}: left as they are, until their holders give them up"
    return Condition("FieldConflict", Truth.TRUE, "HeldByOthers", message, now)


def _secrets(view: View, now: datetime) -> Condition:
    """Whether every secret value that the document names could be had at the last look."""
    if view.unsupplied:
        return Condition("SecretsResolved", Truth.FALSE, view.unsupplied[0].reason, _joined(view.unsupplied), now)
    if view.error is not None and wants(view.document.instance):
        return Condition("SecretsResolved", Truth.UNKNOWN, view.error.reason, "they were not looked at", now)
    return Condition("SecretsResolved", Truth.TRUE, "NoneMissing", "", now)


def _waiting(view: View, stage: Stage, gate: Gate) -> str:
    """The reason to show: a gate that waits for no object waits for secret values."""
    return "WaitingForSecrets" if gate.waits_for is None and view.unsupplied else WAITS[stage]


def _claim(name: str, holds: bool, reason: str, message: str, now: datetime) -> Condition:  # noqa: FBT001
    if holds:
        return Condition(name, Truth.TRUE, reason, message, now)
    return Condition(name, Truth.FALSE, f"Not{name}" if name != "UnknownFields" else "AllKnown", "", now)


def _with_troubles(message: str, seen: Mapping[ObjectRef, Seen]) -> str:
    troubles = pod_troubles(seen)
    return f"{message} ({'; '.join(troubles[:3])})" if troubles else message


def _joined(errors: Sequence[AgentError]) -> str:
    return "; ".join(error.explain() for error in errors[:5])
