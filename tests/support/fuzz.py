"""Data that almost fits: made after the published JSON Schemas and then spoilt, and bytes changed in many ways.

Here: strategies, and what judging some bytes costs in memory. Not here: what must hold (tests/properties/test_fuzz.py).
"""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Callable, Mapping
from typing import Any

from hypothesis import strategies as st

from tests.support.kube import Json

TRAPS: tuple[Any, ...] = (
    *(None, True, 0, -1, 2**63, 10**300, 1.5, "", " ", "x" * 300, "\x00", "../..", "$(id)", "${{ x }}", "kube-system"),
    *("é", "\u202e", "deleted", "0" * 64, "2026-01-31T12:00:00Z", [], {}, [[]], {"": {}}),
)
"""Values that somebody might think of to get through somewhere."""
TOKENS = (
    *(b'"', b"\\", b"{", b"}", b"[", b"]", b",", b":", b"\x00", b"\xff", b"\xed\xa0\x80", b"\\ud800", b"\\u0000"),
    *(b"NaN", b"-Infinity", b"1e999", b"9" * 5000, b"[" * 70, b'{"a":' * 70, b'{"a":0,"a":1}', b"\xef\xbb\xbf", b"=="),
)
"""Pieces of bytes over which parsers stumble."""

words = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
anything = st.recursive(
    st.sampled_from(TRAPS) | words | st.integers(-(2**53), 2**53),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3),
    max_leaves=8,
)


def fitting(schema: Json, definitions: Mapping[str, Json]) -> st.SearchStrategy[Any]:
    """Data that a JSON Schema allows; of keywords that the wire's schemas do not use, nothing is known here."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return st.deferred(lambda: fitting(definitions[name], definitions))
    if "anyOf" in schema:
        return st.one_of([fitting(one, definitions) for one in schema["anyOf"]])
    if "const" in schema or "enum" in schema:
        return st.sampled_from(schema.get("enum") or [schema["const"]])
    make = _TYPED.get(schema.get("type", ""))
    return anything if make is None else make(schema, definitions)


def _object(schema: Json, definitions: Mapping[str, Json]) -> st.SearchStrategy[Any]:
    fields = {name: fitting(one, definitions) for name, one in schema.get("properties", {}).items()}
    if fields:
        needed = set(schema.get("required", ()))
        return st.fixed_dictionaries(
            {name: one for name, one in fields.items() if name in needed},
            optional={name: one for name, one in fields.items() if name not in needed},
        )
    more = schema.get("additionalProperties")
    keys = fitting({"type": "string", **schema.get("propertyNames", {})}, definitions)
    return st.dictionaries(keys, fitting(more, definitions) if isinstance(more, dict) else anything, max_size=3)


def _array(schema: Json, definitions: Mapping[str, Json]) -> st.SearchStrategy[Any]:
    return st.lists(fitting(schema.get("items", {}), definitions), min_size=schema.get("minItems", 0), max_size=3)


def _string(schema: Json, _: Mapping[str, Json]) -> st.SearchStrategy[Any]:
    if schema.get("format") == "date-time":
        return st.sampled_from(["2026-01-31T12:00:00Z", "2026-02-07T12:00:00Z", "2026-01-01T00:00:00Z"])
    if "pattern" in schema:
        return st.from_regex(schema["pattern"].removesuffix("$") + r"\Z")
    return words


def _integer(schema: Json, _: Mapping[str, Json]) -> st.SearchStrategy[Any]:
    return st.integers(schema.get("minimum", 0), schema.get("maximum", 2**53 - 1))


_TYPED: Mapping[str, Callable[[Json, Mapping[str, Json]], st.SearchStrategy[Any]]] = {
    "object": _object,
    "array": _array,
    "string": _string,
    "integer": _integer,
    "boolean": lambda _schema, _definitions: st.booleans(),
    "null": lambda _schema, _definitions: st.none(),
}


def around(whole: Any, drawn: Any) -> Any:
    """What was drawn, with all that the whole says in its place: valid more often than chance would have it."""
    if isinstance(whole, dict) and isinstance(drawn, dict):
        return {**drawn, **{key: around(value, drawn.get(key)) for key, value in whole.items()}}
    return whole


def places(value: object, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """Every place in plain data but the whole."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [place for key, part in inner for place in ((*path, key), *places(part, (*path, key)))]


@st.composite
def spoilt(draw: st.DrawFn, whole: st.SearchStrategy[Any]) -> Any:
    """The data with up to three values replaced, dropped or added; often none."""
    value = draw(whole)
    for _ in range(draw(st.sampled_from([0, 0, 1, 1, 2, 3]))):
        if not (found := places(value)):
            break
        path = draw(st.sampled_from(found))
        value = _changed(value, path, draw(st.sampled_from(["replace", "drop", "add"])), draw(anything))
    return value


def _changed(value: Any, path: tuple[str | int, ...], how: str, new: Any) -> Any:
    copy: Any = dict(value) if isinstance(value, dict) else list(value)
    key = path[0]
    if len(path) > 1:
        copy[key] = _changed(copy[key], path[1:], how, new)
    elif how == "replace":
        copy[key] = new
    elif how == "drop":
        del copy[key]
    elif isinstance(copy, dict):
        copy[f"{key}x"] = new
    else:
        copy.append(new)
    return copy


@st.composite
def mangled(draw: st.DrawFn, raw: bytes) -> bytes:
    """These bytes with up to four pieces flipped, cut out, doubled or put in."""
    for _ in range(draw(st.integers(1, 4))):
        begin = draw(st.integers(0, len(raw)))
        end = min(len(raw), begin + draw(st.sampled_from([0, 1, 1, 2, 8, 64, 1000])))
        piece = raw[begin:end]
        other = draw(
            st.sampled_from([b"", piece * 2, piece[::-1], bytes(byte ^ 0x20 for byte in piece), *TOKENS])
            | st.binary(max_size=4)
        )
        raw = raw[:begin] + other + raw[end:]
    return raw


def peak_bytes(call: Callable[[], object]) -> int:
    """The most memory that a call held at once, beyond what was held before."""
    gc.collect(0)
    tracemalloc.start()
    try:
        call()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
