"""An object as it looks after a trip through Go's types: what a client reads back from the server.

Here: nulls, empty lists and maps go; structs that Go always writes come; undeclared fields go; values of a wrong type
are refused. Not here: defaults, which only the server of a kind knows.
"""

from collections.abc import Callable
from typing import Any

from sandbox.cluster.merge import times
from sandbox.cluster.merge.quantities import canonical
from sandbox.cluster.merge.refusals import InvalidObject
from sandbox.cluster.merge.shapes import DEDUCED, OPAQUE, Field, Object, Schema, Shape, zero_value
from sandbox.cluster.merge.walking import Misfit


def decoded(value: Object, schema: Schema) -> Object:
    """A copy of a document as its kind's type holds it; of a custom kind only the metadata are typed.

    What it says of ownership is kept as it is: an empty list there is a wish, and nonsense is for others to ignore.

    Raises:
        InvalidObject: a value has another type than its field.
    """
    metadata = value.get("metadata")
    try:
        if not isinstance(metadata, dict) or "managedFields" not in metadata:
            return settled(value, schema)
        result = settled({**value, "metadata": {**metadata, "managedFields": None}}, schema)
    except Misfit as misfit:
        raise InvalidObject(str(misfit)) from misfit
    result["metadata"]["managedFields"] = copied(metadata["managedFields"])
    return result


def settled(value: Object, schema: Schema) -> Object:
    """The same, for callers that tell what does not fit in words of their own.

    Raises:
        Misfit: names the first place that does not fit.
    """
    if schema.structured:
        result: Object = _settle(value, schema.root)
        return result
    assert schema.root.mapping is not None
    shape = schema.root.mapping.fields["metadata"].shape
    return {**copied(value), "metadata": _at(".metadata", _settle, value.get("metadata") or {}, shape)}


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


def _at(place: str, settle: Callable[[Any, Shape], Any], value: Any, shape: Shape) -> Any:
    try:
        return settle(value, shape)
    except Misfit as misfit:
        misfit.path = f"{place}{misfit.path}"
        raise


def _settle(value: Any, shape: Shape) -> Any:
    """One value; None where Go keeps nothing of it."""
    if value is None or shape is DEDUCED or shape is OPAQUE:
        return copied(value)
    if shape.mapping is not None:
        return _map(value, shape)
    if shape.listing is None:
        return _scalar(value, shape.scalar or "")
    if not isinstance(value, list):
        raise Misfit(f"cannot unmarshal {_sort(value)} into a list")
    element = shape.listing.element
    return [_at(f"[{index}]", _item, item, element) for index, item in enumerate(value)]


def _map(value: Any, shape: Shape) -> Object:
    mapping = shape.mapping
    assert mapping is not None
    if not isinstance(value, dict):
        raise Misfit(f"cannot unmarshal {_sort(value)} into an object")
    if mapping.element is None:
        return _struct(value, shape)
    return {name: _at(f".{name}", _item, item, mapping.element) for name, item in value.items()}


def _struct(value: Object, shape: Shape) -> Object:
    assert shape.mapping is not None
    fields = shape.mapping.fields
    result = {}
    for name, item in value.items():
        declared = fields.get(name)
        if declared is None:
            continue
        kept = _at(f".{name}", _settle, item, declared.shape)
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


def _item(value: Any, shape: Shape) -> Any:
    """An item of a list or free map: null there decodes to the zero value of its type."""
    if value is not None:
        return _settle(value, shape)
    if shape.mapping is not None:
        return _settle({}, shape)
    return {"string": "", "number": 0, "boolean": False, "quantity": "0"}.get(shape.scalar or "")


_ENCODED: dict[str, Callable[[Any], str]] = {
    "quantity": lambda value: canonical(str(value)),
    "time": times.whole,
    "microtime": times.micro,
}
"""Scalars that encode themselves."""
_TYPES: dict[str, tuple[type, ...]] = {"string": (str,), "number": (int, float), "boolean": (bool,)}


def _scalar(value: Any, wanted: str) -> Any:
    fits = isinstance(value, _TYPES.get(wanted, (object,))) and not isinstance(value, dict | list)
    # To Python a boolean is a number, to Go it is not.
    if not fits or (wanted == "number" and isinstance(value, bool)):
        raise Misfit(f"cannot unmarshal {_sort(value)} into a {wanted}")
    encode = _ENCODED.get(wanted)
    if encode is None:
        return value
    try:
        return encode(value)
    except ValueError as problem:
        raise Misfit(str(problem)) from problem


def _sort(value: Any) -> str:
    """What Go's decoder calls a value."""
    if isinstance(value, dict | list):
        return "object" if isinstance(value, dict) else "array"
    if isinstance(value, bool):
        return "bool"
    return "string" if isinstance(value, str) else "number"
