"""An object as it looks after a trip through Go's types: what a client reads back from the server.

Here: nulls, empty lists and maps go; structs that Go always writes come; undeclared fields go. Not here: defaults,
which only the server of a kind knows.
"""

from typing import Any

from sandbox.cluster.merge.quantities import canonical
from sandbox.cluster.merge.shapes import DEDUCED, Field, Object, Schema, Shape, zero_value


def settled(value: Object, schema: Schema) -> Object:
    """A copy of the object that shares no container with it; of a custom kind only the metadata is settled."""
    if schema.structured:
        return _struct(value, schema.root)
    result: Object = copied(value)
    assert schema.root.mapping is not None
    result["metadata"] = _struct(value.get("metadata") or {}, schema.root.mapping.fields["metadata"].shape)
    return result


def stored(value: Object, schema: Schema) -> Object:
    """The settled object, in place, as it comes back from storage: empty lists that Go always writes become null."""
    for path in schema.hollow:
        holder: Any = value
        for name in path[:-1]:
            holder = holder[name]
        if not holder[path[-1]]:
            holder[path[-1]] = None
    return value


def copied(value: Any) -> Any:
    """A deep copy of decoded JSON."""
    if isinstance(value, dict):
        return {name: copied(item) for name, item in value.items()}
    return [copied(item) for item in value] if isinstance(value, list) else value


def _settle(value: Any, shape: Shape) -> Any:
    """One value; None where Go keeps nothing of it."""
    if isinstance(value, dict) and shape.mapping is not None:
        if shape.mapping.undeclared or shape.mapping.element is shape:
            return copied(value)
        return _struct(value, shape) if shape.mapping.element is None else _free_map(value, shape.mapping.element)
    if isinstance(value, list) and shape.listing is not None:
        return [_item(item, shape.listing.element) for item in value]
    return canonical(str(value)) if shape.scalar == "quantity" and value is not None else value


def _struct(value: Object, shape: Shape) -> Object:
    assert shape.mapping is not None
    fields = shape.mapping.fields
    result = {}
    for name, item in value.items():
        declared = fields.get(name)
        if declared is None:
            continue
        kept = _settle(item, declared.shape)
        if not _omitted(kept, declared):
            result[name] = kept
    for name in shape.mapping.always:
        if result.get(name) is None:
            result[name] = zero_value(fields[name])
    return result


def _omitted(value: Any, declared: Field) -> bool:
    if value is None:
        return True
    if declared.drops_zero:
        return not value
    if value or not isinstance(value, list | dict):
        return False
    mapping = declared.shape.mapping
    # An empty struct behind a pointer is something, also one of no fields, which is published as an object of any; an
    # empty list or free map is nothing, unless Go always writes it.
    return not declared.always and (mapping is None or mapping.element not in (None, DEDUCED))


def _free_map(value: Object, element: Shape) -> Object:
    return {name: _item(item, element) for name, item in value.items()}


def _item(value: Any, shape: Shape) -> Any:
    """An item of a list or free map: null there decodes to the zero value of its type."""
    if value is not None:
        return _settle(value, shape)
    if shape.mapping is not None:
        return _struct({}, shape) if shape.mapping.fields else None
    return {"string": "", "number": 0, "boolean": False}.get(shape.scalar or "")
