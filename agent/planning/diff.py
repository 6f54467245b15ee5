"""What must change so that the cluster shows what was rendered, each change with its reason. Pure.

Here: comparing wanted, remembered and seen. Not here: in which order (stages), whether at all (guard), doing it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from agent.model.changes import Action, Change
from agent.model.objects import Inventory, Manifest, ObjectRef, Owned, Rendered, Seen
from agent.planning.ownership import digest_of, intact, latest_stranger, ownership_of

_NAMED_FIELDS = 3
_QUOTED = frozenset({"replicas", "image", "minAvailable", "maxUnavailable", "storage"})
"""Only these values are quoted in a reason: any other may be, or be near, something private."""


@dataclass(frozen=True, slots=True)
class Planned:
    """A change and the object as it shall be."""

    change: Change
    rendered: Rendered


def settled(inventory: Inventory, seen: Mapping[ObjectRef, Seen]) -> bool:
    """Whether every object of the inventory that is in view is still as we applied it."""
    return all(intact(owned, seen.get(owned.ref)) for owned in inventory.owned)


def diff(rendered: Sequence[Rendered], *, inventory: Inventory, seen: Mapping[ObjectRef, Seen]) -> tuple[Planned, ...]:
    """The changes that lead from what is seen to what was rendered, in the order of rendering."""
    remembered = inventory.by_ref()
    planned = []
    for wanted in rendered:
        change = _change(wanted, remembered.get(wanted.ref), seen.get(wanted.ref))
        if change is not None:
            planned.append(Planned(change, wanted))
    return tuple(planned)


def superseded(
    wanted: Collection[ObjectRef], *, inventory: Inventory, seen: Mapping[ObjectRef, Seen]
) -> tuple[Seen, ...]:
    """Objects of the inventory that are no longer wanted and still there, the last applied first.

    Volumes and the namespace are never among them: those go by tombstone only.
    """
    return tuple(
        seen[owned.ref]
        for owned in reversed(inventory.owned)
        if owned.ref not in wanted
        and owned.ref in seen
        and not seen[owned.ref].terminating
        and owned.ref.kind not in {"Namespace", "PersistentVolumeClaim"}
        and _is_ours(owned, seen[owned.ref])
    )


def _is_ours(owned: Owned, live: Seen) -> bool:
    # Without a uid the outcome of an apply was never learnt: then the server's own record of who applied it counts.
    return live.uid == owned.uid if owned.uid else bool(ownership_of(live.manifest))


def _change(wanted: Rendered, owned: Owned | None, live: Seen | None) -> Change | None:
    ref = wanted.ref
    if live is None:
        if owned is not None and owned.uid:
            return Change(ref, Action.REPAIR, "it was deleted by somebody else")
        return Change(ref, Action.CREATE, "it does not exist yet")
    if live.terminating:
        return None  # it can be made again only when it is gone; its end wakes us
    if owned is None or not owned.uid:
        return Change(ref, Action.UPDATE, "it exists and belongs to this instance, but is not in the inventory")
    if owned.rendered != digest_of(wanted.manifest):
        return Change(ref, Action.UPDATE, _difference(wanted.manifest, live.manifest))
    if owned.uid != live.uid:
        return Change(ref, Action.REPAIR, "it was deleted and made again by somebody else")
    if not intact(owned, live):
        stranger = latest_stranger(live)
        return Change(ref, Action.REPAIR, f"its fields were changed by {stranger or 'an unnamed manager'}")
    return None


def _difference(wanted: Manifest, live: Manifest) -> str:
    paths = list(_differing(wanted, live, ""))
    if not paths:
        return "a field is no longer wanted"
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
        quoted = path.rpartition(".")[2] in _QUOTED and not isinstance(wanted, dict | list)
        yield f"{path}: {live} → {wanted}" if quoted else f"{path} changed"


def _name(item: Any, place: int) -> str:
    return str(item["name"]) if isinstance(item, dict) and "name" in item else str(place)
