"""The two questions every walk along a shape asks: what is this value handled as, and what is this list item called.

Here also: the error for objects that do not fit their shape.
"""

from enum import Enum, auto
from functools import lru_cache
from typing import Any

from sandbox.cluster.merge.fieldsets import key_element, value_element
from sandbox.cluster.merge.shapes import ListShape, Shape


class Handled(Enum):
    """The sort of thing a value is treated as."""

    MAP = auto()
    SCALAR = auto()
    LIST = auto()


class Misfit(Exception):
    """A value does not fit its shape.

    Attributes:
        path: where, for example `.spec.ports`; grows while the error rises.
        reason: what is wrong, in the words of the real server.
    """

    def __init__(self, reason: str, path: str = "") -> None:
        super().__init__(reason)
        self.path = path
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.path}: {self.reason}" if self.path else self.reason


def handled_as(value: Any, shape: Shape) -> Handled:
    """What to treat a value as; one that fits nothing, and null, counts as the first thing that the shape allows."""
    if isinstance(value, dict):
        if shape.mapping is not None:
            return Handled.MAP
    elif isinstance(value, list):
        if shape.listing is not None:
            return Handled.LIST
    elif value is not None and shape.scalar is not None:
        return Handled.SCALAR
    if shape.mapping is not None:
        return Handled.MAP
    return Handled.SCALAR if shape.scalar is not None else Handled.LIST


def below(element: str, shape: Shape | None) -> tuple[Shape | None, bool]:
    """The shape under a path element, and whether the element is a declared field; None where nothing can be."""
    if shape is None:
        return None, False
    if element[0] == "f" and shape.mapping is not None:
        declared = shape.mapping.fields.get(element[2:])
        return (declared.shape, True) if declared else (shape.mapping.element, False)
    if element[0] == "k" and shape.listing is not None:
        return shape.listing.element, False
    return None, False


def element_of(item: Any, listing: ListShape) -> str:
    """The path element of an item in an associative list.

    Raises:
        Misfit: the item has nothing to be found by.
    """
    return _keyed(item, listing) if listing.keys else _in_set(item)


def _keyed(item: Any, listing: ListShape) -> str:
    if item is None:
        raise Misfit("associative list with keys may not have a null element")
    if not isinstance(item, dict):
        raise Misfit("associative list with keys may not have non-map elements")
    found = {}
    for key in listing.keys:
        if key in item:
            found[key] = item[key]
        elif key in listing.defaults:
            found[key] = listing.defaults[key]
    if not found:
        names = " ".join(f'"{key}"' for key in listing.keys)
        raise Misfit(
            f"associative list with keys has an element that omits all key fields [{names}] "
            "(and doesn't have default values for any key fields)"
        )
    return _cached_key(tuple(sorted(found.items())))


@lru_cache(maxsize=4096, typed=True)
def _cached_key(keys: tuple[tuple[str, Any], ...]) -> str:
    return key_element(dict(keys))


def _in_set(item: Any) -> str:
    if isinstance(item, dict):
        raise Misfit("associative list without keys has an element that's a map type")
    if isinstance(item, list):
        raise Misfit("not supported: associative list with lists as elements")
    if item is None:
        raise Misfit("associative list without keys has an element that's an explicit null")
    return value_element(item)


def same(left: Any, right: Any) -> bool:
    """Equality as structured-merge-diff sees it: like Python's, but true is not 1."""
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    return bool(left == right)
