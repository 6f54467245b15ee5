"""Fields as FieldsV1 names them (KEP-555; structured-merge-diff): listing, naming, leaving out, packing. Pure.

A path is a tuple of FieldsV1's elements: ``f:spec``, ``k:{"name":"web"}``, ``v:"finalizer"``, ``i:0``. The API server
names the same path ``.spec.containers[name="web"].image`` when it tells of a conflict.
"""

from __future__ import annotations

import copy
import json
import zlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypeAlias

import orjson

from agent.model.objects import Manifest, ObjectRef

Path: TypeAlias = tuple[str, ...]
Fields: TypeAlias = Mapping[str, Any]
"""A FieldsV1 as it stands in an entry of managedFields."""

_QUICKLY = 1
"""zlib's level: sets of fields resemble each other so much that more effort saves next to nothing."""


def members(fields: Fields, prefix: Path = ()) -> Iterator[Path]:
    """Every field that a set names, parents that are members themselves included."""
    for element, below in fields.items():
        if element == ".":
            yield prefix
        elif not below:
            yield (*prefix, element)
        else:
            yield from members(below, (*prefix, element))


def text(path: Path) -> str:
    """The path as the API server writes it in the causes of a conflict."""
    return "".join(_element(element) for element in path)


def _element(element: str) -> str:
    sort, _, rest = element.partition(":")
    if sort == "f":
        return f".{rest}"
    if sort == "k":
        pairs = ",".join(f"{name}={_value(value)}" for name, value in sorted(json.loads(rest).items()))
        return f"[{pairs}]"
    return f"[={_value(json.loads(rest))}]" if sort == "v" else f"[{rest}]"


def _value(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def without(manifest: Manifest, paths: Iterable[Path]) -> Manifest:
    """The manifest without these fields; parents that would be left empty go with them."""
    lean: Manifest = copy.deepcopy(manifest)
    for path in paths:
        _leave_out(lean, path)
    return lean


def _leave_out(node: Any, path: Path) -> None:
    element, rest = path[0], path[1:]
    place = _place(node, element)
    if place is None:
        return
    if rest:
        _leave_out(node[place], rest)
        if node[place] in ({}, []):
            del node[place]
    else:
        del node[place]


def _place(node: Any, element: str) -> Any:
    """The key or index in ``node`` that an element means; None where there is none."""
    sort, _, rest = element.partition(":")
    if sort == "f":
        return rest if isinstance(node, dict) and rest in node else None
    if not isinstance(node, list):
        return None
    if sort == "i":
        return int(rest) if int(rest) < len(node) else None
    wanted = json.loads(rest)
    if sort == "v":
        return node.index(wanted) if wanted in node else None
    # A key may hold a value that the manifest leaves to a default, such as a port's protocol; of two items that would
    # fit then, such as a port for each protocol, the one is meant that says it itself.
    said = [_fits(item, wanted) for item in node]
    return said.index(max(said)) if any(said) else None


def _fits(item: Any, wanted: Mapping[str, Any]) -> int:
    """How many of the key's values the item says itself; 0 if it is another one."""
    if not isinstance(item, dict) or any(item.get(name, value) != value for name, value in wanted.items()):
        return 0
    return sum(name in item for name in wanted)


def pack(sets: Mapping[ObjectRef, Fields]) -> bytes:
    """Many objects' sets in little space; equal sets give equal bytes."""
    lines = [[ref.api_version, ref.kind, ref.namespace, ref.name, sets[ref]] for ref in sorted(sets)]
    return zlib.compress(orjson.dumps(lines, option=orjson.OPT_SORT_KEYS), _QUICKLY)


def unpack(packed: bytes) -> dict[ObjectRef, Fields]:
    """The sets again; what cannot be read says nothing, so that no conflict is decided in our favour by it."""
    if not packed:
        return {}
    try:
        lines = orjson.loads(zlib.decompress(packed))
        return {ObjectRef(*line[:4]): line[4] for line in lines}
    except (zlib.error, ValueError, TypeError, IndexError):
        return {}
