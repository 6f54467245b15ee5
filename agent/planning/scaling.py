"""What is done to replicas that somebody else owns: nothing, but for sleep and waking. Pure.

Sleep is an order of the document: it holds whoever scales. Zero also parks a HorizontalPodAutoscaler, which leaves
workloads without replicas alone (Kubernetes' documentation, "Implicit maintenance-mode deactivation"). What belongs to
a scaler by the document wakes with the number that it had; what somebody scaled although the document says a number
wakes with that of the document, and is again his who scales it again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from agent.model.changes import Action, Change
from agent.model.instance import State
from agent.model.objects import ObjectRef, Owned
from agent.model.observed import Seen, Workload
from agent.planning.stages import Expected

REPLICAS = ("f:spec", "f:replicas")


@dataclass(frozen=True, slots=True)
class Scaling:
    """Set the replicas of a workload. ``parked``: what the record shall remember it had; None: nothing any more."""

    live: Seen
    replicas: int
    parked: int | None
    change: Change


def due(
    state: State, lines: Iterable[Owned], *, starts: Mapping[ObjectRef, int], seen: Mapping[ObjectRef, Seen]
) -> tuple[Scaling, ...]:
    """The scalings that the wanted state asks for."""
    if state is State.HIBERNATED:
        return tuple(_parking(lines, starts, seen))
    return tuple(_waking(lines, starts, seen))


def _parking(
    lines: Iterable[Owned], starts: Mapping[ObjectRef, int], seen: Mapping[ObjectRef, Seen]
) -> Iterator[Scaling]:
    for owned in lines:
        live = seen.get(owned.ref)
        if live is None or not isinstance(live.detail, Workload) or live.detail.wanted == 0:
            continue
        change = Change(owned.ref, Action.SCALE, f"it sleeps: {live.detail.wanted} → 0, whoever scales it")
        if owned.ref in starts:
            # Who scales it in its sleep does not make it forget what it had before.
            yield Scaling(live, 0, live.detail.wanted if owned.parked is None else owned.parked, change)
        elif _left(owned):
            yield Scaling(live, 0, None, change)


def _waking(
    lines: Iterable[Owned], starts: Mapping[ObjectRef, int], seen: Mapping[ObjectRef, Seen]
) -> Iterator[Scaling]:
    for owned in lines:
        live = seen.get(owned.ref)
        if owned.parked is None or live is None or not isinstance(live.detail, Workload):
            continue
        replicas = owned.parked if live.detail.wanted == 0 else live.detail.wanted
        change = Change(owned.ref, Action.SCALE, f"it is awake again: {live.detail.wanted} → {replicas}")
        yield Scaling(live, replicas or starts.get(owned.ref, 1), None, change)


def awaited(state: State, expected: Iterable[Expected], lines: Mapping[ObjectRef, Owned]) -> tuple[Expected, ...]:
    """What to wait for: of a workload whose replicas are left to others, as many pods as it asks for itself."""
    if state is State.HIBERNATED:
        return tuple(expected)
    return tuple(replace(one, replicas=None) if one.ref in lines and _left(lines[one.ref]) else one for one in expected)


def _left(owned: Owned) -> bool:
    return any(ceded.path == REPLICAS for ceded in owned.ceded)
