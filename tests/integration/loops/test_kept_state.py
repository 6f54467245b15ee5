"""What the accepted state suffers from strangers while the agent runs or sleeps: nothing is lost that is in force."""

from __future__ import annotations

import base64
import uuid
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest

from agent.cluster.secrets import SecretShelf
from agent.cluster.state import ClusterState
from agent.model.desired import Entry, Index
from agent.model.facts import Fact, IndexAccepted, StateRefused
from agent.wire.index import IndexVerifier
from tests.integration.loops.lives import World
from tests.support.builders import an_entry, document_bytes
from tests.support.hostile import HostilePlane, Listener, an_index, listening
from tests.support.wire import CLUSTER, a_trust_bundle

HEAD = "perigee-state-head"


def a_paused_document(world: World, number: int = 0, **spec: Any) -> tuple[Entry, bytes]:
    """Accepted and kept, but nothing is made of it."""
    instance_id = str(uuid.uuid5(uuid.UUID(world.id), str(number)))
    raw = document_bytes(instance_id, namespace=f"af-{instance_id[:8]}", paused=True, **spec)
    return an_entry(raw, instance_id), raw


def a_tombstone(world: World, *, revision: int) -> tuple[Entry, bytes]:
    """Of the instance that ``a_paused_document`` makes with number 0."""
    entry, _ = a_paused_document(world)
    raw = document_bytes(entry.id, namespace=f"af-{entry.id[:8]}", state="deleted", retain=[])
    return an_entry(raw, entry.id, revision=revision), raw


def say(plane: HostilePlane, version: int, *documents: tuple[Entry, bytes]) -> None:
    held = {entry.digest: raw for entry, raw in documents}
    plane.say(an_index(version, [entry for entry, _ in documents]), held)


async def accepted(listener: Listener, version: int) -> None:
    def holds(fact: Fact) -> bool:
        return isinstance(fact, IndexAccepted) and fact.standing.version == version

    await listener.facts.wait(holds, seconds=20)


async def kept(world: World) -> set[str]:
    """Digests of the documents that a fresh agent would find."""
    store = ClusterState(SecretShelf(world.client, world.namespace))
    assert await store.load() is not None
    return {digest async for page in store.documents() for digest in page}


def secret(world: World, name: str) -> str:
    return f"/api/v1/namespaces/{world.namespace}/secrets/{name}"


async def delete_head(world: World, _: Entry) -> None:
    await world.send("delete", "DELETE", secret(world, HEAD))


async def delete_document(world: World, entry: Entry) -> None:
    await world.send("delete", "DELETE", secret(world, f"perigee-state-{entry.digest}"))


async def alter_document(world: World, entry: Entry) -> None:
    shelf = SecretShelf(world.client, world.namespace)
    await shelf.delete(f"perigee-state-{entry.digest}")
    await shelf.create(f"perigee-state-{entry.digest}", {"content": b"forged"}, role="state")


Harm = Callable[[World, Entry], Awaitable[None]]


@pytest.mark.parametrize("harm", [delete_head, delete_document, alter_document])
async def test_what_is_harmed_between_two_lives_is_fetched_and_kept_again(world: World, harm: Harm) -> None:
    plane, first, second = HostilePlane(), a_paused_document(world, 1), a_paused_document(world, 2)
    say(plane, 1, first)
    async with listening(plane, world.granted, world.namespace) as listener:
        await accepted(listener, 1)
    await harm(world, first[0])
    async with listening(plane, world.granted, world.namespace) as listener:
        await accepted(listener, 1)
        assert await kept(world) == {first[0].digest}
        say(plane, 2, first, second)
        await accepted(listener, 2)
    assert await kept(world) == {first[0].digest, second[0].digest}


async def test_a_head_that_is_deleted_while_the_agent_runs_is_made_again(world: World) -> None:
    plane, first, second = HostilePlane(), a_paused_document(world, 1), a_paused_document(world, 2)
    say(plane, 1, first)
    async with listening(plane, world.granted, world.namespace) as listener:
        await accepted(listener, 1)
        await delete_head(world, first[0])
        say(plane, 2, first, second)
        await accepted(listener, 2)
        assert set(listener.accepted.desired.documents) == {first[0].id, second[0].id}
    assert await kept(world) == {first[0].digest, second[0].digest}


async def test_an_unlisted_document_stays_in_force_when_its_copy_is_lost(world: World) -> None:
    plane, first, second = HostilePlane(), a_paused_document(world, 1), a_paused_document(world, 2)
    say(plane, 1, first)
    async with listening(plane, world.granted, world.namespace) as listener:
        await accepted(listener, 1)
        await delete_head(world, first[0])
        say(plane, 2, second)
        await accepted(listener, 2)
        assert set(listener.accepted.desired.documents) == {first[0].id, second[0].id}
        assert listener.accepted.desired.unlisted == {first[0].id}


@pytest.mark.parametrize("content", [b"{", b"[]", b'{"entries": [{"id": 1}]}', b"\xff"])
async def test_a_damaged_head_is_named_and_deleting_it_helps(world: World, content: bytes) -> None:
    plane, first = HostilePlane(), a_paused_document(world)
    say(plane, 1, first)
    async with listening(plane, world.granted, world.namespace) as listener:
        await accepted(listener, 1)
    patch = {"data": {"head": base64.b64encode(content).decode()}}
    path = secret(world, HEAD)
    await world.send("patch", "PATCH", path, body=patch, content_type="application/merge-patch+json")
    async with listening(plane, world.granted, world.namespace) as listener:
        fact = await listener.facts.wait(lambda fact: HEAD in repr(fact), seconds=20)
        assert "delete it" in repr(fact)
        await delete_head(world, first[0])
        await accepted(listener, 1)


async def test_what_was_restored_was_not_accepted_just_now(world: World) -> None:
    plane, silent, first = HostilePlane(), HostilePlane(), a_paused_document(world)
    say(plane, 1, first)
    async with listening(plane, world.granted, world.namespace) as listener:
        await accepted(listener, 1)
    silent.say(b"nonsense")
    async with listening(silent, world.granted, world.namespace) as listener:
        await listener.facts.wait(lambda fact: "index" in repr(fact), seconds=20)
        assert set(listener.accepted.desired.documents) == {first[0].id}
        assert not [fact for fact in listener.facts.stated if isinstance(fact, IndexAccepted)]


async def test_a_document_with_maintenance_windows_is_taken_as_any_other(world: World) -> None:
    windows = [{"schedule": "0 2 * * 6", "duration": "4h", "timeZone": "Pacific/Chatham"}]
    plane, windowed = HostilePlane(), a_paused_document(world, maintenance={"windows": windows})
    say(plane, 1, windowed)
    async with listening(plane, world.granted, world.namespace) as listener:
        await accepted(listener, 1)
        (document,) = listener.accepted.desired.documents.values()
        assert str(document.instance.maintenance[0].zone) == "Pacific/Chatham"


async def test_an_error_that_nobody_foresaw_stops_one_poll_and_not_the_agent(world: World) -> None:
    class BrokenPlane(HostilePlane):
        """Breaks once."""

        broken = True

        async def documents(self, entries: object) -> dict[str, bytes]:
            if self.broken:
                self.broken = False
                raise KeyError("canary-4711")
            return dict(await super().documents(entries))  # type: ignore[arg-type]

    plane = BrokenPlane()
    say(plane, 1, a_paused_document(world))
    async with listening(plane, world.granted, world.namespace) as listener:
        await accepted(listener, 1)
        said = repr(listener.facts.stated) + repr(listener.statuses.conditions())
        assert "KeyError at test_kept_state.py:" in said
        assert "canary-4711" not in said


async def test_a_tombstone_that_was_carried_out_goes_and_nothing_older_comes_back(world: World) -> None:
    """Also not after a restart, and not from a control plane that was restored from a backup made before it."""
    plane, other = HostilePlane(), a_paused_document(world, 1)
    older, (grave, raw) = a_paused_document(world), a_tombstone(world, revision=3)
    say(plane, 1, (grave, raw), other)
    async with listening(plane, world.granted, world.namespace) as listener:
        await accepted(listener, 1)
        listener.accepted.carried_out(listener.accepted.desired.documents[grave.id])
        say(plane, 2, other)
        await accepted(listener, 2)
        assert set(listener.accepted.desired.documents) == {other[0].id}
        assert grave.id not in listener.accepted.desired.unlisted
        say(plane, 3, older, other)
        await accepted(listener, 3)
        assert listener.accepted.desired.refusals[grave.id].reason == "RevisionWentBack"
    assert await kept(world) == {other[0].digest}
    async with listening(plane, world.granted, world.namespace) as listener:
        await accepted(listener, 3)
        assert listener.accepted.desired.refusals[grave.id].reason == "RevisionWentBack"
        newer = replace(older[0], revision=4), older[1]
        say(plane, 4, newer, other)
        await accepted(listener, 4)
        assert set(listener.accepted.desired.documents) == {grave.id, other[0].id}


async def test_a_tombstone_with_work_left_stays_when_it_is_no_longer_listed(world: World) -> None:
    plane, (grave, raw) = HostilePlane(), a_tombstone(world, revision=3)
    say(plane, 1, (grave, raw))
    async with listening(plane, world.granted, world.namespace) as listener:
        await accepted(listener, 1)
        say(plane, 2)
        await accepted(listener, 2)
        assert listener.accepted.desired.unlisted == {grave.id}
    assert await kept(world) == {grave.digest}


async def test_a_document_that_was_lost_while_the_agent_slept_does_not_come_back_older(world: World) -> None:
    plane, first = HostilePlane(), a_paused_document(world)
    newest = replace(first[0], revision=5), first[1]
    say(plane, 1, newest)
    async with listening(plane, world.granted, world.namespace) as listener:
        await accepted(listener, 1)
    await delete_document(world, first[0])
    older = a_paused_document(world, team="older")
    say(plane, 2, older)
    async with listening(plane, world.granted, world.namespace) as listener:
        await accepted(listener, 2)
        assert listener.accepted.desired.refusals[first[0].id].reason == "RevisionWentBack"
        say(plane, 3, newest)
        await accepted(listener, 3)
        assert listener.accepted.desired.documents[first[0].id].entry.revision == 5


async def test_a_refusal_of_an_instance_that_never_was_is_forgotten_with_its_line(world: World) -> None:
    plane, first, raw = HostilePlane(), a_paused_document(world, 1), b"nonsense"
    bad = an_entry(raw, str(uuid.uuid4()))
    say(plane, 1, first, (bad, raw))
    async with listening(plane, world.granted, world.namespace) as listener:
        await accepted(listener, 1)
        listener.statuses.told(listener.statuses.untold())
        assert listener.condition(bad.id, "Accepted").reason == "Malformed"
        say(plane, 2, first)
        await accepted(listener, 2)
        assert bad.id not in listener.statuses.everything()


async def test_bytes_that_were_refused_are_not_fetched_and_told_again_with_each_index(world: World) -> None:
    class CountingPlane(HostilePlane):
        """Counts what it is asked for."""

        def __init__(self) -> None:
            super().__init__()
            self.asked: list[str] = []

        async def documents(self, entries: Sequence[Entry]) -> Mapping[str, bytes]:
            self.asked += [entry.id for entry in entries]
            return await super().documents(entries)

    plane, first, second, raw = CountingPlane(), a_paused_document(world, 1), a_paused_document(world, 2), b"nonsense"
    bad = an_entry(raw, str(uuid.uuid4()))
    say(plane, 1, first, (bad, raw))
    async with listening(plane, world.granted, world.namespace) as listener:
        await accepted(listener, 1)
        say(plane, 2, first, second, (bad, raw))
        await accepted(listener, 2)
        assert sorted(plane.asked) == sorted([first[0].id, second[0].id, bad.id])
        assert listener.accepted.desired.refusals[bad.id].reason == "Malformed"
        assert len([fact for fact in listener.facts.stated if isinstance(fact, StateRefused)]) == 1


async def test_what_another_agent_accepted_meanwhile_is_what_the_next_answer_is_judged_against(world: World) -> None:
    plane, first = HostilePlane(), a_paused_document(world)
    later = a_paused_document(world, team="later")
    newest = replace(later[0], revision=7), later[1]
    say(plane, 1, first)
    async with listening(plane, world.granted, world.namespace) as listener:
        await accepted(listener, 1)
        await accept_elsewhere(world, 5, newest)
        say(plane, 3, first)
        await listener.facts.wait(lambda fact: isinstance(fact, StateRefused) and fact.reason == "RolledBack")
        assert listener.accepted.desired.documents[first[0].id].entry == newest[0]
        say(plane, 6, (replace(first[0], revision=6), first[1]))
        await accepted(listener, 6)
        assert listener.accepted.desired.refusals[first[0].id].reason == "RevisionWentBack"
        assert listener.accepted.desired.documents[first[0].id].entry == newest[0]
    assert await kept(world) == {newest[0].digest}


async def accept_elsewhere(world: World, version: int, *documents: tuple[Entry, bytes]) -> None:
    """Move the head as another agent would."""
    store = ClusterState(SecretShelf(world.client, world.namespace))
    state = await store.load()
    assert state is not None
    index = index_from_envelope(an_index(version, [entry for entry, _ in documents]))
    await store.hold({entry.digest: raw for entry, raw in documents})
    entries = {entry.id: entry for entry, _ in documents}
    await store.swap(replace(state, entries=entries, standing=index.standing), index=index)


def index_from_envelope(envelope: bytes) -> Index:
    return IndexVerifier(a_trust_bundle(), CLUSTER).index(envelope, now=None, newest=None)
