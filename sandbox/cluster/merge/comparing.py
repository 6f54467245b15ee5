"""What changed between two objects, as three sets: added, modified, removed.

Here: the comparison along a shape; the order of items in associative lists does not count. Not here: whom a change
concerns (`applying`, `updating`).
"""

from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Final

from sandbox.cluster.merge.fieldsets import FieldSet, Path, insert, named
from sandbox.cluster.merge.shapes import ListShape, MapShape, Shape
from sandbox.cluster.merge.walking import Handled, Misfit, element_of, handled_as, same


class _Nothing(Enum):
    ABSENT = 0


ABSENT: Final = _Nothing.ABSENT


@dataclass(slots=True)
class Changes:
    """The paths that differ; none of them is in more than one of the sets."""

    added: FieldSet = field(default_factory=dict)
    modified: FieldSet = field(default_factory=dict)
    removed: FieldSet = field(default_factory=dict)


def changes(before: Any, after: Any, shape: Shape) -> Changes:
    """What leads from one object to the other.

    Raises:
        Misfit: a list item has nothing to be found by.
    """
    found = Changes()
    _compare(found, (), _Sides(before, after), shape)
    return found


@dataclass(slots=True)
class _Sides:
    before: Any
    after: Any

    @property
    def known(self) -> Any:
        return self.before if self.after is ABSENT else self.after


def _compare(found: Changes, path: Path, sides: _Sides, shape: Shape) -> None:
    if sides.before is sides.after:
        return
    last = handled_as(sides.known, shape)
    if sides.before is not ABSENT:
        first = handled_as(sides.before, shape)
        # Where a place may hold several sorts of things, a change of the sort is a change of both.
        if first is not last:
            _descend(found, path, sides, (shape, first))
    _descend(found, path, sides, (shape, last))


def _descend(found: Changes, path: Path, sides: _Sides, handling: tuple[Shape, Handled]) -> None:
    shape, how = handling
    if how is Handled.MAP:
        assert shape.mapping is not None
        _compare_maps(found, path, sides, shape.mapping)
    elif how is Handled.LIST:
        assert shape.listing is not None
        _compare_lists(found, path, sides, shape.listing)
    else:
        _leaf(found, path, sides)


def _leaf(found: Changes, path: Path, sides: _Sides) -> None:
    if sides.before is ABSENT:
        insert(found.added, path)
    elif sides.after is ABSENT:
        insert(found.removed, path)
    elif not same(sides.before, sides.after):
        insert(found.modified, path)


def _container(found: Changes, path: Path, sides: _Sides) -> None:
    """A map or list that comes or goes does so itself too, not only what is in it."""
    if sides.before is ABSENT:
        insert(found.added, path)
    elif sides.after is ABSENT:
        insert(found.removed, path)


def _compare_maps(found: Changes, path: Path, sides: _Sides, mapping: MapShape) -> None:
    before = sides.before if isinstance(sides.before, dict) else {}
    after = sides.after if isinstance(sides.after, dict) else {}
    if mapping.atomic or not (before or after):
        _leaf(found, path, sides)
        return
    for name in before | after:
        ours, theirs = before.get(name, ABSENT), after.get(name, ABSENT)
        if ours is not theirs:
            declared = mapping.fields.get(name)
            shape = declared.shape if declared else mapping.element
            assert shape is not None
            _compare(found, (*path, f"f:{name}"), _Sides(ours, theirs), shape)
    _container(found, path, sides)


def _compare_lists(found: Changes, path: Path, sides: _Sides, listing: ListShape) -> None:
    before = sides.before if isinstance(sides.before, list) else []
    after = sides.after if isinstance(sides.after, list) else []
    if listing.atomic or not (before or after):
        _leaf(found, path, sides)
        return
    ours, theirs = _indexed(before, listing, path), _indexed(after, listing, path)
    for element in ours | theirs:
        _compare_items(found, (*path, element), (ours.get(element, []), theirs.get(element, [])), listing.element)
    _container(found, path, sides)


def _indexed(items: list[Any], listing: ListShape, path: Path) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {}
    for index, item in enumerate(items):
        try:
            element = element_of(item, listing)
        except Misfit as misfit:
            raise Misfit(f"element {index}: {misfit.reason}", named(path)) from misfit
        found.setdefault(element, []).append(item)
    return found


def _compare_items(found: Changes, path: Path, lists: tuple[list[Any], list[Any]], shape: Shape) -> None:
    """Items of one name; several of one name count together, as one leaf."""
    ours, theirs = lists
    if len(ours) > 1 and len(theirs) > 1:
        if not same(ours, theirs):
            insert(found.modified, path)
    elif len(ours) > 1:
        for item in theirs:
            _compare(found, path, _Sides(ABSENT, item), shape)
        insert(found.removed, path)
    elif len(theirs) > 1:
        for item in ours:
            _compare(found, path, _Sides(item, ABSENT), shape)
        insert(found.added, path)
    else:
        _compare(found, path, _Sides(*(ours or [ABSENT]), *(theirs or [ABSENT])), shape)
