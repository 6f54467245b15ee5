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
    """Children by the uid of each of their owners."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._children: dict[str, dict[tuple[Kind, Key], None]] = {}
        store.listen(self._notice)

    def children(self, uid: str) -> list[Stored]:
        """Return the present objects that name ``uid`` among their owners, in the order in which they came."""
        found = (self._store.get(kind, *key) for kind, key in self._children.get(uid, {}))
        return [stored for stored in found if stored is not None]

    def _notice(self, change: Change) -> None:
        place = (change.after.kind, change.after.key)
        for uid in _uids(change.before):
            self._children[uid].pop(place, None)
            if not self._children[uid]:
                del self._children[uid]
        for uid in _uids(None if change.gone else change.after):
            self._children.setdefault(uid, {})[place] = None


def _uids(stored: Stored | None) -> Iterator[str]:
    if stored is not None:
        yield from {reference["uid"]: None for reference in owners_of(stored.document)}
