"""Sets of fields in the encoding of `FieldsV1`, and the algebra on them.

Here: union, intersection, difference, the order in which the server writes a set, and how it names a path to people.
Not here: making a set out of an object (`ownership`), who owns it (`entries`).

A set is the decoded JSON itself: a dict from path elements (`f:name`, `k:{...}`, `v:...`) to what lies below. An empty
dict below an element says that the element itself belongs to the set; `.` says so when something lies below it too.
Working on the encoding saves decoding and encoding it at every request.
"""

import json
from collections.abc import Iterator
from functools import lru_cache
from typing import Any, Final

FieldSet = dict[str, Any]
SELF: Final = "."
Path = tuple[str, ...]

# What an element may be, in the server's order: a field, an item found by keys, by its value, by its index.
_SORTS: Final = "fkvi"


def is_member(node: FieldSet) -> bool:
    """Whether the element above this node belongs to the set itself, not only fields below it."""
    return not node or SELF in node


def insert(fields: FieldSet, path: Path) -> None:
    """Add one path, in place."""
    node = fields
    for element in path[:-1]:
        below = node.get(element)
        if below is None:
            below = node[element] = {}
        elif not below:
            below[SELF] = {}
        node = below
    last = node.get(path[-1])
    if last is None:
        node[path[-1]] = {}
    elif last:
        last[SELF] = {}


def union(left: FieldSet, right: FieldSet) -> FieldSet:
    """The members of either."""
    if not left or not right:
        return left or right
    result = dict(left)
    for element, theirs in right.items():
        ours = result.get(element)
        if ours is None:
            result[element] = theirs
        elif element != SELF:
            result[element] = _either(ours, theirs)
    return result


def _either(ours: FieldSet, theirs: FieldSet) -> FieldSet:
    if ours and theirs:
        return union(ours, theirs)
    filled = ours or theirs
    return {SELF: {}, **filled} if filled else filled


def intersection(left: FieldSet, right: FieldSet) -> FieldSet:
    """The members of both."""
    result: FieldSet = {}
    for element, ours in left.items():
        theirs = right.get(element)
        if theirs is None or element == SELF:
            continue
        below = intersection(ours, theirs) if ours and theirs else {}
        _put(result, element, below, member=is_member(ours) and is_member(theirs))
    return result


def difference(left: FieldSet, right: FieldSet) -> FieldSet:
    """The members of `left` that are none of `right`; a member of `right` does not take with it what lies below."""
    result: FieldSet = {}
    for element, ours in left.items():
        theirs = right.get(element)
        if theirs is None:
            result[element] = ours
        else:
            _put(result, element, difference(_below(ours), theirs), member=is_member(ours) and not is_member(theirs))
    return result


def without(left: FieldSet, right: FieldSet) -> FieldSet:
    """The members of `left` that neither are members of `right` nor lie below one."""
    result: FieldSet = {}
    for element, ours in left.items():
        theirs = right.get(element)
        if theirs is None:
            result[element] = ours
        elif not is_member(theirs):
            _put(result, element, without(_below(ours), theirs), member=is_member(ours))
    return result


def _below(node: FieldSet) -> FieldSet:
    return {element: below for element, below in node.items() if element != SELF}


def _put(result: FieldSet, element: str, below: FieldSet, *, member: bool) -> None:
    if below:
        result[element] = {SELF: {}, **below} if member else below
    elif member:
        result[element] = {}


def paths(fields: FieldSet, prefix: Path = ()) -> Iterator[Path]:
    """Every member, the members of one place before what lies deeper, in the server's order."""
    ordered = _ordered(fields)
    for element in ordered:
        if is_member(fields[element]):
            yield (*prefix, element)
    for element in ordered:
        yield from paths(fields[element], (*prefix, element))


def written(fields: FieldSet) -> FieldSet:
    """The set as the server writes it: `.` first, then fields by name, items by key, set members by value."""
    result: FieldSet = {SELF: {}} if SELF in fields and len(fields) > 1 else {}
    for element in _ordered(fields):
        result[element] = written(fields[element])
    return result


def read(encoded: Any) -> FieldSet:
    """A set out of what somebody sent; elements of an unknown sort are dropped, as the server does.

    Raises:
        ValueError: it is not a set of fields at all.
    """
    return _below(_read(encoded))


def _read(encoded: Any) -> FieldSet:
    if not isinstance(encoded, dict):
        raise ValueError("fieldsV1 must be an object")  # noqa: TRY004 - the value came from a client, not from code
    result: FieldSet = {}
    for element, below in encoded.items():
        if element == SELF:
            result[SELF] = {}
            continue
        if len(element) < len("f:") or element[1] != ":":
            raise ValueError(f"fieldsV1 has no path element {element!r}")
        if element[0] in _SORTS:
            result[_canonical(element)] = _read(below)
    return {} if result.keys() == {SELF} else result


@lru_cache(maxsize=4096)
def _canonical(element: str) -> str:
    if element[0] == "f":
        return element
    value = json.loads(element[2:])
    return key_element(value) if element[0] == "k" else f"{element[:2]}{_escaped(value)}"


def key_element(keys: dict[str, Any]) -> str:
    """The path element of a list item found by its keys."""
    return "k:" + _escaped(dict(sorted(keys.items())))


def value_element(value: Any) -> str:
    """The path element of a scalar in a set."""
    return "v:" + _escaped(value)


def _escaped(value: Any) -> str:
    """Compact JSON with the three characters that Go's encoder escapes for the sake of HTML."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")


def _ordered(fields: FieldSet) -> list[str]:
    elements = [element for element in fields if element != SELF]
    elements.sort(key=_rank if any(element[0] != "f" for element in elements) else None)
    return elements


def _rank(element: str) -> tuple[int, Any]:
    sort, text = element[0], element[2:]
    rank = _SORTS.index(sort)
    if sort == "f":
        return rank, text
    value = json.loads(text)
    return rank, [(name, _order(item)) for name, item in value.items()] if sort == "k" else _order(value)


def _order(value: Any) -> tuple[int, Any]:
    """Numbers before strings before booleans before null, as structured-merge-diff compares values."""
    if value is None:
        return 3, 0
    if isinstance(value, bool):
        return 2, value
    return (1, value) if isinstance(value, str) else (0, value)


def named(path: Path) -> str:
    """A path as people read it in a conflict, for example `.spec.template.spec.containers[name="web"].image`."""
    return "".join(_spelled(element) for element in path)


def _spelled(element: str) -> str:
    sort, text = element[0], element[2:]
    if sort == "f":
        return f".{text}"
    if sort == "k":
        return "[" + ",".join(f"{name}={_plain(value)}" for name, value in json.loads(text).items()) + "]"
    return f"[={_plain(json.loads(text))}]" if sort == "v" else f"[{text}]"


def _plain(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
