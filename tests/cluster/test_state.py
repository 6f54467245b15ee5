"""The accepted state on the simulated and the real API server: what survives, what is swept, what is not believed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping

import pytest

from agent.cluster.secrets import MAX_BYTES
from agent.cluster.state import ClusterState
from agent.model.desired import Entry, Index, Standing
from agent.model.errors import Conflict
from agent.ports import KeptState
from tests.cluster.conftest import Edge
from tests.support.builders import AN_ID, an_entry, document_bytes
from tests.support.wire import an_index, some_entries

OTHER_ID = "5b1c1f5e-2f8e-4f0c-8a8e-0d5f2f1c9b22"
HEAD = "perigee-state-head"


def a_state(index: Index, *entries: Entry, version: str = "", floors: Mapping[str, int] | None = None) -> KeptState:
    return KeptState(index.raw, {entry.id: entry for entry in entries}, index.standing, version, floors or {})


async def kept(store: ClusterState) -> tuple[KeptState | None, dict[str, bytes]]:
    """What a start reads."""
    state = await store.load()
    documents: dict[str, bytes] = {}
    async for page in store.documents():
        documents |= page
    return state, documents


async def held(store: ClusterState, *documents: bytes) -> tuple[Entry, ...]:
    await store.hold({an_entry(raw).digest: raw for raw in documents})
    return tuple(an_entry(raw) for raw in documents)


async def test_the_accepted_state_survives_a_restart_and_sweeps_what_is_no_longer_in_force(edge: Edge) -> None:
    store = ClusterState(edge.shelf)
    first, second = await held(store, document_bytes(team="one"), document_bytes(team="two"))
    one, two = an_index(1, first), an_index(2, second)
    state = await store.swap(a_state(one, first), index=one)
    assert await kept(ClusterState(edge.shelf)) == (state, {first.digest: document_bytes(team="one")})
    newer = await store.swap(a_state(two, second, version=state.resource_version), index=two)
    assert (await ClusterState(edge.shelf).load()) == newer
    await store.sweep()
    assert [one.name for one in await edge.shelf.listed("state")] == [f"perigee-state-{second.digest}"]
    with pytest.raises(Conflict):
        await store.swap(a_state(one, first, version=state.resource_version), index=one)
    assert (await ClusterState(edge.shelf).load()) == newer


async def test_what_is_in_force_otherwise_than_the_index_says_survives_too(edge: Edge) -> None:
    store = ClusterState(edge.shelf)
    listed = some_entries(4)
    refused, absent, bumped, same = listed
    index = an_index(3, *listed)
    in_force = (
        same,
        Entry(refused.id, refused.revision - 1, "a" * 64, 17),
        Entry(bumped.id, bumped.revision - 1, bumped.digest, bumped.size),
        Entry(OTHER_ID, 4, "b" * 64, 18),
    )
    state = await store.swap(a_state(index, *in_force, floors={absent.id: 9}), index=index)
    again = await ClusterState(edge.shelf).load()
    assert again == state
    assert again is not None
    assert absent.id not in again.entries


async def test_a_head_of_five_thousand_instances_fits_even_where_none_is_as_the_index_says(edge: Edge) -> None:
    listed = some_entries(5000)
    index = an_index(3, *listed)
    others = tuple(Entry(one.id, one.revision - 1, hashlib.sha256(one.id.encode()).hexdigest(), 9) for one in listed)
    store = ClusterState(edge.shelf)
    state = await store.swap(a_state(index, *others), index=index)
    assert await ClusterState(edge.shelf).load() == state
    head = await edge.shelf.read(HEAD)
    assert head is not None
    assert sum(map(len, head.content.values())) < MAX_BYTES


async def test_one_document_that_changed_among_many_is_two_small_writes_and_one_delete(edge: Edge) -> None:
    store, raw = ClusterState(edge.shelf), document_bytes(team="one")
    (first,) = await held(store, raw)
    others = some_entries(200)
    one = an_index(1, first, *others)
    state = await store.swap(a_state(one, first, *others), index=one)
    before = dict(edge.client.requests())
    (second,) = await held(store, document_bytes(team="two"))
    two = an_index(2, second, *others)
    await store.swap(a_state(two, second, *others, version=state.resource_version), index=two)
    await store.sweep()
    made = {verb: count - before.get(verb, 0) for verb, count in edge.client.requests().items()}
    assert {verb: count for verb, count in made.items() if count} == {"create": 1, "update": 1, "delete": 1}


async def test_a_head_that_a_version_before_wrote_is_read_and_its_index_stays_until_the_next(edge: Edge) -> None:
    raw, index = document_bytes(), an_index(7, an_entry(document_bytes()))
    entry, digest = an_entry(raw), hashlib.sha256(index.raw).hexdigest()
    line = {"id": entry.id, "revision": entry.revision, "digest": entry.digest, "size": entry.size}
    head = {"epoch": 3, "version": 7, "index": digest, "entries": [line]}
    for content in (raw, index.raw):
        name = f"perigee-state-{hashlib.sha256(content).hexdigest()}"
        await edge.shelf.create(name, {"content": content}, role="state", immutable=True)
    await edge.shelf.create(HEAD, {"head": json.dumps(head).encode()}, role="state-head")
    store = ClusterState(edge.shelf)
    state, documents = await kept(store)
    assert state == KeptState(index.raw, {AN_ID: entry}, Standing(3, 7), state.resource_version if state else "")
    assert documents[entry.digest] == raw
    await store.sweep()
    assert (await kept(store))[0] == state
    assert state is not None
    newer = an_index(8, entry)
    await store.swap(a_state(newer, entry, version=state.resource_version), index=newer)
    await store.sweep()
    assert [one.name for one in await edge.shelf.listed("state")] == [f"perigee-state-{entry.digest}"]


async def test_an_index_that_nobody_understands_any_more_leaves_the_rest_readable(edge: Edge) -> None:
    store, entry = ClusterState(edge.shelf), an_entry(document_bytes())
    index = Index("prod-1", Standing(1, 1), an_index(1).issued_at, an_index(1).expires_at, (), raw=b"of another age")
    state = await store.swap(a_state(index, entry), index=index)
    assert await ClusterState(edge.shelf).load() == state


async def test_a_sweep_right_after_a_restart_takes_only_what_a_crash_left_behind(edge: Edge) -> None:
    store = ClusterState(edge.shelf)
    (entry,) = await held(store, document_bytes())
    index = an_index(1, entry)
    state = await store.swap(a_state(index, entry), index=index)
    await edge.shelf.create(f"perigee-state-{'0' * 64}", {"content": b"left behind"}, role="state")
    await held(ClusterState(edge.shelf), document_bytes(team="never in force"))
    restarted = ClusterState(edge.shelf)
    found, documents = await kept(restarted)
    assert (found, list(documents)) == (state, [entry.digest])
    await restarted.sweep()
    assert (await kept(ClusterState(edge.shelf)))[0] == state
    assert len(await edge.shelf.listed("state")) == 1


async def test_kept_content_that_somebody_altered_is_not_believed_and_can_be_kept_again(edge: Edge) -> None:
    store, raw = ClusterState(edge.shelf), document_bytes()
    (entry,) = await held(store, raw)
    index = an_index(1, entry)
    await store.swap(a_state(index, entry), index=index)
    name = f"perigee-state-{entry.digest}"
    await edge.shelf.delete(name)
    await edge.shelf.create(name, {"content": b"forged"}, role="state")
    _, documents = await kept(store)
    assert documents == {}
    assert not store.holds(entry.digest)
    await store.hold({entry.digest: raw})
    assert (await kept(store))[1] == {entry.digest: raw}
