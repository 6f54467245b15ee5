"""Definitions of custom resources: their kinds are served from the moment on at which they are defined.

Here: what a definition makes known, and the removal of all its objects before it goes. Not here: schemas; whatever a
custom object contains is kept. The storage version alone is served, so nothing is ever converted.
"""

from __future__ import annotations

from collections.abc import Iterator

from sandbox.cluster.behaviours.desk import Desk, condition
from sandbox.cluster.deletion import CLEANUP
from sandbox.cluster.kinds import DEFINITION, Json, Kind
from sandbox.cluster.store import Change, Stored


def kind_of(definition: Json) -> Kind:
    """Return the kind that a definition defines."""
    spec = definition["spec"]
    names, version = spec["names"], next(each for each in spec["versions"] if each["storage"])
    return Kind(
        spec["group"],
        version["name"],
        names["kind"],
        names["plural"],
        namespaced=spec["scope"] == "Namespaced",
        short=tuple(names.get("shortNames", ())),
        categories=tuple(names.get("categories", ())),
        status="status" in (version.get("subresources") or {}),
        counted=("*",),
        unconditional=False,
    )


class Definitions:
    """Looks at definitions, and at custom objects that go."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def concerned(self, change: Change) -> Iterator[Stored]:
        """Yield a definition that came, changed or went, or the one whose object went."""
        if change.after.kind == DEFINITION:
            yield change.after
        elif change.gone:
            kind = change.after.kind
            definition = self._desk.api.store.get(DEFINITION, "", kind.resource)
            if definition is not None:
                yield definition

    def settle(self, stored: Stored) -> None:
        """Serve what is defined; empty it, and then stop serving it, when the definition goes."""
        definition = self._desk.fresh(stored)
        if definition is None:
            self._desk.api.catalogue.drop(kind_of(stored.document))
        elif definition.deleting:
            self._empty(definition)
        else:
            self._serve(definition)

    def _serve(self, definition: Stored) -> None:
        self._desk.api.catalogue.add(kind_of(definition.document))
        status = definition.document["status"]
        conditions = status.get("conditions") or []
        for kind, reason, message in (
            ("NamesAccepted", "NoConflicts", "no conflicts found"),
            ("Established", "InitialNamesAccepted", "the initial names have been accepted"),
        ):
            wanted = {"type": kind, "status": "True", "reason": reason, "message": message}
            conditions = condition(conditions, wanted, self._desk.api.now())
        names = definition.document["spec"]["names"]
        found = status | {"conditions": conditions, "acceptedNames": names}
        self._desk.report(definition, found, manager="kube-apiserver")

    def _empty(self, definition: Stored) -> None:
        kind = kind_of(definition.document)
        for stored in self._desk.api.store.of(kind):
            if not stored.deleting:
                self._desk.delete(stored)
        if not self._desk.api.store.of(kind):
            finalizers = definition.document["metadata"]["finalizers"]
            self._desk.change(
                definition, {"metadata": {"finalizers": [name for name in finalizers if name != CLEANUP]}}
            )
