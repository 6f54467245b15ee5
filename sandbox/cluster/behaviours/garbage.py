"""The garbage collector: objects whose owners are gone, and owners that wait for their dependents.

Here: background, foreground and orphaning deletion, as kubernetes.io describes them. Not here: deleting the owner
itself, which the API does.
"""

from __future__ import annotations

from collections.abc import Iterator

from sandbox.cluster.behaviours.desk import Desk
from sandbox.cluster.behaviours.family import owners_of
from sandbox.cluster.deletion import FOREGROUND, ORPHAN
from sandbox.cluster.kinds import Json, Kind
from sandbox.cluster.store import Change, Stored


class Garbage:
    """Looks at owners that go and at children that come."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def concerned(self, change: Change) -> Iterator[Stored]:
        """Yield what a deletion leaves behind, what waits for a dependent, and what names owners at all."""
        after = change.after
        if change.gone:
            yield from self._desk.family.children(after.uid)
            yield from self._waiting_owners(after)
        elif after.deleting or owners_of(after.document):
            yield after

    def settle(self, stored: Stored) -> None:
        """Collect an object whose owners are all gone; let go what waited for its dependents."""
        present = self._desk.fresh(stored)
        if present is None:
            return
        finalizers = present.document["metadata"].get("finalizers", [])
        if present.deleting and ORPHAN in finalizers:
            self._orphan(present)
        elif present.deleting and FOREGROUND in finalizers:
            self._foreground(present)
        elif owners_of(present.document) and not present.deleting:
            self._collect(present)

    def _waiting_owners(self, gone: Stored) -> Iterator[Stored]:
        for reference in owners_of(gone.document):
            owner = self._owner(gone, reference)
            if owner is not None and owner.deleting:
                yield owner

    def _owner(self, child: Stored, reference: Json) -> Stored | None:
        kind = self._kind(reference)
        if kind is None:
            return None
        found = self._desk.api.store.get(kind, child.namespace if kind.namespaced else "", reference["name"])
        return found if found is not None and found.uid == reference["uid"] else None

    def _kind(self, reference: Json) -> Kind | None:
        return self._desk.api.catalogue.named(reference["apiVersion"], reference["kind"])

    def _orphan(self, owner: Stored) -> None:
        for child in self._desk.family.children(owner.uid):
            self._disown(child, {owner.uid})
        self._release(owner, ORPHAN)

    def _foreground(self, owner: Stored) -> None:
        children = self._desk.family.children(owner.uid)
        for child in children:
            if not child.deleting:
                self._desk.delete(child, policy="Foreground")
        blocking = [
            child
            for child in self._desk.family.children(owner.uid)
            if any(each["uid"] == owner.uid and each.get("blockOwnerDeletion") for each in owners_of(child.document))
        ]
        if not blocking:
            self._release(owner, FOREGROUND)

    def _collect(self, child: Stored) -> None:
        references = owners_of(child.document)
        if any(self._kind(reference) is None for reference in references):
            # Nobody can say whether such an owner is there, so nothing is concluded from the others either.
            return
        owners = {reference["uid"]: self._owner(child, reference) for reference in references}
        absent = {uid for uid, owner in owners.items() if owner is None}
        if len(absent) == len(owners):
            self._desk.delete(child)
        elif absent:
            self._disown(child, absent)

    def _disown(self, child: Stored, uids: set[str]) -> None:
        kept = [reference for reference in owners_of(child.document) if reference["uid"] not in uids]
        self._desk.change(child, {"metadata": {"ownerReferences": kept}})

    def _release(self, owner: Stored, finalizer: str) -> None:
        present = self._desk.fresh(owner)
        if present is not None:
            kept = [name for name in present.document["metadata"]["finalizers"] if name != finalizer]
            self._desk.change(present, {"metadata": {"finalizers": kept}})
