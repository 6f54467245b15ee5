"""What the accepted state suffers from strangers while the agent runs or sleeps: nothing is lost that is in force."""

from __future__ import annotations

import base64
import uuid
from collections.abc import Awaitable, Callable

import pytest

from agent.cluster.secrets import SecretShelf
from agent.cluster.state import ClusterState
from agent.model.desired import Entry
from agent.model.facts import Fact, IndexAccepted
from tests.integration.loops.lives import World
from tests.support.builders import an_entry, document_bytes
from tests.support.hostile import HostilePlane, Listener, an_index, listening

HEAD = "perigee-state-head"


def a_paused_document(world: World, number: int = 0, **spec: str) -> tuple[Entry, bytes]:
    """Accepted and kept, but nothing is made of it."""
    instance_id = str(uuid.uuid5(uuid.UUID(world.id), str(number)))
    raw = document_bytes(instance_id, namespace=f"af-{instance_id[:8]}", paused=True, **spec)
    return an_entry(raw, instance_id), raw


def say(plane: HostilePlane, version: int, *documents: tuple[Entry, bytes]) -> None:
    held = {entry.digest: raw for entry, raw in documents}
    plane.say(an_index(version, [entry for entry, _ in documents]), held)


async def accepted(listener: Listener, version: int) -> None:
    def holds(fact: Fact) -> bool:
        return isinstance(fact, IndexAccepted) and fact.standing.version == version

    await listener.facts.wait(holds, seconds=20)


async def kept(world: World) -> set[str]:
    """Digests of the documents that a fresh agent would find."""
    state = await ClusterState(SecretShelf(world.client, world.namespace)).load()
    assert state is not None
    return set(state.documents)


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
    async with listening(plane, world.cluster, world.namespace) as listener:
        await accepted(listener, 1)
    await harm(world, first[0])
    async with listening(plane, world.cluster, world.namespace) as listener:
        await accepted(listener, 1)
        assert await kept(world) == {first[0].digest}
        say(plane, 2, first, second)
        await accepted(listener, 2)
    assert await kept(world) == {first[0].digest, second[0].digest}


async def test_a_head_that_is_deleted_while_the_agent_runs_is_made_again(world: World) -> None:
    plane, first, second = HostilePlane(), a_paused_document(world, 1), a_paused_document(world, 2)
    say(plane, 1, first)
    async with listening(plane, world.cluster, world.namespace) as listener:
        await accepted(listener, 1)
        await delete_head(world, first[0])
        say(plane, 2, first, second)
        await accepted(listener, 2)
        assert set(listener.accepted.desired.documents) == {first[0].id, second[0].id}
    assert await kept(world) == {first[0].digest, second[0].digest}


async def test_an_unlisted_document_stays_in_force_when_its_copy_is_lost(world: World) -> None:
    plane, first, second = HostilePlane(), a_paused_document(world, 1), a_paused_document(world, 2)
    say(plane, 1, first)
    async with listening(plane, world.cluster, world.namespace) as listener:
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
    async with listening(plane, world.cluster, world.namespace) as listener:
        await accepted(listener, 1)
    patch = {"data": {"head": base64.b64encode(content).decode()}}
    path = secret(world, HEAD)
    await world.send("patch", "PATCH", path, body=patch, content_type="application/merge-patch+json")
    async with listening(plane, world.cluster, world.namespace) as listener:
        fact = await listener.facts.wait(lambda fact: HEAD in repr(fact), seconds=20)
        assert "delete it" in repr(fact)
        await delete_head(world, first[0])
        await accepted(listener, 1)


async def test_what_was_restored_was_not_accepted_just_now(world: World) -> None:
    plane, silent, first = HostilePlane(), HostilePlane(), a_paused_document(world)
    say(plane, 1, first)
    async with listening(plane, world.cluster, world.namespace) as listener:
        await accepted(listener, 1)
    silent.say(b"nonsense")
    async with listening(silent, world.cluster, world.namespace) as listener:
        await listener.facts.wait(lambda fact: "index" in repr(fact), seconds=20)
        assert set(listener.accepted.desired.documents) == {first[0].id}
        assert not [fact for fact in listener.facts.stated if isinstance(fact, IndexAccepted)]


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
    async with listening(plane, world.cluster, world.namespace) as listener:
        await accepted(listener, 1)
        said = repr(listener.facts.stated) + repr(listener.statuses.conditions())
        assert "KeyError at test_kept_state.py:" in said
        assert "canary-4711" not in said
