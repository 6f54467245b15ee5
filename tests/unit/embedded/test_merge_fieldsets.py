"""The algebra of field sets, on the encoding that managedFields use."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.cluster.merge import fieldsets
from sandbox.cluster.merge.fieldsets import (
    FieldSet,
    Path,
    difference,
    insert,
    intersection,
    named,
    paths,
    union,
    without,
)

ELEMENTS = ["f:a", "f:b", 'k:{"name":"x"}', 'v:"y"']

some_paths = st.sets(st.lists(st.sampled_from(ELEMENTS), min_size=1, max_size=3).map(tuple), max_size=6)


def made(members: set[Path]) -> FieldSet:
    result: FieldSet = {}
    for path in sorted(members):
        insert(result, path)
    return result


@given(some_paths)
def test_a_set_has_the_members_that_were_put_in(members: set[Path]) -> None:
    assert set(paths(made(members))) == members


@given(some_paths, some_paths)
def test_the_operations_are_those_of_sets(left: set[Path], right: set[Path]) -> None:
    one, other = made(left), made(right)
    assert set(paths(union(one, other))) == left | right
    assert set(paths(intersection(one, other))) == left & right
    assert set(paths(difference(one, other))) == left - right


@given(some_paths, some_paths)
def test_what_is_taken_away_takes_along_what_lies_below(left: set[Path], right: set[Path]) -> None:
    kept = {path for path in left if not any(path[:length] in right for length in range(1, len(path) + 1))}
    assert set(paths(without(made(left), made(right)))) == kept


@given(some_paths, some_paths)
def test_no_operation_changes_its_operands(left: set[Path], right: set[Path]) -> None:
    one, other = made(left), made(right)
    for operation in (union, intersection, difference, without):
        operation(one, other)
    assert (one, other) == (made(left), made(right))


@given(some_paths)
def test_what_is_written_can_be_read(members: set[Path]) -> None:
    assert fieldsets.read(fieldsets.written(made(members))) == made(members)


def test_the_order_of_elements_is_that_of_the_server() -> None:
    mixed: FieldSet = {
        'v:"b"': {}, "v:true": {}, "v:10": {}, "v:9": {}, 'v:"a"': {}, "v:null": {},
        'k:{"port":80,"protocol":"UDP"}': {}, 'k:{"port":9}': {}, 'k:{"port":80,"protocol":"TCP"}': {},
        "f:b": {"f:x": {}, ".": {}}, "f:a": {},
    }  # fmt: skip
    assert list(fieldsets.written(mixed)) == [
        "f:a",
        "f:b",
        'k:{"port":9}',
        'k:{"port":80,"protocol":"TCP"}',
        'k:{"port":80,"protocol":"UDP"}',
        "v:9",
        "v:10",
        'v:"a"',
        'v:"b"',
        "v:true",
        "v:null",
    ]
    assert list(fieldsets.written(mixed)["f:b"]) == [".", "f:x"]


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (("f:spec", "f:replicas"), ".spec.replicas"),
        (("f:ports", 'k:{"port":80,"protocol":"TCP"}', "f:name"), '.ports[port=80,protocol="TCP"].name'),
        (("f:finalizers", 'v:"a"'), '.finalizers[="a"]'),
        (("f:list", "i:3"), ".list[3]"),
    ],
)
def test_a_path_as_people_read_it(path: Path, expected: str) -> None:
    assert named(path) == expected


@pytest.mark.parametrize("nonsense", [1, "f:a", [], {"f": {}}, {"data": {}}, {"k:nonsense": {}}])
def test_what_is_no_set_cannot_be_read(nonsense: Any) -> None:
    with pytest.raises(ValueError, match=r".*"):
        fieldsets.read(nonsense)
