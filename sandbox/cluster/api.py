"""Writes: what the API server does between a decoded request and the store.

Here: create, replace, patch, apply and delete of one object, each within one step of the loop, used by HTTP requests
and by the simulated controllers alike. Not here: HTTP, reading, what controllers decide.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

import jsonpatch

from sandbox.cluster import admission, errors, merge, scaling
from sandbox.cluster.conventions import allocate, checks, lives, names
from sandbox.cluster.errors import ApiError, Cause
from sandbox.cluster.kinds import POD, Catalogue, Json, Kind
from sandbox.cluster.pace import Pace, stamp
from sandbox.cluster.store import Store, Stored, held_by

JSON_PATCH = "application/json-patch+json"
MERGE_PATCH = "application/merge-patch+json"
STRATEGIC_PATCH = "application/strategic-merge-patch+json"
APPLY_PATCH = "application/apply-patch+yaml"
_COUNTING_DOORS = {"", "scale"}
PATCHES = (JSON_PATCH, MERGE_PATCH, APPLY_PATCH, STRATEGIC_PATCH)


@dataclass(frozen=True, slots=True)
class Write:
    """Who writes, to which part, and how: ``manager`` owns the fields, ``dry_run`` stores nothing."""

    manager: str
    subresource: str = ""
    dry_run: bool = False
    force: bool = False


class Api:
    """The writing half of the API server."""

    def __init__(self, store: Store, catalogue: Catalogue, pace: Pace) -> None:
        self.store = store
        self.catalogue = catalogue
        self.pace = pace
        self._gifts = allocate.Gifts(store)

    def now(self) -> str:
        """Return the present moment as objects carry it."""
        return stamp(self.pace.now())

    def live(self, kind: Kind, namespace: str, name: str) -> Stored:
        """Return an object.

        Raises:
            ApiError: 404.
        """
        stored = self.store.get(kind, namespace, name)
        if stored is None:
            raise errors.not_found(kind, name)
        return stored

    def create(self, kind: Kind, document: Json, write: Write) -> Stored:
        """Create an object; a missing name is made from ``generateName``.

        Raises:
            ApiError: 404 or 403 for its namespace, 409 when it exists, 422 for its content.
        """
        schema = schema_of(kind)
        with errors.shaped(kind):
            born = self._newborn(kind, merge.decoded(document, schema))
        owned = merge.update(None, born, manager=write.manager, now=self.now(), schema=schema)
        return self._settle_in(kind, owned, write)

    def replace(self, live: Stored, document: Json, write: Write) -> Stored:
        """Replace an object, or one part of it; a resourceVersion in ``document`` is a precondition.

        Raises:
            ApiError: 409 when the precondition fails, 422 for the content.
        """
        self._require_same(live, document["metadata"])
        schema = schema_of(live.kind)
        with errors.shaped(live.kind):
            read = merge.decoded(document, schema)
            revised = lives.revised(live.kind, live.document, read, subresource=write.subresource)
        owned = merge.update(
            live.document, revised, manager=write.manager, now=self._written_at(write), schema=schema,
            subresource=write.subresource,
        )  # fmt: skip
        return self._commit(live, owned, write)

    def apply(self, live: Stored, applied: Json, write: Write) -> Stored:
        """Apply one manager's intent to an object.

        Raises:
            ApiError: 409 naming the managers and fields in conflict, 422 for the content.
        """
        merged = self._merged(live.document, applied, live.kind, write)
        if write.subresource == "scale":
            # A Scale from which the last owner took the replicas says none; a workload itself would say one.
            merged["spec"].setdefault("replicas", 0)
        self._require_same(live, merged["metadata"])
        if merge.unchanged(live.document, merged):
            return live
        revised = lives.revised(live.kind, live.document, merged, subresource=write.subresource)
        return self._commit(live, revised, write)

    def apply_new(self, kind: Kind, applied: Json, write: Write, *, place: Json) -> Stored:
        """Create an object out of one manager's intent; ``place`` are its name and namespace.

        Raises:
            ApiError: as for ``create``; 409 when it is meant for an object of a certain uid.
        """
        uid = (applied.get("metadata") or {}).get("uid")
        if uid:
            message = f"uid mismatch: the provided object specified uid {uid}, and no existing object was found"
            raise errors.conflict(kind, place["name"], message)
        merged = self._merged(None, applied, kind, write)
        owners = merged["metadata"].get("managedFields", [])
        with errors.shaped(kind):
            born = self._newborn(kind, merged | {"metadata": merged["metadata"] | place})
        born["metadata"]["managedFields"] = owners
        return self._settle_in(kind, born, write)

    def _written_at(self, write: Write) -> str:
        """Return the time that an entry gets; what is owned through a Scale has none, it gets lost on the way back."""
        return "" if write.subresource == "scale" else self.now()

    def _merged(self, live: Json | None, applied: Json, kind: Kind, write: Write) -> Json:
        schema = schema_of(kind)
        try:
            return merge.apply(
                live, applied, manager=write.manager, force=write.force, now=self._written_at(write), schema=schema,
                subresource=write.subresource,
            )  # fmt: skip
        except merge.ApplyConflict as conflict:
            seen_as = scaling.SCALE if write.subresource == "scale" else kind
            raise errors.contested(conflict, kind=kind, seen_as=seen_as) from conflict
        except merge.InvalidApply as fault:
            raise ApiError(fault.status, fault.reason, str(fault)) from fault

    def _newborn(self, kind: Kind, document: Json) -> Json:
        metadata = document["metadata"]
        name, prefix = metadata.get("name", ""), metadata.get("generateName", "")
        # Who refuses before a name is made speaks of what it would begin with.
        if kind.namespaced:
            admission.require_open(self.store, kind, metadata["namespace"], name or prefix)
        if kind == POD:
            admission.require_account(self.store, document, name or prefix)
        if not name and prefix:
            name = names.generated(prefix, lambda made: self._is_taken(kind, metadata, made))
        if self._is_taken(kind, metadata, name):
            raise errors.already_exists(kind, name)
        return lives.born(kind, document | {"metadata": metadata | {"name": name}}, now=self.now())

    def _is_taken(self, kind: Kind, metadata: Json, name: str) -> bool:
        return self.store.get(kind, metadata.get("namespace", ""), name) is not None

    def _settle_in(self, kind: Kind, document: Json, write: Write) -> Stored:
        self._gifts.give(kind, document)
        self._require_sound(kind, document, None)
        if write.dry_run:
            return unsaved(kind, document)
        return self.store.put(kind, document)

    def _commit(self, live: Stored, revised: Json, write: Write) -> Stored:
        if merge.unchanged(live.document, revised):
            return live
        # What may not change is a rule of the object itself: other doors let through no more than their own part.
        self._require_sound(live.kind, revised, None if write.subresource else live.document)
        admission.require_growth(self.store, live, revised)
        if write.subresource in _COUNTING_DOORS and lives.counts_as_new_generation(live.kind, live.document, revised):
            revised["metadata"]["generation"] = live.document["metadata"].get("generation", 0) + 1
        if write.dry_run:
            return unsaved(live.kind, revised)
        if live.deleting and not lives.held(live.kind, revised):
            return self.store.remove(live, revised)
        return self.store.put(live.kind, revised)

    def _require_same(self, live: Stored, metadata: Json) -> None:
        if metadata.get("resourceVersion") not in {None, "", str(live.version)}:
            raise errors.modified(live.kind, live.name)
        if metadata.get("uid") not in {None, "", live.uid}:
            # The real server looks twice: as a rule of all objects and as one of this kind.
            raise errors.invalid(live.kind, live.name, [Cause.immutable("metadata.uid", metadata["uid"])] * 2)

    def _require_sound(self, kind: Kind, document: Json, live: Json | None) -> None:
        with errors.shaped(kind):
            found = checks.faults(kind, document, live)
        if found:
            raise errors.invalid(kind, document["metadata"].get("name", ""), found)


def schema_of(kind: Kind) -> merge.Schema:
    """Return the shape of a kind's objects."""
    return merge.schema_for(kind.api_version, kind.name, has_status=kind.status)


def unsaved(kind: Kind, document: Json) -> Stored:
    """Return an object as a dry run answers it: complete, but not stored and without a version of its own."""
    return held_by(kind, document, int(document["metadata"].get("resourceVersion", 0)))


def patched(kind: Kind, live: Json, patch: Any, form: str) -> Json:
    """Return what a patch makes of a document, which stays as it is; ``form`` is the patch's media type.

    Raises:
        ApiError: 400 for a patch that is none, 422 for operations of a JSON patch that do not fit the document.
    """
    if isinstance(patch, list) is not (form == JSON_PATCH):
        raise errors.bad_request(f"error decoding patch: {type(patch).__name__} is not what {form} consists of")
    try:
        if form == STRATEGIC_PATCH:
            return merge.strategic_merge(live, patch, schema_of(kind))
        if form == MERGE_PATCH:
            return merge.json_merge(live, patch)
        result: Json = jsonpatch.apply_patch(copy.deepcopy(live), patch)
    except merge.InvalidPatch as fault:
        raise ApiError(fault.status, fault.reason, str(fault)) from fault
    except (jsonpatch.JsonPatchException, jsonpatch.JsonPointerException) as fault:
        raise errors.unfitting_patch() from fault
    return result
