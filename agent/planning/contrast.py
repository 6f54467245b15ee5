"""What tells two states of one object apart, field by field, in words that may be shown to anybody. Pure.

Only numbers, sizes and images of a spec are quoted: any other value may be, or be near, something private, and of it no
more is said than that it differs. What the server keeps for itself (status, versions, ownership) is no difference.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from agent.model.objects import Manifest
from agent.planning.diff import QUOTED

_SERVERS_OWN = frozenset({"managedFields", "resourceVersion", "uid", "generation", "creationTimestamp", "selfLink"})
_NOT_WANTED = frozenset({"apiVersion", "kind", "status"})
_FREE = frozenset({"annotations", "labels", "matchLabels", "nodeSelector", "env"})
"""Below these, people choose the names: one that reads like a harmless field says nothing of what it holds."""
_NAMES = (("name",), ("metadata", "name"), ("containerPort",), ("port",), ("key",), ("mountPath",))
"""What names an item of a list for people, the first that all items have and no two share."""


class Sign(StrEnum):
    """What becomes of a field."""

    ADDED = "added"
    REMOVED = "removed"
    CHANGED = "changed"


@dataclass(frozen=True, slots=True)
class FieldChange:
    """One field that differs. ``was`` and ``becomes`` are None where there is no value, or none that may be shown."""

    path: str
    sign: Sign
    was: str | None = None
    becomes: str | None = None


def contrast(before: Manifest, after: Manifest, *, partial: bool = False) -> tuple[FieldChange, ...]:
    """The fields in which ``after`` differs. ``partial``: it names only some fields, and the others stay."""
    return tuple(_between(_own(before), _own(after), "", partial=partial))


def birth(wanted: Manifest) -> tuple[FieldChange, ...]:
    """What may be told of an object that is not there yet: its quoted fields."""
    return tuple(change for change in contrast({}, wanted) if change.becomes is not None)


def _own(manifest: Manifest) -> Manifest:
    own = {key: value for key, value in manifest.items() if key not in _NOT_WANTED}
    metadata = own.get("metadata") or {}
    return {**own, "metadata": {key: value for key, value in metadata.items() if key not in _SERVERS_OWN}}


def _between(before: Any, after: Any, path: str, *, partial: bool) -> Iterator[FieldChange]:
    if isinstance(before, dict) and isinstance(after, dict):
        yield from _of_mappings(before, after, path, partial=partial)
    elif isinstance(before, list) and isinstance(after, list):
        yield from _of_lists(before, after, path, partial=partial)
    elif before != after:
        yield FieldChange(path, Sign.CHANGED, _quoted(path, before), _quoted(path, after))


def _of_mappings(
    before: Mapping[str, Any], after: Mapping[str, Any], path: str, *, partial: bool
) -> Iterator[FieldChange]:
    for key in (*after, *(() if partial else (key for key in before if key not in after))):
        below = f"{path}.{key}" if path else key
        if key not in before:
            yield from _appeared(after[key], below, Sign.ADDED)
        elif key not in after:
            yield from _appeared(before[key], below, Sign.REMOVED)
        else:
            yield from _between(before[key], after[key], below, partial=partial)


def _of_lists(before: list[Any], after: list[Any], path: str, *, partial: bool) -> Iterator[FieldChange]:
    for name in _NAMES:
        olds, news = _by(name, before), _by(name, after)
        if olds is not None and news is not None:
            yield from _of_items(olds, news, path, partial=partial)
            return
    if len(before) != len(after):
        yield FieldChange(path, Sign.CHANGED)
        return
    for place, (old, new) in enumerate(zip(before, after, strict=True)):
        yield from _between(old, new, f"{path}[{place}]", partial=partial)


def _of_items(
    before: Mapping[str, Any], after: Mapping[str, Any], path: str, *, partial: bool
) -> Iterator[FieldChange]:
    """Items that can be told apart; in a partial list, those that are not named belong to others."""
    for key in (*after, *(() if partial else (key for key in before if key not in after))):
        below = f"{path}[{key}]"
        if key not in before:
            yield from _appeared(after[key], below, Sign.ADDED)
        elif key not in after:
            yield from _appeared(before[key], below, Sign.REMOVED)
        else:
            yield from _between(before[key], after[key], below, partial=partial)


def _by(name: Sequence[str], items: list[Any]) -> dict[str, Any] | None:
    """The items by what is there under this name; None where that does not tell them apart."""
    found = {str(key): item for item in items if (key := _at(item, name)) is not None}
    return found if len(found) == len(items) else None


def _at(item: Any, path: Sequence[str]) -> Any:
    for key in path:
        item = item.get(key) if isinstance(item, dict) else None
    return item


def _appeared(value: Any, path: str, sign: Sign) -> Iterator[FieldChange]:
    """A whole branch that came or went: one line, and one for each field in it that may be quoted."""
    quoted = [(below, text) for below, leaf in _leaves(value, path) if (text := _quoted(below, leaf)) is not None]
    if [below for below, _ in quoted] != [path]:
        yield FieldChange(path, sign)
    for below, text in quoted:
        yield FieldChange(below, sign, *((None, text) if sign is Sign.ADDED else (text, None)))


def _leaves(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for key, below in value.items():
            yield from _leaves(below, f"{path}.{key}")
    elif isinstance(value, list):
        named = next((found for name in _NAMES if (found := _by(name, value)) is not None), None)
        for key, item in named.items() if named is not None else enumerate(value):
            yield from _leaves(item, f"{path}[{key}]")
    else:
        yield path, value


def _quoted(path: str, value: Any) -> str | None:
    *above, last = path.split(".")
    harmless = last in QUOTED and above[:1] == ["spec"] and not _FREE.intersection(above)
    return str(value) if harmless and isinstance(value, str | int) else None
