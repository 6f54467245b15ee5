"""`metadata.managedFields`: who set what, when, by which operation.

Here: reading the entries of an object and writing them in the server's order. Not here: how a request changes them
(`applying`, `updating`).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from sandbox.cluster.merge import fieldsets
from sandbox.cluster.merge.fieldsets import FieldSet, difference, union
from sandbox.cluster.merge.shapes import Object

APPLY: Final = "Apply"
UPDATE: Final = "Update"

# More entries by Update than this are not kept apart: the oldest are put together under one name.
MOST_UPDATERS: Final = 10
OLD_UPDATERS: Final = "ancient-changes"

# Fields that nobody owns; names, times and versions are the server's.
_UNOWNED: Final[FieldSet] = {
    "f:apiVersion": {},
    "f:kind": {},
    "f:metadata": {
        ".": {},
        "f:name": {},
        "f:namespace": {},
        "f:creationTimestamp": {},
        "f:selfLink": {},
        "f:uid": {},
        "f:clusterName": {},
        "f:generation": {},
        "f:managedFields": {},
        "f:resourceVersion": {},
    },
}


@dataclass(frozen=True, slots=True)
class Who:
    """What tells two entries apart.

    Attributes:
        name: the field manager's name.
        operation: `Apply` or `Update`; the same name under both makes two entries.
        version: the group and version for an Update; empty for an Apply, which has one entry for all versions.
        subresource: for example `status`; empty for the object itself.
    """

    name: str
    operation: str
    version: str
    subresource: str


@dataclass(frozen=True, slots=True)
class Entry:
    """The fields of one manager: their set, the version they are named in, and when it last changed."""

    fields: FieldSet
    version: str
    time: str | None = None


Owners = dict[Who, Entry]


def applier(name: str, subresource: str) -> Who:
    """The key of an entry made by server-side apply."""
    return Who(name or "unknown", APPLY, "", subresource)


def updater(name: str, version: str, subresource: str) -> Who:
    """The key of an entry made by create, PUT or any patch but apply."""
    return Who(name or "unknown", UPDATE, version, subresource)


def owners_of(value: Mapping[str, Any]) -> Owners:
    """The entries of an object.

    Raises:
        ValueError: an entry is none: no operation, no version, not in the format FieldsV1.
    """
    return dict(_owner(entry) for entry in _entries(value))


def _entries(value: Mapping[str, Any]) -> list[Any]:
    return (value.get("metadata") or {}).get("managedFields") or []


def _owner(entry: Mapping[str, Any]) -> tuple[Who, Entry]:
    operation, version = entry.get("operation"), entry.get("apiVersion")
    if operation not in (APPLY, UPDATE):
        raise ValueError("operation must be `Apply` or `Update`")
    if not version:
        raise ValueError("apiVersion must not be empty")
    if entry.get("fieldsType") != "FieldsV1":
        raise ValueError(f"invalid fieldsType {entry.get('fieldsType')!r}")
    known_in = "" if operation == APPLY else version
    who = Who(entry.get("manager", ""), operation, known_in, entry.get("subresource", ""))
    return who, Entry(fieldsets.read(entry.get("fieldsV1") or {}), version, entry.get("time"))


def bare(value: Object) -> Object:
    """The object without its entries; it shares everything else."""
    metadata = {name: item for name, item in (value.get("metadata") or {}).items() if name != "managedFields"}
    return {**value, "metadata": metadata}


def unchanged(before: Object, after: Object) -> bool:
    """Whether two states of an object differ in nothing but the times of their entries.

    A server does not write then. Entries are compared place by place: if new times put them into another order, that
    is a change.
    """
    return _without_times(before) == _without_times(after) and bare(before) == bare(after)


def _without_times(value: Object) -> list[Object]:
    return [{name: item for name, item in entry.items() if name != "time"} for entry in _entries(value)]


def wants_reset(value: Mapping[str, Any]) -> bool:
    """Whether a client asks to forget all entries: by an empty list, or a list of one empty entry."""
    given = (value.get("metadata") or {}).get("managedFields")
    return given in ([], [{}])


def with_owners(value: Object, owners: Owners) -> Object:
    """The same object, in place, with its entries written: by operation, time, name, version and subresource."""
    metadata = value.setdefault("metadata", {})
    metadata.pop("managedFields", None)
    ordered = sorted(owners.items(), key=_rank)
    if ordered:
        metadata["managedFields"] = [_written(who, entry) for who, entry in ordered]
    return value


def _rank(owner: tuple[Who, Entry]) -> tuple[str, ...]:
    who, entry = owner
    return who.operation, entry.time or "", who.name, entry.version, who.subresource


def _written(who: Who, entry: Entry) -> Object:
    result: Object = {"manager": who.name} if who.name else {}
    result |= {"operation": who.operation, "apiVersion": entry.version}
    if entry.time:
        result["time"] = entry.time
    result |= {"fieldsType": "FieldsV1", "fieldsV1": fieldsets.written(entry.fields)}
    if who.subresource:
        result["subresource"] = who.subresource
    return result


def owned_only(fields: FieldSet) -> FieldSet:
    """The set without the fields that nobody owns."""
    return difference(fields, _UNOWNED)


def all_fields(owners: Iterable[Entry]) -> FieldSet:
    """What anybody owns."""
    result: FieldSet = {}
    for entry in owners:
        result = union(result, entry.fields)
    return result


def less(owners: Owners, lost: FieldSet, *, version: str) -> Owners:
    """The entries after they lost these fields; one that has none left goes, and so does one of another version.

    The server can name the same fields in every version that it serves; here there is one.
    """
    result = {}
    for who, entry in owners.items():
        left = difference(entry.fields, lost)
        if left and entry.version == version:
            result[who] = entry if left is entry.fields else replace(entry, fields=left)
    return result


def capped(owners: Owners) -> Owners:
    """The entries with no more updaters than the server keeps; the oldest of a version are put together."""
    updaters = sorted(
        (who for who in owners if who.operation == UPDATE), key=lambda who: (owners[who].time or "", who.name)
    )
    surplus = len(updaters) - MOST_UPDATERS
    result = dict(owners)
    first: dict[str, Who] = {}
    for who in updaters:
        if surplus <= 0:
            break
        version = owners[who].version
        if version not in first:
            first[version] = who
            continue
        bucket = updater(OLD_UPDATERS, version, "")
        if bucket not in result:
            result[bucket] = result.pop(first[version])
        entry = result.pop(who)
        result[bucket] = replace(entry, fields=union(entry.fields, result[bucket].fields))
        surplus -= 1
    return result
