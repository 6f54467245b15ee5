"""What every behaviour works with: writing under its own name, looking at an owner's children, coming back later.

Here: the few verbs that controllers need, over the API. Not here: any decision.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from sandbox.cluster.api import Api, Write
from sandbox.cluster.behaviours.family import Family, controller_of, owners_of
from sandbox.cluster.behaviours.happenings import Happening, repeated
from sandbox.cluster.deletion import Deletion, delete
from sandbox.cluster.errors import ApiError
from sandbox.cluster.kinds import EVENT, Json, Kind
from sandbox.cluster.pace import micro_stamp
from sandbox.cluster.selectors import labels_of, selected, workload_selector
from sandbox.cluster.store import Change, Stored

_EVENTS_KEPT_SECONDS = 3600
CONTROLLERS = "kube-controller-manager"


class Behaviour(Protocol):
    """One program of the cluster."""

    def concerned(self, change: Change) -> Iterator[Stored]:
        """Yield the objects that a change gives reason to look at."""

    def settle(self, stored: Stored) -> None:
        """Bring what depends on an object in order; the object may have changed or gone since."""


@dataclass(frozen=True, slots=True)
class Desk:
    """A behaviour's means. ``later`` calls an action after some seconds, at once for zero."""

    api: Api
    family: Family
    later: Callable[[float, Callable[[], None]], None]

    def fresh(self, stored: Stored) -> Stored | None:
        """Return the present version of the very same object, or None when it is gone."""
        present = self.api.store.get(stored.kind, stored.namespace, stored.name)
        return present if present is not None and present.uid == stored.uid else None

    def children(self, owner: Stored, kind: Kind) -> list[Stored]:
        """Return the objects of a kind that ``owner`` controls, oldest name first."""
        return [child for child in self.family.children(owner.uid) if child.kind == kind]

    def adopt(self, owner: Stored, kind: Kind) -> None:
        """Take control of the objects of a kind that fit the owner's selector and that nothing controls."""
        selector = workload_selector(owner.document["spec"]["selector"])
        for stored in self.family.free(kind, owner.namespace):
            if not stored.deleting and selected(selector, labels_of(stored.document)):
                references = [*owners_of(stored.document), owned_by(owner)]
                self.change(stored, {"metadata": {"ownerReferences": references}})

    def parent(self, stored: Stored, kind: Kind) -> Stored | None:
        """Return the object of a kind that controls ``stored``, if it is still there."""
        reference = controller_of(stored.document)
        if reference is None or (reference["apiVersion"], reference["kind"]) != (kind.api_version, kind.name):
            return None
        found = self.api.store.get(kind, stored.namespace, reference["name"])
        return found if found is not None and found.uid == reference["uid"] else None

    def create(self, kind: Kind, document: Json) -> Stored:
        """Create an object."""
        head = {"apiVersion": kind.api_version, "kind": kind.name}
        return self.api.create(kind, head | document, Write(CONTROLLERS))

    def change(self, stored: Stored, content: Json) -> Stored:
        """Replace some of an object's top-level parts; nothing is written when they are as they should be."""
        document = {key: value for key, value in stored.document.items() if key != "metadata"}
        metadata = stored.document["metadata"] | content.get("metadata", {})
        return self.api.replace(stored, document | content | {"metadata": metadata}, Write(CONTROLLERS))

    def report(
        self, stored: Stored, status: Json, *, manager: str = CONTROLLERS, annotations: Json | None = None
    ) -> Stored:
        """Write an object's status, and annotations with it; nothing is written when all is as it should be."""
        metadata = stored.document["metadata"]
        if annotations:
            metadata = metadata | {"annotations": metadata.get("annotations", {}) | annotations}
        document = stored.document | {"status": status, "metadata": metadata}
        return self.api.replace(stored, document, Write(manager, subresource="status"))

    def tell(self, about: Stored, happening: Happening) -> None:
        """Tell what happened to an object, as an Event that is forgotten after an hour.

        A namespace that is being removed takes no Events any more, which is no reason to stop.
        """
        now = self.api.now()
        known = self.api.store.get(EVENT, about.namespace, happening.name(about))
        if known is not None:
            self.change(known, repeated(known.document, now=now))
            return
        event = happening.event(about, now=now, precisely=micro_stamp(self.api.pace.now()))
        with contextlib.suppress(ApiError):
            told = self.create(EVENT, event)
            self.later(_EVENTS_KEPT_SECONDS, lambda: self.forget(told))

    def forget(self, seen: Stored) -> None:
        """Delete an object, if it is still there."""
        present = self.fresh(seen)
        if present is not None:
            self.delete(present)

    def delete(self, stored: Stored, *, policy: str = "Background", grace_seconds: int | None = None) -> None:
        """Delete this very object."""
        delete(self.api, stored, Deletion(uid=stored.uid, policy=policy, grace_seconds=grace_seconds))


def owned_by(owner: Stored) -> Json:
    """Return the reference that makes an object a controlled child of ``owner``."""
    return {
        "apiVersion": owner.kind.api_version,
        "kind": owner.kind.name,
        "name": owner.name,
        "uid": owner.uid,
        "controller": True,
        "blockOwnerDeletion": True,
    }


def condition(present: Sequence[Json], wanted: Json, now: str) -> list[Json]:
    """Return conditions with one of them set; its transition time moves only with its status."""
    same = [each for each in present if each["type"] == wanted["type"]]
    unmoved = same and same[0]["status"] == wanted["status"]
    moment = same[0]["lastTransitionTime"] if unmoved else now
    return [each for each in present if each["type"] != wanted["type"]] + [wanted | {"lastTransitionTime": moment}]


def is_true(document: Json, kind: str) -> bool:
    """Say whether a condition of an object is true."""
    conditions = document.get("status", {}).get("conditions", [])
    return any(each["type"] == kind and each["status"] == "True" for each in conditions)
