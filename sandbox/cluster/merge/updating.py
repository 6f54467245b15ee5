"""Ownership after writes that are not applies: create, PUT, and every patch but apply.

Here: the bookkeeping for such a write. Not here: the write itself, which the caller has done already.
Source: k8s.io/apimachinery pkg/util/managedfields and sigs.k8s.io/structured-merge-diff/v6 merge.Updater.Update.
"""

from dataclasses import replace

from sandbox.cluster.merge.comparing import changes
from sandbox.cluster.merge.entries import (
    Entry,
    Owners,
    Who,
    bare,
    capped,
    less,
    owned_only,
    owners_of,
    updater,
    wants_reset,
    with_owners,
)
from sandbox.cluster.merge.fieldsets import union, without
from sandbox.cluster.merge.ownership import conformed
from sandbox.cluster.merge.resets import reset_fields
from sandbox.cluster.merge.settling import decoded, stored
from sandbox.cluster.merge.shapes import Object, Schema
from sandbox.cluster.merge.walking import Misfit


def update(  # noqa: PLR0913 - one argument for each thing that a request says
    live: Object | None, new: Object, *, manager: str, now: str, schema: Schema, subresource: str = ""
) -> Object:
    """The new object with ownership of what it changes given to this manager.

    What the server fills in because the client left it out (defaults) belongs to the client and must be in `new`
    already; what the server adds on its own (addresses, versions, times) must not.

    Args:
        live: the stored object, or None for a create.
        new: the object as it shall be; a client may have edited or emptied its `metadata.managedFields`.
        manager: the field manager; empty counts as `unknown`.
        now: the time of the request, as RFC 3339 in UTC and whole seconds.
        schema: the schema of its kind.
        subresource: the door that the write came through, for example `status`; empty for the object itself.

    Returns:
        A new object; neither argument is touched or shared.

    Raises:
        InvalidObject: a value in `new` has another type than its field.
    """
    result = decoded(new, schema)
    owners = _inherited(live, new, subresource, schema=schema)
    if live is None or owners:
        before = schema.zero if live is None else live
        who = updater(manager, schema.group_version, subresource)
        try:
            owners = capped(updated(owners, (bare(before), bare(result)), who, now=now, schema=schema))
        except Misfit:
            # An object without the keys that its lists are found by has no owners until it is mended.
            owners = {}
    return with_owners(stored(result, schema), owners)


def _inherited(live: Object | None, new: Object, subresource: str, *, schema: Schema) -> Owners:
    """The entries to go on from: the client's edited ones, or the stored ones if it sent none that can be read."""
    stored_ones = owners_of(live or {})
    if subresource:
        return stored_ones
    if wants_reset(new):
        return {}
    try:
        edited = owners_of(new)
    except ValueError:
        return stored_ones
    fitting = {who: replace(entry, fields=conformed(entry.fields, schema.root)) for who, entry in edited.items()}
    return fitting or stored_ones


def updated(owners: Owners, states: tuple[Object, Object], who: Who, *, now: str, schema: Schema) -> Owners:
    """The entries after a change from the first state to the second by this updater.

    Raises:
        Misfit: a list item has nothing to be found by.
    """
    found = changes(*states, schema.root)
    reset = reset_fields(schema, who.subresource)
    gained = without(union(found.modified, found.added), reset)
    result = less(owners, union(gained, without(found.removed, reset)), version=schema.group_version)
    own = owned_only(gained)
    if own:
        before = result.get(who)
        result[who] = Entry(union(own, before.fields) if before else own, schema.group_version, now)
    return result
