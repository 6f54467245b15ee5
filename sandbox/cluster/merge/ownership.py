"""What an object says: does it fit its shape, and which fields does it set.

Here: the checks of an applied object and the set of its fields. Not here: whose fields those become (`applying`).
"""

import json
from typing import Any

from sandbox.cluster.merge.fieldsets import SELF, FieldSet, named
from sandbox.cluster.merge.shapes import ListShape, MapShape, Shape
from sandbox.cluster.merge.walking import Handled, Misfit, below, element_of, handled_as


def fields_of(value: Any, shape: Shape) -> FieldSet:
    """The set of fields that an object sets, leaves and list items; items that occur twice count as one leaf.

    Raises:
        Misfit: a list item has nothing to be found by.
    """
    return _node(value, shape) or {}


def _node(value: Any, shape: Shape) -> FieldSet | None:
    """The set below one place; an empty one if the place itself is a leaf, None if there is nothing to own."""
    how = handled_as(value, shape)
    if how is Handled.SCALAR:
        return {}
    if how is Handled.MAP:
        mapping = shape.mapping
        assert mapping is not None
        return {} if mapping.atomic else _map_node(value, mapping)
    listing = shape.listing
    assert listing is not None
    return {} if listing.atomic else _list_node(value, listing)


def _map_node(value: Any, mapping: MapShape) -> FieldSet | None:
    if not isinstance(value, dict):
        return None
    result: FieldSet = {}
    for name, item in value.items():
        declared = mapping.fields.get(name)
        node = _node(item, declared.shape if declared else _element(mapping))
        # Nothing and the empty map are values too, and so is the presence of a key in a free map.
        if item is None or item == {} or declared is None:
            node = _member(node)
        if node is not None:
            result[f"f:{name}"] = node
    return result or None


def _element(mapping: MapShape) -> Shape:
    if mapping.element is None:
        raise Misfit("field not declared in schema")
    return mapping.element


def _list_node(value: Any, listing: ListShape) -> FieldSet | None:
    if not isinstance(value, list):
        return None
    result: FieldSet = {}
    for item in value:
        element = element_of(item, listing)
        result[element] = {} if element in result else _member(_node(item, listing.element))
    return result or None


def _member(node: FieldSet | None) -> FieldSet:
    return {SELF: {}, **node} if node else {}


def conformed(fields: FieldSet, shape: Shape | None) -> FieldSet:
    """A set that a client made: fields inside what is one leaf stand for the leaf."""
    result: FieldSet = {}
    for element, node in fields.items():
        under, _ = below(element, shape)
        result[element] = {} if under is not None and _is_leaf(under) else conformed(node, under)
    return result


def _is_leaf(shape: Shape) -> bool:
    if shape.mapping is not None:
        return shape.mapping.atomic
    return shape.listing is not None and shape.listing.atomic


def check(value: Any, shape: Shape) -> None:
    """Refuse what the server refuses before it merges: undeclared fields, wrong types, items without keys of their own.

    Raises:
        Misfit: names the first place that does not fit.
    """
    how = handled_as(value, shape)
    if value is None:
        return
    if how is Handled.SCALAR:
        assert shape.scalar is not None
        _check_scalar(value, shape.scalar)
    elif how is Handled.MAP:
        assert shape.mapping is not None
        _check_map(value, shape.mapping)
    else:
        assert shape.listing is not None
        _check_list(value, shape.listing)


def _check_map(value: Any, mapping: MapShape) -> None:
    if not isinstance(value, dict):
        raise Misfit(f"expected map, got &{{{_printed(value)}}}")
    for name, item in value.items():
        declared = mapping.fields.get(name)
        try:
            check(item, declared.shape if declared else _element(mapping))
        except Misfit as misfit:
            misfit.path = f".{name}{misfit.path}"
            raise


def _check_list(value: Any, listing: ListShape) -> None:
    if not isinstance(value, list):
        raise Misfit(f"expected list, got &{{{_printed(value)}}}")
    seen: set[str] = set()
    for index, item in enumerate(value):
        element = f"i:{index}" if listing.atomic else _checked_element(item, index, listing)
        if element in seen:
            raise Misfit(f"duplicate entries for key {named((element,))}")
        seen.add(element)
        try:
            check(item, listing.element)
        except Misfit as misfit:
            misfit.path = named((element,)) + misfit.path
            raise


def _checked_element(item: Any, index: int, listing: ListShape) -> str:
    try:
        return element_of(item, listing)
    except Misfit as misfit:
        raise Misfit(f"element {index}: {misfit.reason}") from misfit


def _check_scalar(value: Any, scalar: str) -> None:
    if scalar == "number":
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise Misfit(f"expected numeric (int or float), got {_go_type(value)}")
    elif scalar == "string":
        if not isinstance(value, str):
            raise Misfit(f"expected string, got &value.valueUnstructured{{Value:{_go_syntax(value)}}}")
    elif scalar == "boolean":
        if not isinstance(value, bool):
            raise Misfit(f"expected boolean, got &{{{_printed(value)}}}")
    elif isinstance(value, dict | list):
        raise Misfit(f"expected any scalar, got &{{{_printed(value)}}}")


def _go_type(value: Any) -> str:
    """The Go type of a decoded value; a client reads it in the server's message."""
    if isinstance(value, dict):
        return "map[string]interface {}"
    if isinstance(value, list):
        return "[]interface {}"
    return "bool" if isinstance(value, bool) else "string"


def _printed(value: Any) -> str:
    """A decoded value as Go's `%v` prints it."""
    if isinstance(value, dict):
        return "map[" + " ".join(f"{name}:{_printed(value[name])}" for name in sorted(value)) + "]"
    if isinstance(value, list):
        return "[" + " ".join(_printed(item) for item in value) + "]"
    if isinstance(value, bool):
        return "true" if value else "false"
    return "<nil>" if value is None else str(value)


def _go_syntax(value: Any) -> str:
    """A decoded value as Go's `%#v` prints it."""
    if isinstance(value, dict):
        return _go_type(value) + "{" + ", ".join(f'"{name}":{_go_syntax(value[name])}' for name in sorted(value)) + "}"
    if isinstance(value, list):
        return _go_type(value) + "{" + ", ".join(_go_syntax(item) for item in value) + "}"
    if value is None:
        return "interface {}(nil)"
    return json.dumps(value)
