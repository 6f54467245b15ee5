"""What an instance's record suffers from strangers and faults, and that no other instance feels it."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from agent.cluster.client import APPLY, Request
from agent.model.errors import Unreachable
from agent.model.facts import ReconcileFailed, ReconcileFinished
from tests.integration.loops.lives import World, renamed

CANARY = "canary-4711"


def record(world: World) -> str:
    return f"/api/v1/namespaces/{world.namespace}/secrets/perigee-inventory-{world.id}"


async def damage(world: World, content: bytes) -> None:
    patch = {"data": {"inventory": base64.b64encode(content).decode()}}
    await world.send("patch", "PATCH", record(world), body=patch, content_type="application/merge-patch+json")


async def born(*worlds: World) -> None:
    documents = [world.document() for world in worlds]
    async with worlds[0].living(*documents) as life:
        for document in documents:
            await life.settles(document)


async def test_a_record_that_somebody_deleted_is_written_again_from_memory(world: World) -> None:
    document = world.document()
    async with world.living(document) as life:
        await life.settles(document)
        before = await world.inventory()
        assert before is not None
        await world.send("delete", "DELETE", record(world))
        changed = world.document(2, components={"apiServer": {"replicas": 2}})
        life.want(changed)
        await life.settles(changed)
    after = await world.inventory()
    assert after is not None
    assert (after.keys, after.namespace_created) == (before.keys, True)
    assert {owned.ref for owned in after.owned} >= {owned.ref for owned in before.owned}


@pytest.mark.parametrize(
    "content", [b"{", b"[]", b'{"instance": 1}', b"\xff"], ids=["cut", "a list", "incomplete", "no text"]
)
async def test_a_damaged_record_is_named_and_holds_up_its_own_instance_only(world: World, content: bytes) -> None:
    other = renamed(world)
    await born(world, other)
    await damage(world, content)
    mine, theirs = world.document(2, state="deleted", retain=[]), other.document(2, team="another")
    async with world.living(mine, theirs) as life:
        await life.settles(theirs)
        stalled = await life.shows(world.id, "Stalled", "Misconfigured")
        assert f"perigee-inventory-{world.id}" in stalled.message
        assert "restore it" in stalled.message
        assert await world.get(f"/api/v1/namespaces/{world.home}") is not None
        assert not [one for one in life.client.writes if world.id[:8] in one.path]


async def test_a_damaged_record_that_was_deleted_is_made_anew(world: World) -> None:
    await born(world)
    keys = await world.key_values()
    await damage(world, b"{")
    document = world.document()
    async with world.living(document) as life:
        await life.shows(world.id, "Stalled", "Misconfigured")
        await world.send("delete", "DELETE", record(world))
        await life.settles(document)
    inventory = await world.inventory()
    assert inventory is not None
    assert {owned.ref.name for owned in inventory.owned} >= {name.partition("/")[2] for name in await world.applied()}
    assert await world.key_values() == keys


async def test_an_error_that_nobody_foresaw_stops_one_pass_and_not_the_agent(world: World) -> None:
    other, healed = renamed(world), list[bool]()

    def tamper(request: Request) -> Exception | None:
        broken = request.verb == "apply" and world.home in request.path and "/services/" in request.path
        return KeyError(CANARY) if broken and not healed else None

    mine, theirs = world.document(), other.document()
    async with world.living(mine, theirs, tamper=tamper) as life:
        stalled = await life.shows(world.id, "Stalled", "Unforeseen")
        assert "KeyError at lives.py:" in stalled.message
        await life.settles(theirs)
        assert CANARY not in repr(life.facts.stated) + repr(life.statuses.everything())
        healed.append(True)
        await life.settles(mine)
        await life.shows(world.id, "Ready", "AllComponentsReady")


async def test_an_instance_that_fails_for_ever_is_not_hurried_by_its_pods(world: World) -> None:
    document = world.document()
    async with world.living(document) as life:
        await life.settles(document)
    tries: list[float] = []

    def tamper(request: Request) -> Exception | None:
        if request.verb == "apply":
            tries.append(1)
            return Unreachable("nobody answers")
        return None

    async with world.living(world.document(2, components={"apiServer": {"replicas": 2}}), tamper=tamper) as life:
        await life.facts.wait(lambda fact: isinstance(fact, ReconcileFailed))
        pods = f"/api/v1/namespaces/{world.home}/pods"
        listed = await world.send("list", "GET", pods)
        for number in range(40):
            name = listed["items"][number % len(listed["items"])]["metadata"]["name"]
            patch = {"metadata": {"annotations": {"restarts": str(number)}}}
            await world.send(
                "patch", "PATCH", f"{pods}/{name}", body=patch, content_type="application/merge-patch+json"
            )
    assert len(tries) < 20


async def test_pods_that_come_and_go_make_few_passes(world: World) -> None:
    document = world.document()
    async with world.living(document) as life:
        await life.settles(document)
        await life.facts.wait(lambda fact: isinstance(fact, ReconcileFinished))
        passes = len([fact for fact in life.facts.stated if isinstance(fact, ReconcileFinished)])
        assert passes < 15
        written = len(life.client.writes)
        pods = f"/api/v1/namespaces/{world.home}/pods"
        listed = await world.send("list", "GET", pods)
        for number in range(40):
            name = listed["items"][0]["metadata"]["name"]
            patch = {"metadata": {"annotations": {"restarts": str(number)}}}
            await world.send(
                "patch", "PATCH", f"{pods}/{name}", body=patch, content_type="application/merge-patch+json"
            )
        more = len([fact for fact in life.facts.stated if isinstance(fact, ReconcileFinished)]) - passes
        assert more < 20
        assert len(life.client.writes) == written


async def test_a_paused_instance_tells_how_it_really_fares(world: World) -> None:
    paused: Any = world.document(paused=True)
    async with world.living(paused) as life:
        ready = await life.shows(world.id, "Ready", "NotAllReady")
        assert ready.message == "nothing was made yet"
        progressing = life.condition(world.id, "Progressing")
        assert progressing is not None
        assert progressing.reason == "Paused"
        assert life.client.writes == []
        document = world.document(2)
        life.want(document)
        await life.settles(document)
        life.want(world.document(3, paused=True))
        await life.shows(world.id, "Paused", "PausedByDocument")
        await life.shows(world.id, "Ready", "AllComponentsReady")
        path = f"/apis/apps/v1/namespaces/{world.home}/deployments/airflow-scheduler"
        await world.send("delete", "DELETE", path)
        await life.shows(world.id, "Ready", "NotAllReady")


async def test_a_change_whose_answer_got_lost_is_not_taken_for_undone_when_the_document_goes_back(world: World) -> None:
    path = f"/apis/apps/v1/namespaces/{world.home}/deployments/airflow-api-server"
    first = world.document(components={"apiServer": {"replicas": 1}})
    lost: list[Request] = []

    async def meanwhile(request: Request) -> None:
        if request.verb == "apply" and request.path == path and not lost:
            lost.append(request)
            await world.send("apply", "PATCH", path, params=request.params, body=request.body, content_type=APPLY)
            raise Unreachable("the answer got lost")

    async with world.living(first) as life:
        await life.settles(first)
    second = world.document(2, components={"apiServer": {"replicas": 2}})
    async with world.living(second, meanwhile=meanwhile) as life:
        await life.facts.wait(lambda fact: isinstance(fact, ReconcileFailed) and bool(lost), seconds=20)
        back = world.document(3, components={"apiServer": {"replicas": 1}})
        life.want(back)
        await life.settles(back)
    live: Any = await world.get(path)
    assert live["spec"]["replicas"] == 1
