"""Who belongs to whom: an index of owner references, kept by listening to the store.

Here: looking up children by the owner's uid. Not here: what follows from it.
"""

from __future__ import annotations

from collections.abc import Iterator

from sandbox.cluster.kinds import Json, Kind
from sandbox.cluster.store import Change, Key, Store, Stored


def owners_of(document: Json) -> list[Json]:
    """Return an object's owner references."""
    found: list[Json] = document["metadata"].get("ownerReferences", [])
    return found


def controller_of(document: Json) -> Json | None:
    """Return the one owner reference that controls an object, or None."""
    return next((reference for reference in owners_of(document) if reference.get("controller")), None)


class Family:
    """Children by the uid of each of their owners, and the objects that no owner controls."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._children: dict[str, dict[tuple[Kind, Key], None]] = {}
        self._free: dict[Kind, dict[Key, None]] = {}
        store.listen(self._notice)

    def free(self, kind: Kind, namespace: str) -> list[Stored]:
        """Return the objects of a kind in a namespace that nothing controls."""
        found = (self._store.get(kind, *key) for key in self._free.get(kind, {}) if key[0] == namespace)
        return [stored for stored in found if stored is not None]

    def children(self, uid: str) -> list[Stored]:
        """Return the present objects that name ``uid`` among their owners, in the order in which they came."""
        found = (self._store.get(kind, *key) for kind, key in self._children.get(uid, {}))
        return [stored for stored in found if stored is not None]

    def _notice(self, change: Change) -> None:
        place = (change.after.kind, change.after.key)
        free = self._free.setdefault(change.after.kind, {})
        free.pop(change.after.key, None)
        if not change.gone and controller_of(change.after.document) is None:
            free[change.after.key] = None
        for uid in _uids(change.before):
            self._children[uid].pop(place, None)
            if not self._children[uid]:
                del self._children[uid]
        for uid in _uids(None if change.gone else change.after):
            self._children.setdefault(uid, {})[place] = None


def _uids(stored: Stored | None) -> Iterator[str]:
    if stored is not None:
        yield from {reference["uid"]: None for reference in owners_of(stored.document)}
