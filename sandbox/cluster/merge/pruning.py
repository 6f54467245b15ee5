"""What leaves an object because the one who applied it does not apply it any more, and nobody else holds it.

Here: the decision and the cut. Not here: the merge that comes before it (`merging`).
"""

from typing import Any

from sandbox.cluster.merge.fieldsets import SELF, FieldSet, difference, intersection, is_member, union
from sandbox.cluster.merge.ownership import fields_of
from sandbox.cluster.merge.shapes import ListShape, MapShape, Shape
from sandbox.cluster.merge.walking import Handled, below, element_of, handled_as


def pruned(value: Any, shape: Shape, *, last: FieldSet, held: FieldSet) -> Any:
    """The object without the fields of `last` that are not in `held`.

    Args:
        value: the live object with the applied one merged in.
        shape: its shape.
        last: what this applier set the last time.
        held: what anybody sets now, this applier included.

    Raises:
        Misfit: a list item has nothing to be found by.
    """
    everything = _with_structs(fields_of(value, shape), shape)
    last = _with_structs(last, shape)
    cut = removed(value, last, shape)
    kept = union(_with_structs(fields_of(cut, shape), shape), _with_structs(held, shape))
    # What others hold comes back, and with it its surroundings ...
    cut = removed(value, difference(everything, kept), shape)
    # ... and so does what nobody holds: it was never this applier's to take away.
    gone = difference(everything, _with_structs(fields_of(cut, shape), shape))
    return removed(value, intersection(gone, last), shape)


def _with_structs(fields: FieldSet, shape: Shape | None) -> FieldSet:
    """The set with every declared field on the way to a member: a struct goes with the last thing in it."""
    result: FieldSet = {}
    for element, node in fields.items():
        if not node:
            result[element] = node
            continue
        under, declared = below(element, shape)
        result[element] = _with_structs(node, under)
        if declared:
            result[element][SELF] = {}
    return result


def removed(value: Any, fields: FieldSet, shape: Shape) -> Any:
    """The value without these fields; a container that is left with nothing becomes null."""
    if not fields:
        return value
    how = handled_as(value, shape)
    if how is Handled.SCALAR:
        return value
    if how is Handled.MAP:
        assert shape.mapping is not None
        return _removed_from_map(value, fields, shape.mapping)
    assert shape.listing is not None
    return _removed_from_list(value, fields, shape.listing)


def _removed_from_map(value: Any, fields: FieldSet, mapping: MapShape) -> Any:
    if not isinstance(value, dict):
        return None
    result = {}
    for name, item in value.items():
        node = fields.get(f"f:{name}")
        if node is None:
            result[name] = item
        elif not is_member(node):
            declared = mapping.fields.get(name)
            shape = declared.shape if declared else mapping.element
            assert shape is not None
            result[name] = removed(item, node, shape)
    return result or None


def _removed_from_list(value: Any, fields: FieldSet, listing: ListShape) -> Any:
    result = []
    for item in value:
        node = fields.get(element_of(item, listing))
        if node is None:
            result.append(item)
        elif not is_member(node):
            result.append(removed(item, node, listing.element))
    return result or None
