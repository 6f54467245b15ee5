"""How an instance fares, judged from one look by the rules that the agent judges by. Nothing is done about it."""

from __future__ import annotations

from agent.inspection.sight import Sight
from agent.model.desired import Document
from agent.model.errors import AgentError
from agent.model.instance import State
from agent.model.objects import Inventory, Stage
from agent.planning import guard, pool, scaling
from agent.planning.diff import UNWATCHED, diff
from agent.planning.health import View
from agent.planning.removal import next_step
from agent.planning.stages import Gate, Readiness, expected, gate, order, standing
from agent.rendering import render


def judged(sight: Sight, document: Document, inventory: Inventory) -> View:
    """The view of a pass that only looks. ``changes``: what differs, as far as ownership tells it."""
    if document.instance.state is State.DELETED:
        return _leaving(sight, document, inventory)
    try:
        guard.judge(document.instance, inventory=inventory, agent_namespace=sight.policy.agent_namespace)
        if sight.policy.pool:
            pool.judge(document.instance, sight.policy.pool, inventory=inventory)
        return _staying(sight, document, inventory)
    except AgentError as error:
        return View(document, inventory, sight.cluster.seen(document.instance.id), error=error)


def _leaving(sight: Sight, document: Document, inventory: Inventory) -> View:
    seen = sight.cluster.seen(document.instance.id)
    try:
        sight.policy.guarding.check_removal(document.instance, inventory)
    except AgentError as error:
        return View(document, inventory, seen, error=error)
    step = next_step(inventory, seen=seen, retain=document.instance.retain)
    return View(document, inventory, seen, waits_for=step.waits_for, gone=step.done)


def _staying(sight: Sight, document: Document, inventory: Inventory) -> View:
    instance = document.instance
    seen, surveyed = sight.cluster.seen(instance.id), sight.cluster.surveyed(instance.id)
    rendered = render(sight.policy.inputs(instance, inventory))
    sight.policy.guarding.check(instance, lambda: rendered)
    known = [one for one in rendered if surveyed or one.ref.kind not in UNWATCHED]
    changes = tuple(planned.change for planned in diff(known, remembered=inventory.by_ref(), seen=seen))
    if instance.paused:
        gates = [(Stage.COMPONENTS, standing([owned.ref for owned in inventory.owned], seen))]
    else:
        awaited = scaling.awaited(instance.state, expected(known), inventory.by_ref())
        gates = [(stage, gate(stage, awaited, seen)) for stage in order(instance.state)]
    return View(document, inventory, seen, changes, pending=_first(gates))


def _first(gates: list[tuple[Stage, Gate]]) -> tuple[Stage, Gate] | None:
    return next((pending for pending in gates if pending[1].readiness is not Readiness.READY), None)
