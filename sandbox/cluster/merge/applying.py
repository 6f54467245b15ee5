"""Server-side apply: one manager's intent laid over an object, with everybody's ownership kept straight.

Here: the whole operation on values. Not here: defaults, validation and storage, which come after it on a server.
Source: k8s.io/apimachinery pkg/util/managedfields and sigs.k8s.io/structured-merge-diff/v6 merge.Updater.Apply.
"""

from dataclasses import dataclass
from typing import Any

from sandbox.cluster.merge import lastapplied
from sandbox.cluster.merge.comparing import changes
from sandbox.cluster.merge.entries import (
    Entry,
    Owners,
    Who,
    all_fields,
    applier,
    bare,
    less,
    owned_only,
    owners_of,
    updater,
    with_owners,
)
from sandbox.cluster.merge.fieldsets import FieldSet, difference, intersection, union, without
from sandbox.cluster.merge.merging import merged
from sandbox.cluster.merge.ownership import check, fields_of
from sandbox.cluster.merge.pruning import pruned
from sandbox.cluster.merge.refusals import ApplyConflict, InvalidApply, misfit, unconvertible, unreadable
from sandbox.cluster.merge.resets import reset_fields
from sandbox.cluster.merge.settling import settled, stored
from sandbox.cluster.merge.shapes import Object, Schema
from sandbox.cluster.merge.updating import updated
from sandbox.cluster.merge.walking import Misfit

# Who owns what was there before anybody's ownership was written down.
_BEFORE = "before-first-apply"


@dataclass(frozen=True, slots=True)
class _Intent:
    """What one request says: the object, who applies it through which door, and when."""

    applied: Object
    fields: FieldSet
    who: Who
    now: str
    schema: Schema

    @property
    def reset(self) -> FieldSet:
        return reset_fields(self.schema, self.who.subresource)


def apply(  # noqa: PLR0913 - one argument for each thing that a request says
    live: Object | None,
    applied: Object,
    *,
    manager: str,
    force: bool,
    now: str,
    schema: Schema,
    subresource: str = "",
) -> Object:
    """The object after a server-side apply.

    What this manager applied the last time and does not send any more leaves the object, unless somebody else holds it.
    Defaults come after this: what they fill in belongs to nobody.

    Args:
        live: the stored object, or None if the apply creates it.
        applied: what the client sent, with `apiVersion` and `kind`.
        manager: the field manager; empty counts as `unknown`.
        force: take over what others hold with other values.
        now: the time of the request, as RFC 3339 in UTC and whole seconds.
        schema: the schema of its kind.
        subresource: the door that the apply came through, for example `status`; empty for the object itself.

    Returns:
        A new object with `metadata.managedFields`; neither argument is touched or shared.

    Raises:
        ApplyConflict: others hold fields with other values, and `force` is off.
        InvalidApply: the object is of another kind, brings managedFields along, or does not fit its schema.
    """
    _check_head(applied, schema)
    try:
        check(applied, schema.root)
        intent = _Intent(applied, fields_of(applied, schema.root), applier(manager, subresource), now, schema)
    except Misfit as problem:
        raise misfit(applied, schema.group_version, problem) from problem
    before, owners = _known(live, intent)
    try:
        after, owners = _applied(before, owners, intent, force=force)
    except ApplyConflict as refused:
        if manager != lastapplied.KUBECTL:
            raise
        lastapplied.allow(refused, before, schema)
        after, owners = _applied(before, owners, intent, force=True)
    try:
        result = stored(settled(after, schema), schema)
    except Misfit as problem:
        raise unconvertible(applied, schema.group_version, problem.reason) from problem
    if manager == lastapplied.KUBECTL:
        lastapplied.refresh(result, applied)
    return with_owners(result, owners)


def _check_head(applied: Object, schema: Schema) -> None:
    version, kind = applied.get("apiVersion") or "", applied.get("kind") or ""
    if (version, kind) != (schema.group_version, schema.kind):
        group, _, name = version.rpartition("/")
        raise InvalidApply(f"invalid object type: {group}/{name}, Kind={kind}", status=400, reason="BadRequest")
    metadata = applied.get("metadata")
    if isinstance(metadata, dict) and metadata.get("managedFields") is not None:
        raise InvalidApply("metadata.managedFields must be nil", status=400, reason="BadRequest")


def _known(live: Object | None, intent: _Intent) -> tuple[Object, Owners]:
    """The object without its entries, and its entries."""
    schema = intent.schema
    before = bare(schema.zero if live is None else live)
    owners = owners_of(live or {})
    if owners:
        return before, owners
    first = updater(_BEFORE, schema.group_version, intent.who.subresource)
    try:
        return before, updated({}, (bare(schema.zero), before), first, now=intent.now, schema=schema)
    except Misfit as problem:
        raise unreadable(before, schema.group_version, problem) from problem


def _applied(before: Object, owners: Owners, intent: _Intent, *, force: bool) -> tuple[Object, Owners]:
    schema, who = intent.schema, intent.who
    own = without(intent.fields, intent.reset)
    others = {other: entry for other, entry in owners.items() if other != who}
    last = owners.get(who)
    after = merged(before, intent.applied, schema.root)
    if last and difference(last.fields, own):
        held = union(all_fields(others.values()), own)
        after = pruned(after, schema.root, last=last.fields, held=held)
    left = _others_after(others, (before, after), intent, force=force)
    kept = owned_only(own)
    if kept:
        untouched = after is before or after == before
        time = (last.time if last else None) if untouched else intent.now
        left[who] = Entry(kept, schema.group_version, time)
    return after, left


def _others_after(others: Owners, states: tuple[Any, Any], intent: _Intent, *, force: bool) -> Owners:
    """What the others still hold after the change; refused if they hold what changes and nobody forces it."""
    found = changes(*states, intent.schema.root)
    changed = without(union(found.modified, found.added), intent.reset)
    held = {other: intersection(entry.fields, changed) for other, entry in others.items()}
    held = {other: fields for other, fields in held.items() if fields}
    if held and not force:
        raise ApplyConflict(held)
    lost = union(changed, without(found.removed, intent.reset))
    return less(others, lost, version=intent.schema.group_version)
