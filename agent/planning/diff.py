"""What must change so that the cluster shows what was rendered, each change with its reason. Pure.

Here: comparing wanted, remembered and seen. Not here: in which order (stages), whether at all (guard), doing it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from agent.model.changes import Action, Change
from agent.model.objects import Inventory, Manifest, ObjectRef, Owned, Rendered
from agent.model.observed import Seen
from agent.planning.ownership import digest_of, given_up, intact

_NAMED_FIELDS = 3
QUOTED = frozenset({"replicas", "image", "minAvailable", "maxUnavailable", "storage"})
"""Only these values are quoted in a reason: any other may be, or be near, something private."""

UNWATCHED = frozenset({"Secret", "ConfigMap"})
"""Kinds that no watch covers: their metadata is surveyed, namespace by namespace, now and then."""

_PERMANENT = frozenset({"Namespace", "PersistentVolumeClaim", "CustomResourceDefinition"})


@dataclass(frozen=True, slots=True)
class Planned:
    """A change and the object as it shall be."""

    change: Change
    rendered: Rendered


def settled(inventory: Inventory, seen: Mapping[ObjectRef, Seen], *, surveyed: bool) -> bool:
    """Whether every object of the inventory is still as we applied it, as far as can be known without asking."""
    return all(
        intact(owned, seen.get(owned.ref)) or (not surveyed and owned.ref.kind in UNWATCHED and bool(owned.uid))
        for owned in inventory.owned
    )


def diff(
    rendered: Sequence[Rendered], *, remembered: Mapping[ObjectRef, Owned], seen: Mapping[ObjectRef, Seen]
) -> tuple[Planned, ...]:
    """The changes that lead from what is seen to what was rendered, in the order of rendering."""
    planned = []
    for wanted in rendered:
        live = seen.get(wanted.ref)
        change = _change(wanted, remembered.get(wanted.ref), live)
        if change is not None:
            planned.append(Planned(change, wanted))
    return tuple(planned)


def superseded(
    wanted: Collection[ObjectRef], *, owned: Sequence[Owned], seen: Mapping[ObjectRef, Seen]
) -> tuple[Seen, ...]:
    """Objects of the record that are no longer wanted and still there, the last applied first.

    Volumes and the namespace are never among them: those go by tombstone only.
    """
    return tuple(
        seen[one.ref]
        for one in reversed(owned)
        if one.ref not in wanted
        and one.ref in seen
        and not seen[one.ref].terminating
        and one.ref.kind not in _PERMANENT
        and _is_ours(one, seen[one.ref])
    )


def renewed(rendered: Sequence[Rendered], inventory: Inventory) -> frozenset[ObjectRef]:
    """Objects that were applied in another form than the one rendered now."""
    remembered = inventory.by_ref()
    return frozenset(
        one.ref
        for one in rendered
        if (owned := remembered.get(one.ref)) is not None and owned.uid and owned.rendered != digest_of(one.manifest)
    )


def explained(change: Change, wanted: Manifest, live: Manifest) -> Change:
    """The change with its fields named, now that the whole live object was read."""
    if change.action is Action.CREATE:
        return change
    paths = list(_differing(wanted, live, ""))
    if change.action is Action.UPDATE:
        return replace(change, why=_named(paths) or "a field is no longer wanted")
    return replace(change, why=f"{change.why}: {_named(paths)}") if paths else change


def _is_ours(owned: Owned, live: Seen) -> bool:
    # Without a uid the outcome of an apply was never learnt: then the server's own record of who applied it counts.
    return live.uid == owned.uid if owned.uid else bool(live.ownership)


def _change(wanted: Rendered, owned: Owned | None, live: Seen | None) -> Change | None:
    ref = wanted.ref
    known = owned if owned is not None and owned.uid else None
    if live is None:
        if known is not None:
            return Change(ref, Action.REPAIR, "it was deleted by somebody else")
        return Change(ref, Action.CREATE, "it does not exist yet")
    if live.terminating:
        return None  # it can be made again only when it is gone; its end wakes us
    if known is None:
        return Change(ref, Action.UPDATE, "it exists and belongs to this instance, but is not in the inventory")
    if known.rendered != digest_of(wanted.manifest):
        return Change(ref, Action.UPDATE, "another form of it is wanted")
    return _drift(known, live)


def _drift(owned: Owned, live: Seen) -> Change | None:
    ref = owned.ref
    if owned.uid != live.uid:
        return Change(ref, Action.REPAIR, "it was deleted and made again by somebody else")
    if given_up(owned, live):
        return Change(ref, Action.UPDATE, "who held fields of it has given them up")
    if not intact(owned, live):
        return Change(ref, Action.REPAIR, f"its fields were changed by {latest_stranger(live) or 'an unnamed manager'}")
    return None


def latest_stranger(live: Seen) -> str:
    """The manager, other than us and the status writers, that wrote to the object last; empty if there is none."""
    return live.holders[0] if live.holders else ""


def _named(paths: Sequence[str]) -> str:
    more = f" and {len(paths) - _NAMED_FIELDS} more" if len(paths) > _NAMED_FIELDS else ""
    return ", ".join(paths[:_NAMED_FIELDS]) + more


def _differing(wanted: Any, live: Any, path: str) -> Iterator[str]:
    if isinstance(wanted, dict) and isinstance(live, dict):
        for key, value in wanted.items():
            yield from _differing(value, live.get(key), f"{path}.{key}" if path else key)
    elif isinstance(wanted, list) and isinstance(live, list) and len(wanted) == len(live):
        for place, (mine, theirs) in enumerate(zip(wanted, live, strict=True)):
            yield from _differing(mine, theirs, f"{path}[{_name(mine, place)}]")
    elif wanted != live:
        # Nowhere but in a spec: the same words may name content of a ConfigMap or a Secret.
        quoted = path.startswith("spec.") and path.rpartition(".")[2] in QUOTED and not isinstance(wanted, dict | list)
        yield f"{path}: {live} → {wanted}" if quoted else f"{path} changed"


def _name(item: Any, place: int) -> str:
    return str(item["name"]) if isinstance(item, dict) and "name" in item else str(place)
