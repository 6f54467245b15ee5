"""The kinds of orders that this agent carries out: one entry each, with what is known of it and what it does.

Here: what an order comes to and what is told of it. Not here: whether it may be carried out (planning), that it happens
once (orders), how an instance is worked on (passes).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC
from typing import Final, Protocol

from agent.loops.progress import Look
from agent.model.changes import Change
from agent.model.errors import Conflict, Refused
from agent.model.instance import State
from agent.model.orders import OrderRecord, Outcome
from agent.planning.health import View, failure
from agent.planning.orders import OrderKind
from agent.planning.stages import order as stages_of
from agent.rendering.names import Role

_OWN: Final = (Role.API_SERVER, Role.SCHEDULER, Role.DAG_PROCESSOR, Role.TRIGGERER, Role.WORKER)
"""Airflow's own processes. A database or broker that starts anew stops them all, so those have to be named."""
_SERVED: Final = (Role.DATABASE, Role.BROKER)
_NAMED: Final = 10
"""So many changes are named in one result."""


@dataclass(frozen=True, slots=True)
class Ended:
    """How carrying out an order ended."""

    outcome: Outcome
    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Craft:
    """One kind: what is known of it, and how it is carried out. What that raises is told as a failure; for a kind that
    is repeatable, a retryable error means another try while the order's time lasts.
    """

    kind: OrderKind
    carry_out: Callable[[OrderRecord], Awaitable[Ended]]


class Engine(Protocol):
    """What works on instances."""

    async def look(self, instance_id: str, look: Look) -> View | None:
        """Have a pass that looks so closely, soon, and wait for its end; None: there is no document to go by."""
        ...


def crafts(engine: Engine) -> Mapping[str, Craft]:
    """Every kind by its name."""
    known = (
        Craft(
            OrderKind(
                "restart",
                repeatable=True,  # it asks for the moment of its first beginning, however often it is begun
                arguments={"component": frozenset(role.value for role in (*_OWN, *_SERVED))},
                states=frozenset({State.RUNNING}),
            ),
            lambda record: _restart(engine, record),
        ),
        Craft(OrderKind("reconcile", repeatable=True), lambda record: _reconcile(engine, record)),
    )
    return {one.kind.name: one for one in known}


async def _restart(engine: Engine, record: OrderRecord) -> Ended:
    """Pods are made anew by a change of their template, which the record of what was applied remembers."""
    named = record.order.args.get("component")
    components = (named,) if named else tuple(role.value for role in _OWN)
    moment = record.begun_at.astimezone(UTC).isoformat(timespec="microseconds")
    wanted = dict.fromkeys(components, moment)
    view = await _looked(engine, record, Look(again=True, restarts=wanted))
    asked = view.inventory.restarts
    if not all(asked.get(name, "") >= moment for name in components):
        raise view.error or Conflict("the restart could not be written down", hint="see the instance's conditions")
    message = f"{', '.join(components)}: restarted as of {moment}{_listed('changed', view.changes)}"
    return Ended(Outcome.DONE, "Restarted", message + _left(view))


async def _reconcile(engine: Engine, record: OrderRecord) -> Ended:
    view = await _looked(engine, record, Look(again=True, survey=True, compare=True, secrets=True))
    if view.error is not None:
        raise view.error
    message = _listed("repaired", view.changes).removeprefix("; ") or "nothing differed from the document"
    stages = stages_of(view.document.instance.state)
    if view.pending is not None and view.pending[0] is not stages[-1]:
        message += "; not everything could be compared yet, and is once that stands"
    failed = failure(view)
    if failed is not None:
        return Ended(Outcome.FAILED, failed[0], message + _left(view))
    return Ended(Outcome.DONE, "Repaired" if view.changes else "NothingDiffered", message + _left(view))


async def _looked(engine: Engine, record: OrderRecord, look: Look) -> View:
    view = await engine.look(record.order.instance, look)
    if view is None:
        raise Refused("its document is no longer in force", path="instance", reason="UnknownInstance")
    if view.frozen:
        raise Refused(view.frozen, path="instance", reason="FrozenByGuard")
    return view


def _left(view: View) -> str:
    """What is not as it shall be at the end of the pass."""
    failed = failure(view)
    if failed is not None:
        return f"; not finished, and tried again: {failed[1]}"
    if view.deferred:
        return f"; {view.deferred}"
    return f"; {view.pending[1].message}" if view.pending is not None and view.pending[1].message else ""


def _listed(what: str, changes: tuple[Change, ...]) -> str:
    if not changes:
        return ""
    named = ", ".join(f"{change.ref} ({change.why})" for change in changes[:_NAMED])
    return f"; {what} {len(changes)}: {named}" + (" …" if len(changes) > _NAMED else "")
