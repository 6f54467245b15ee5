"""Paths and sets of fields mean to the agent what they mean to a server, whatever is in them."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from agent.model.objects import ObjectRef
from agent.planning.fields import Path, members, pack, text, unpack
from sandbox.cluster.merge import fieldsets

HOSTILE = ("", "a.b/c", 'a"b', "a]b", "ä", "a\\b", "a=b", "[x]")

words = st.sampled_from(HOSTILE) | st.text(max_size=6)
scalars = words | st.integers() | st.booleans()
elements = st.one_of(
    words.map("f:{}".format),
    st.dictionaries(st.sampled_from(["name", "port", "protocol"]), scalars, min_size=1).map(fieldsets.key_element),
    scalars.map(fieldsets.value_element),
    st.integers(0, 9).map("i:{}".format),
)
paths = st.lists(elements, min_size=1, max_size=4).map(tuple)
refs = st.builds(ObjectRef, st.sampled_from(["v1", "apps/v1"]), words, words, words)


@st.composite
def field_sets(draw: st.DrawFn) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for path in draw(st.lists(paths, max_size=5)):
        fieldsets.insert(found, path)
    return found


@given(paths)
def test_every_path_reads_as_the_embedded_server_writes_it(path: Path) -> None:
    assert text(path) == fieldsets.named(path)


@given(field_sets())
def test_the_members_are_those_that_the_server_counts(fields: dict[str, Any]) -> None:
    assert sorted(members(fields)) == sorted(fieldsets.paths(fields))


@given(st.dictionaries(refs, field_sets(), max_size=4))
def test_what_was_packed_is_unpacked(sets: dict[ObjectRef, dict[str, Any]]) -> None:
    assert unpack(pack(sets)) == sets
    assert pack(dict(reversed(list(sets.items())))) == pack(sets)
