"""What is done to replicas that somebody else owns: nothing, but for sleep and waking. Pure.

Sleep is an order of the document: it holds whoever scales. Zero also parks a HorizontalPodAutoscaler, which leaves
workloads without replicas alone (Kubernetes' documentation, "Implicit maintenance-mode deactivation").
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from agent.model.changes import Action, Change
from agent.model.instance import State
from agent.model.objects import ObjectRef, Owned
from agent.model.observed import Seen, Workload

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
        if owned.ref in starts or any(ceded.path == REPLICAS for ceded in owned.ceded):
            change = Change(owned.ref, Action.SCALE, f"it sleeps: {live.detail.wanted} → 0, whoever scales it")
            yield Scaling(live, 0, live.detail.wanted, change)


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
