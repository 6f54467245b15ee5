"""The union of a live object and an applied one: what the applied one says wins, what it does not mention stays.

Here: the merge along a shape, with the server's order of list items. Not here: what leaves the object because nobody
applies it any more (`pruning`).

Whatever the applied object does not change is the live object itself, by identity: later steps see at a glance where
nothing happened.
"""

from collections import deque
from typing import Any

from sandbox.cluster.merge.shapes import ListShape, MapShape, Shape
from sandbox.cluster.merge.walking import Handled, element_of, handled_as, same


def merged(live: Any, applied: Any, shape: Shape) -> Any:
    """The live value with the applied one laid over it; `live` itself if that changes nothing.

    Raises:
        Misfit: a list item has nothing to be found by.
    """
    how = handled_as(applied, shape)
    if how is Handled.SCALAR:
        return live if same(live, applied) else applied
    if how is Handled.MAP:
        assert shape.mapping is not None
        return _merged_map(live, applied, shape.mapping)
    assert shape.listing is not None
    return _merged_list(live, applied, shape.listing)


def _merged_map(live: Any, applied: Any, mapping: MapShape) -> Any:
    if mapping.atomic or not isinstance(live, dict) or not live:
        return live if same(live, applied) else applied
    if not isinstance(applied, dict):
        return live
    changed = {}
    for name, item in applied.items():
        if name not in live:
            changed[name] = item
            continue
        declared = mapping.fields.get(name)
        shape = declared.shape if declared else mapping.element
        assert shape is not None
        before = live[name]
        after = merged(before, item, shape)
        if after is not before:
            changed[name] = after
    return {**live, **changed} if changed else live


def _merged_list(live: Any, applied: Any, listing: ListShape) -> Any:
    if listing.atomic or not isinstance(live, list) or not live:
        return live if same(live, applied) else applied
    if not applied:
        return live
    result = _Interleaving(live, applied, listing).result()
    unchanged = len(result) == len(live) and all(ours is theirs for ours, theirs in zip(result, live, strict=True))
    return live if unchanged else result


class _Interleaving:
    """The items of two associative lists in one order, step by step as structured-merge-diff finds it.

    Applied items keep the order in which they are applied; items that only the live list has stay before the shared
    item that they precede now.
    """

    def __init__(self, live: list[Any], applied: list[Any], listing: ListShape) -> None:
        self._element = listing.element
        self._live = [(element_of(item, listing), item) for item in live]
        self._applied = {element_of(item, listing): item for item in applied}
        self._before: dict[str, Any] = {}
        for element, item in self._live:
            # An item that the live list holds twice is replaced, not merged: there is no telling which one is meant.
            self._before[element] = None if element in self._before else item
        self._left = deque(self._live)
        self._right = deque(self._applied)
        self._shared = deque(element for element in self._applied if element in self._before)
        self._placed: set[str] = set()
        self._out: list[Any] = []

    def result(self) -> list[Any]:
        """The merged list."""
        while self._left and self._right:
            self._step(self._left[0][0])
        while self._right:
            self._place()
        self._out.extend(item for element, item in self._left if element not in self._applied)
        return self._out

    def _step(self, element: str) -> None:
        if element not in self._applied:
            self._out.append(self._left.popleft()[1])
        elif element == self._right[0]:
            self._left.popleft()
            self._place()
        elif self._shared and self._shared[0] != element:
            self._left.popleft()
        else:
            if element in self._placed:
                self._left.popleft()
            self._place()

    def _place(self) -> None:
        """Put the next applied item, merged with the live item of the same name."""
        element = self._right.popleft()
        applied = self._applied[element]
        self._out.append(merged(self._before[element], applied, self._element) if element in self._before else applied)
        self._placed.add(element)
        if self._shared and self._shared[0] == element:
            self._shared.popleft()
