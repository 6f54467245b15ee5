"""The shapes of objects: which lists are maps, sets or leaves, which maps are leaves, which fields Go always writes.

Here: reading the tables taken from a real server's OpenAPI (`kinds.json`) and from its Go types (`golang.json`) into
linked values, and the shape deduced for unknown kinds. Not here: making the tables (`extract`, `golang`).

The words are those of sigs.k8s.io/structured-merge-diff: a list is *atomic* (one leaf) or *associative* (items found by
their keys, or, without keys, a set of scalars); a map is *atomic* or *granular*.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Any, Final

Object = dict[str, Any]


@dataclass(slots=True, eq=False)
class Shape:
    """What one place of an object may hold; more than one of the three only where the kind is not known beforehand.

    Attributes:
        scalar: `string`, `number`, `boolean`, `quantity`, or `scalar` for any of them.
        mapping: the struct or free map.
        listing: the list.
    """

    scalar: str | None = None
    mapping: "MapShape | None" = None
    listing: "ListShape | None" = None


@dataclass(slots=True, eq=False)
class Field:
    """A declared field of a struct.

    Attributes:
        shape: what the field holds.
        default: the value that a list-map key takes when an item omits it; None when there is none.
        zero: what Go writes when nobody sets the field; None when it writes nothing (`omitempty`, pointers).
        always: Go writes the field in any case, as `zero` or as null.
        drops_zero: Go leaves the field out when it holds its zero value (`omitempty` on a plain scalar).
        strategy: the patch strategy for strategic merge patches, for example `merge` or `merge,retainKeys`.
        merge_key: the key by which such a patch finds list items; None for a list of scalars.
    """

    shape: Shape
    default: Any = None
    zero: Any = None
    always: bool = False
    drops_zero: bool = False
    strategy: str = ""
    merge_key: str | None = None


@dataclass(slots=True, eq=False)
class MapShape:
    """A struct (`fields`), a free map (`element`), or both; `undeclared` marks the deduced map of unknown kinds."""

    fields: dict[str, Field]
    element: Shape | None = None
    atomic: bool = False
    undeclared: bool = False
    always: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        self.always = tuple(name for name, declared in self.fields.items() if declared.always)


@dataclass(slots=True, eq=False)
class ListShape:
    """A list; `keys` identify the items of an associative one, none of them means a set of scalars."""

    element: Shape
    atomic: bool = True
    keys: tuple[str, ...] = ()
    defaults: dict[str, Any] = field(default_factory=dict)


@dataclass(slots=True, eq=False)
class Schema:
    """The shape of one kind in one version, with what the server's strategy for it resets.

    Attributes:
        group_version: for example `apps/v1`.
        kind: for example `Deployment`.
        root: the shape of the whole object.
        structured: False for kinds without a table entry, whose objects are kept as they were sent.
        has_status: writes to the object itself do not reach its status, which has a door of its own.
        zero: the object as Go writes it before anybody has set a field; the base of every create.
        hollow: the paths of lists that Go writes even when they are null; stored empty, they come back as null.
    """

    group_version: str
    kind: str
    root: Shape
    structured: bool
    has_status: bool
    zero: Object
    hollow: tuple[tuple[str, ...], ...] = ()


@cache
def schema_for(group_version: str, kind: str, *, has_status: bool = True) -> Schema:
    """The schema of a kind, parsed once.

    Args:
        group_version: for example `apps/v1`.
        kind: for example `Deployment`.
        has_status: whether a custom kind has a status subresource; all kinds of the table that have a status do.

    Returns:
        For a kind that the table does not know, a schema in which all lists but those of the metadata are leaves.
    """
    name = _table()["kinds"].get(f"{group_version}/{kind}")
    if name is None:
        own = {"apiVersion": Field(_brief("string")), "kind": Field(_brief("string")), "metadata": _METADATA}
        root = Shape(mapping=MapShape(own, DEDUCED))
        return Schema(group_version, kind, root, structured=False, has_status=has_status, zero={})
    root = _named(name)
    hollow = tuple(_hollow(root))
    return Schema(group_version, kind, root, structured=True, has_status=True, zero=zero_of(root), hollow=hollow)


def _hollow(shape: Shape) -> Iterator[tuple[str, ...]]:
    """The always written lists that are reached through always written structs."""
    mapping = shape.mapping
    for name in mapping.always if mapping else ():
        assert mapping is not None
        below = mapping.fields[name].shape
        if below.listing is not None:
            yield (name,)
        yield from ((name, *path) for path in _hollow(below))


def zero_of(shape: Shape) -> Object:
    """What Go's encoder writes for a struct of this shape that nobody has filled in."""
    mapping = shape.mapping
    assert mapping is not None
    return {name: zero_value(mapping.fields[name]) for name in mapping.always}


def zero_value(declared: Field) -> Any:
    """The value of a field that Go always writes: a scalar's zero, a struct's zero, or null."""
    return zero_of(declared.shape) if declared.zero == {} else declared.zero


@cache
def _table() -> dict[str, Any]:
    return _read("kinds.json")


@cache
def _encoding() -> dict[str, Any]:
    return _read("golang.json")


def _read(name: str) -> dict[str, Any]:
    parsed: dict[str, Any] = json.loads(files(__package__).joinpath(name).read_text())
    return parsed


# A type may contain itself (JSONSchemaProps does): its shape is handed out before it is filled.
_SHAPES: Final[dict[str, Shape]] = {}


def _named(name: str) -> Shape:
    if name not in _SHAPES:
        shape = _SHAPES[name] = Shape()
        built = _shape(_table()["types"][name], _encoding().get(name, {}))
        shape.scalar, shape.mapping, shape.listing = built.scalar, built.mapping, built.listing
    return _SHAPES[name]


def _shape(written: Any, encoding: Mapping[str, Any] | None = None) -> Shape:
    if isinstance(written, str):
        return _brief(written)
    if "items" in written:
        return Shape(listing=_listing(written))
    if "ref" in written:
        return _with_relation(_named(written["ref"]), atomic=written["atomic"])
    declared = {name: _field(entry) for name, entry in written.get("fields", {}).items()}
    for name, item in declared.items():
        item.drops_zero = name in (encoding or {}).get("dropsZero", ())
        item.always |= name in (encoding or {}).get("always", ())
    element = _shape(written["values"]) if "values" in written else None
    return Shape(mapping=MapShape(declared, element, written.get("atomic", False)))


def _brief(written: str) -> Shape:
    if written == "any":
        return DEDUCED
    if written == "opaque":
        return OPAQUE
    if written.startswith("#"):
        return _named(written[1:])
    return Shape(scalar=written)


def _with_relation(shape: Shape, *, atomic: bool) -> Shape:
    """A reference may say of the struct it points to that here it is one leaf, or that here it is none."""
    mapping = shape.mapping
    assert mapping is not None
    return Shape(mapping=MapShape(mapping.fields, mapping.element, atomic))


def _listing(written: Mapping[str, Any]) -> ListShape:
    element = _shape(written["items"])
    keys = tuple(written.get("keys", ()))
    fields = element.mapping.fields if element.mapping else {}
    defaults = {key: fields[key].default for key in keys if key in fields and fields[key].default is not None}
    return ListShape(element, written.get("list", "atomic") == "atomic", keys, defaults)


def _field(written: Any) -> Field:
    if not isinstance(written, dict) or "type" not in written:
        return Field(_shape(written))
    return Field(
        _shape(written["type"]),
        default=written.get("default"),
        zero=written.get("zero"),
        always=written.get("always", False),
        strategy=written.get("patch", ""),
        merge_key=written.get("mergeKey"),
    )


def _opaque() -> Shape:
    shape = Shape(scalar="scalar")
    shape.mapping = MapShape({}, shape, atomic=True)
    shape.listing = ListShape(shape)
    return shape


def _deduced(opaque: Shape) -> Shape:
    shape = Shape(scalar="scalar", listing=ListShape(opaque))
    shape.mapping = MapShape({}, shape, undeclared=True)
    return shape


OPAQUE: Final = _opaque()
DEDUCED: Final = _deduced(OPAQUE)
_METADATA: Final = Field(_named("meta.v1.ObjectMeta"))
