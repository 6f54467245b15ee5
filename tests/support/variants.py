"""Every value that differs from a given one in a single place, found by the types of its fields."""

from __future__ import annotations

import dataclasses
import re
import types
import typing
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from enum import Enum
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

QUANTITY = re.compile(r"\d+[A-Za-z]+")
KEYS = ("added", "perigee.dev/added", "cpu", "memory")
"""New keys to try in a mapping: one that means nothing, one that is reserved, and those that have defaults."""


class Variant(NamedTuple):
    """A value with one place changed. ``fields``: the dataclass fields on the way there; ``place``: the whole way."""

    fields: str
    place: str
    value: Any

    def under(self, place: str, value: Any, *, field: bool = False) -> Variant:
        """The same change, seen from the value around it."""
        fields = ".".join(filter(None, (place, self.fields))) if field else self.fields
        return Variant(fields, f"{place}.{self.place}", value)


def variants(hint: Any, value: Any) -> Iterator[Variant]:
    """All of them for a value of this type; raises NotImplementedError for a type that nobody thought of."""
    origin = typing.get_origin(hint)
    if dataclasses.is_dataclass(hint):
        yield from _of_dataclass(hint, value)
    elif origin in {typing.Union, types.UnionType}:
        yield from _of_optional(hint, value)
    elif origin in _CONTAINERS:
        yield from _CONTAINERS[origin](hint, value)
    else:
        yield from (Variant("", f"to {other}", other) for other in _others(hint, value))


def _of_dataclass(hint: Any, value: Any) -> Iterator[Variant]:
    hints = typing.get_type_hints(hint)
    for each in dataclasses.fields(hint):
        for one in variants(hints[each.name], getattr(value, each.name)):
            yield one.under(each.name, dataclasses.replace(value, **{each.name: one.value}), field=True)


def _of_optional(hint: Any, value: Any) -> Iterator[Variant]:
    forms = [one for one in typing.get_args(hint) if one is not types.NoneType]
    if len(forms) > 1:
        yield from _of_choice(forms, value)
        return
    (present,) = (one for one in typing.get_args(hint) if one is not types.NoneType)
    if value is None:
        yield Variant("", "given", _sample(present))
    else:
        yield Variant("", "none", None)
        yield from variants(present, value)


def _of_choice(forms: list[Any], value: Any) -> Iterator[Variant]:
    """A value of one of several forms: another value of its form, or one of another form."""
    yield from variants(type(value), value)
    yield from (Variant("", f"to {form.__name__}", _sample(form)) for form in forms if form is not type(value))


def _of_mapping(hint: Any, value: Mapping[str, Any]) -> Iterator[Variant]:
    _, content = typing.get_args(hint)
    for key in KEYS:
        if key not in value:
            yield Variant("", f"more {key}", {**value, key: _sample(content)})
    if typing.get_origin(content) is Mapping:
        yield Variant("", "more empty", {**value, "empty": {}})
    for key, present in value.items():
        yield Variant("", f"without {key}", {name: each for name, each in value.items() if name != key})
        for one in variants(content, present):
            yield one.under(f"[{key}]", {**value, key: one.value})


def _of_tuple(hint: Any, value: tuple[Any, ...]) -> Iterator[Variant]:
    content, _ = typing.get_args(hint)
    yield Variant("", "more", (*value, _sample(content)))
    for index, present in enumerate(value):
        yield Variant("", f"without {index}", (*value[:index], *value[index + 1 :]))
        for one in variants(content, present):
            yield one.under(f"[{index}]", (*value[:index], one.value, *value[index + 1 :]))


def _of_set(hint: Any, value: frozenset[Any]) -> Iterator[Variant]:
    (content,) = typing.get_args(hint)
    candidates = content if issubclass(content, Enum) else [*value, _sample(content)]
    for one in candidates:
        yield Variant("", f"with or without {one}", value ^ {one})


_CONTAINERS: Mapping[Any, Callable[[Any, Any], Iterator[Variant]]] = {
    Mapping: _of_mapping,
    tuple: _of_tuple,
    frozenset: _of_set,
}


def _others(hint: Any, leaf: Any) -> list[Any]:
    if issubclass(hint, Enum):
        return [member for member in hint if member is not leaf]
    if hint is bool:
        return [not leaf]
    if hint is int:
        return [leaf + 1]
    if hint is str:
        return [f"1{leaf}" if QUANTITY.fullmatch(leaf) else f"{leaf}0"]
    if hint is timedelta:
        return [(leaf or timedelta()) + timedelta(hours=1)]
    if hint is ZoneInfo:
        return [ZoneInfo("Asia/Tokyo")]
    raise NotImplementedError(f"no other value of {hint}: say here what one looks like")


def _sample(hint: Any) -> Any:
    """Some value of a type."""
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        hints = typing.get_type_hints(hint)
        return hint(**{each.name: _sample(hints[each.name]) for each in dataclasses.fields(hint)})
    origin = typing.get_origin(hint)
    if origin in {typing.Union, types.UnionType}:
        return _sample(typing.get_args(hint)[0])
    if origin is Mapping:
        return {"sample": _sample(typing.get_args(hint)[1])}
    simple = {str: "1Gi", int: 1, bool: True, tuple: (), frozenset: frozenset()}
    if origin or hint in simple:
        return simple[origin or hint]
    return _others(hint, None)[0]
