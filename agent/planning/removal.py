"""What goes next when an instance is deleted by tombstone, and what stays. Pure.

The order: Airflow's own processes; then, when their pods are gone, everything else that we applied; then the volumes
that are not retained; last the namespace, if we made it and nothing in it is retained. The object that binds our own
rights in the namespace ends with it, or last of all where it stays and nothing in it may have to go later.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from agent.model.instance import Retain
from agent.model.labels import COMPONENT, RETAIN
from agent.model.objects import Inventory, ObjectRef, Owned
from agent.model.observed import Home, Seen
from agent.planning.diff import UNWATCHED

_SERVED = frozenset({"database", "broker"})
_LATER = frozenset({"Namespace", "PersistentVolumeClaim", "Pod", "RoleBinding"})
"""Kinds with a turn of their own: pods end with their workloads; volumes, the namespace, our rights in it go last."""
_WORKLOADS = frozenset({"Deployment", "StatefulSet", "Job"})


@dataclass(frozen=True, slots=True)
class Step:
    """The deletions that may happen now. ``done``: nothing is left to delete or to wait for."""

    deletions: tuple[Seen, ...] = ()
    done: bool = False
    waits_for: str = ""


def next_step(inventory: Inventory, *, seen: Mapping[ObjectRef, Seen], retain: frozenset[Retain]) -> Step:
    """The next deletions of a tombstoned instance, given what is still there."""
    if _home(seen) is None:
        # Of what no watch covers the cache does not know that it went with the namespace.
        seen = {ref: one for ref, one in seen.items() if ref.kind not in UNWATCHED}
    ours = _ours(inventory, seen)
    pods = [one for one in seen.values() if one.ref.kind == "Pod"]
    clients = [one for one in ours if one.ref.kind in _WORKLOADS and not _serves(one)]
    if clients:
        return _go(clients, "Airflow's processes")
    if any(not _serves(pod) for pod in pods):
        return Step(waits_for="Airflow's pods to end")
    if ours:
        return _go(ours, "its objects")
    if pods:
        return Step(waits_for="the database's and the broker's pods to end")
    return _data(inventory, seen, retain)


def _ours(inventory: Inventory, seen: Mapping[ObjectRef, Seen]) -> list[Seen]:
    """What we applied and is still there, the last first; where the record was lost, the server's own word counts."""
    recorded = [owned.ref for owned in reversed(inventory.owned) if owned.ref in seen]
    known = set(recorded)
    others = [ref for ref, one in seen.items() if ref not in known and one.ownership]
    return [seen[ref] for ref in (*others, *recorded) if ref.kind not in _LATER]


def kept_volumes(seen: Mapping[ObjectRef, Seen], retain: frozenset[Retain]) -> tuple[Seen, ...]:
    """The volume claims that outlive the tombstone. One without a label of ours is always kept."""
    return tuple(one for one in _claims(seen) if _keeps(one, retain))


def _data(inventory: Inventory, seen: Mapping[ObjectRef, Seen], retain: frozenset[Retain]) -> Step:
    going = [one for one in _claims(seen) if not _keeps(one, retain)]
    if going:
        return _go(going, "volumes")
    namespace = _home(seen)
    if namespace is None or kept_volumes(seen, retain):
        return Step(done=True)
    if inventory.namespace_created:
        return _end(namespace)
    return Step(_rights(seen), done=True)


def searchable(inventory: Inventory, seen: Mapping[ObjectRef, Seen]) -> bool:
    """Whether there is anything to look for beyond what the watches tell, and a namespace in which to: without it, or
    while it ends, we have no rights there any more.
    """
    home = _home(seen)
    hidden = any(owned.ref.kind in UNWATCHED for owned in inventory.owned)
    return hidden and home is not None and not home.terminating


def unseen(inventory: Inventory, step: Step, *, seen: Mapping[ObjectRef, Seen]) -> tuple[Owned, ...]:
    """Recorded objects that may hide from the cache, since somebody took their label off, and are due by this step."""
    home = _home(seen)
    busy = any(one.ref.kind != "RoleBinding" for one in step.deletions)
    if busy or (home is not None and home.terminating):
        return ()
    return tuple(
        owned
        for owned in inventory.owned
        if owned.uid and owned.ref not in seen and (step.done or owned.ref.kind in _WORKLOADS)
    )


def admitted(seen: Mapping[ObjectRef, Seen]) -> bool:
    """Whether the object that binds our rights in the namespace is there."""
    return bool(_rights(seen))


def _rights(seen: Mapping[ObjectRef, Seen]) -> tuple[Seen, ...]:
    return tuple(one for one in seen.values() if one.ref.kind == "RoleBinding" and one.ownership)


def _home(seen: Mapping[ObjectRef, Seen]) -> Seen | None:
    return next((one for one in seen.values() if one.ref.kind == "Namespace"), None)


def _end(namespace: Seen) -> Step:
    """The namespace goes; what keeps it from ending is told, and never swept aside: a finalizer has an owner."""
    held = namespace.detail.blockers if isinstance(namespace.detail, Home) else ()
    step = _go([namespace], f"namespace {namespace.ref.name}")
    return replace(step, waits_for=f"{step.waits_for} ({'; '.join(held)})") if held else step


def _go(objects: Iterable[Seen], what: str) -> Step:
    return Step(tuple(one for one in objects if not one.terminating), waits_for=f"{what} to go")


def _claims(seen: Mapping[ObjectRef, Seen]) -> list[Seen]:
    return [one for one in seen.values() if one.ref.kind == "PersistentVolumeClaim"]


def _keeps(claim: Seen, retain: frozenset[Retain]) -> bool:
    return claim.labels.get(RETAIN, "volumes") in {kept.value for kept in retain}


def _serves(one: Seen) -> bool:
    return one.labels.get(COMPONENT) in _SERVED
