"""Strategic merge patches: merge patches that know which lists are sets or maps, with directives inside.

Here: the merge, `$patch: delete|replace`, `$retainKeys`, `$deleteFromPrimitiveList/...`, `$setElementOrder/...`.
Not here: three-way patches, which clients compute.
Source: k8s.io/apimachinery pkg/util/strategicpatch/patch.go.
"""

from collections.abc import Iterable
from typing import Any, Final

from sandbox.cluster.merge.refusals import InvalidPatch
from sandbox.cluster.merge.settling import copied
from sandbox.cluster.merge.shapes import Field, Object, Schema, Shape

_PATCH: Final = "$patch"
_RETAIN: Final = "$retainKeys"
_ORDER: Final = "$setElementOrder/"
_DELETE: Final = "$deleteFromPrimitiveList/"

_UNDECLARED: Final = Field(Shape())


def strategic_merge(live: Object, patch: Object, schema: Schema) -> Object:
    """A new object: the live one with the patch laid over it.

    Raises:
        InvalidPatch: a directive is unknown or malformed, or a list item lacks the key that it is found by.
    """
    return _merge_map(copied(live), copied(patch), schema.root)


def _merge_map(original: Object, patch: Object, shape: Shape) -> Object:
    if _PATCH in patch:
        return _directed(patch)
    _retain(original, patch)
    orders = {name[len(_ORDER) :]: patch.pop(name) for name in list(patch) if name.startswith(_ORDER)}
    for name, order in orders.items():
        _require_order(patch.get(name) or [], order, _declared(shape, name).merge_key)
    before = {name: original.get(name) for name in orders}
    for name, item in patch.items():
        if name.startswith(_DELETE):
            _delete_from(original, name[len(_DELETE) :], item)
        elif item is None:
            original.pop(name, None)
        else:
            _put(original, name, item, _declared(shape, name))
    for name, order in orders.items():
        _reorder(original, name, order, (before[name], _declared(shape, name).merge_key))
    return original


def _directed(patch: Object) -> Object:
    directive = patch.pop(_PATCH)
    if directive == "replace":
        return patch
    if directive == "delete":
        return {}
    raise _unknown(directive, patch)


def _unknown(directive: Any, patch: Object) -> InvalidPatch:
    return InvalidPatch(f"unknown patch type '{directive}' found in: '{patch}'", status=500, reason="")


def _retain(original: Object, patch: Object) -> None:
    """`$retainKeys` names all that may stay; it is how one member of a union replaces another."""
    if _RETAIN not in patch:
        return
    kept = patch.pop(_RETAIN)
    given = {name for name, item in patch.items() if item is not None and not name.startswith((_ORDER, _DELETE))}
    if not isinstance(kept, list) or not given <= set(kept):
        raise InvalidPatch("invalid patch format of retainKeys", status=400, reason="BadRequest")
    for name in original.keys() - set(kept):
        del original[name]


def _declared(shape: Shape, name: str) -> Field:
    mapping = shape.mapping
    assert mapping is not None
    return mapping.fields.get(name) or (Field(mapping.element) if mapping.element else _UNDECLARED)


def _delete_from(original: Object, name: str, gone: Any) -> None:
    if isinstance(original.get(name), list) and isinstance(gone, list):
        original[name] = [item for item in original[name] if item not in gone]


def _put(original: Object, name: str, item: Any, declared: Field) -> None:
    current = original.get(name)
    if isinstance(item, dict) and isinstance(current, dict):
        merges = declared.strategy != "replace"
        original[name] = _merge_map(current, item, declared.shape) if merges else item
    elif isinstance(item, list) and isinstance(current, list):
        merges = "merge" in declared.strategy.split(",")
        original[name] = _merge_list(current, item, declared) if merges else item
    elif isinstance(item, dict) and _PATCH in item:
        original.pop(name, None)
    else:
        original[name] = _plain(item)


def _plain(item: Any) -> Any:
    """A value that nothing is merged with, without nulls and without what only directs a merge."""
    if isinstance(item, dict):
        return {name: _plain(below) for name, below in item.items() if below is not None and not _directs(below)}
    return [_plain(below) for below in item if not _directs(below)] if isinstance(item, list) else item


def _directs(item: Any) -> bool:
    return isinstance(item, dict) and _PATCH in item


def _merge_list(original: list[Any], patch: list[Any], declared: Field) -> list[Any]:
    key = declared.merge_key
    if key is None:
        return _interleaved([*original, *(item for item in patch if item not in original)], patch, (original, None))
    original, patch = _without_directives(original, patch, key)
    listing = declared.shape.listing
    assert listing is not None
    result = list(original)
    for item in patch:
        found = _find(result, key, _key_of(item, key))
        if found is None:
            result.append(item)
        else:
            result[found] = _merge_map(result[found], item, listing.element)
    return _interleaved(result, patch, (original, key))


def _without_directives(original: list[Any], patch: list[Any], key: str) -> tuple[list[Any], list[Any]]:
    """The list after `$patch: delete`, and what is left of the patch; `$patch: replace` leaves the patch alone."""
    plain = [item for item in patch if not _directs(item)]
    for item in patch:
        if _directs(item) and item[_PATCH] == "delete":
            gone = _key_of(item, key)
            original = [other for other in original if other.get(key) != gone]
        elif _directs(item) and item[_PATCH] != "replace":
            raise _unknown(item[_PATCH], item)
    replaces = any(_directs(item) and item[_PATCH] == "replace" for item in patch)
    return (plain, []) if replaces else (original, plain)


def _key_of(item: Any, key: str) -> Any:
    if not isinstance(item, dict) or key not in item:
        raise InvalidPatch(f"map: {item} does not contain declared merge key: {key}", status=500, reason="")
    return item[key]


def _find(items: list[Any], key: str, wanted: Any) -> int | None:
    return next((index for index, item in enumerate(items) if item.get(key) == wanted), None)


def _require_order(items: list[Any], order: Any, key: str | None) -> None:
    """What a patch gives must stand in the order that it asks for."""
    if not isinstance(order, list):
        raise InvalidPatch(f"expected a list in {_ORDER}..., but received {order!r}", status=500, reason="")
    asked = iter([_name(item, key) for item in order])
    given = [_name(item, key) for item in items if not _directs(item)]
    if order and not all(name in asked for name in given):
        message = f"The order in patch list:\n{items}\n doesn't match {_ORDER[:-1]} list:\n{order}\n"
        raise InvalidPatch(message, status=500, reason="")


def _reorder(original: Object, name: str, order: list[Any], known: tuple[Any, str | None]) -> None:
    """Bring a list into the order that `$setElementOrder` asks for, items that it does not name in between."""
    before, key = known
    if isinstance(original.get(name), list):
        original[name] = _interleaved(original[name], order, (before or [], key))


def _interleaved(items: list[Any], order: Iterable[Any], known: tuple[list[Any], str | None]) -> list[Any]:
    """The items in the patch's order, the others where they stood before; what is new comes as early as it can."""
    before, key = known
    wanted = _positions(order, key)
    stood = _positions(before, key)
    named = [item for item in items if _name(item, key) in wanted]
    named.sort(key=lambda item: wanted[_name(item, key)])
    others = [item for item in items if _name(item, key) not in wanted]
    others.sort(key=lambda item: stood.get(_name(item, key), len(stood)))
    result = []
    for item in named:
        place = stood.get(_name(item, key), -1)
        while others and stood.get(_name(others[0], key), len(stood)) < place:
            result.append(others.pop(0))
        result.append(item)
    return result + others


def _positions(items: Iterable[Any], key: str | None) -> dict[Any, int]:
    found: dict[Any, int] = {}
    for index, item in enumerate(items):
        found.setdefault(_name(item, key), index)
    return found


def _name(item: Any, key: str | None) -> Any:
    return item if key is None else _key_of(item, key)
