"""What agents tell: counted once, in order, within bounds, and awaited without asking again and again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import event

from agent.wire.encodings import pack
from control_plane.server import ControlPlane
from control_plane.settings import Limits, Settings
from tests.control_plane.documents import FINANCE, SALES, a_document, a_report, a_status, new_id
from tests.control_plane.member import Caller, an_agent
from tests.support.clock import StillClock

KEPT = 5


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return replace(settings, limits=Limits(status_history=KEPT))


@pytest.fixture
async def agent(plane: ControlPlane) -> AsyncIterator[Caller]:
    async with an_agent(plane) as caller:
        await plane.publish("east", a_document())
        yield caller


async def test_a_report_is_kept_as_the_last_status(plane: ControlPlane, agent: Caller, clock: StillClock) -> None:
    told = a_status(clock.now())
    reply = await agent.report(a_report(clock.now(), told))
    assert (reply.status, reply.json) == (200, {"duplicate": False})
    assert await plane.statuses("east") == {SALES: told}
    cluster = (await plane.services.membership.cluster("east")).cluster
    assert cluster.seen_at == clock.now()
    assert cluster.agent is not None
    assert cluster.agent["requests"] == {"get": 7}


@pytest.mark.parametrize("encoding", ["gzip", "zstd"])
async def test_a_compressed_report_is_the_same_report(
    plane: ControlPlane, agent: Caller, clock: StillClock, encoding: str
) -> None:
    told = a_status(clock.now())
    body = pack(a_report(clock.now(), told), encoding)
    reply = await agent.report(body, headers={"Content-Encoding": encoding})
    assert reply.status == 200
    assert await plane.statuses("east") == {SALES: told}


async def test_the_same_batch_sent_again_counts_once(plane: ControlPlane, agent: Caller, clock: StillClock) -> None:
    first, second = a_status(clock.now(), revision=1), a_status(clock.now(), revision=2)
    await agent.report(a_report(clock.now(), first), sequence=7)
    again = await agent.report(a_report(clock.now(), second), sequence=7)
    assert again.json == {"duplicate": True}
    assert await plane.statuses("east") == {SALES: first}


async def test_a_batch_older_than_its_stream_does_not_count(agent: Caller, clock: StillClock) -> None:
    body = a_report(clock.now())
    replies = [await agent.report(body, sequence=number) for number in (3, 2, 4)]
    assert [reply.json["duplicate"] for reply in replies] == [False, True, False]


async def test_streams_are_counted_apart_and_per_cluster(plane: ControlPlane, agent: Caller, clock: StillClock) -> None:
    body = a_report(clock.now())
    assert not (await agent.report(body, stream="pod-1")).json["duplicate"]
    assert not (await agent.report(body, stream="pod-2")).json["duplicate"]
    async with an_agent(plane, "west") as other:
        theirs = a_report(clock.now(), cluster="west")
        assert not (await other.report(theirs, stream="pod-1")).json["duplicate"]


async def test_what_an_old_leader_tells_late_does_not_undo_what_is_newer(
    plane: ControlPlane, agent: Caller, clock: StillClock
) -> None:
    late = a_status(clock.now(), revision=1)
    clock.pass_by(60)
    newer = a_status(clock.now(), revision=2)
    await agent.report(a_report(clock.now(), newer), stream="new-leader")
    await agent.report(a_report(late.observed_at, late), stream="old-leader")
    assert await plane.statuses("east") == {SALES: newer}


async def test_a_clock_that_ran_ahead_does_not_silence_what_comes_after_it_was_set(
    plane: ControlPlane, agent: Caller, clock: StillClock
) -> None:
    ahead = clock.now() + timedelta(days=400)
    await agent.report(a_report(ahead, a_status(ahead, revision=1)), sequence=1)
    clock.pass_by(10)
    right = a_status(clock.now(), revision=2)
    await agent.report(a_report(clock.now(), right), sequence=2)
    assert await plane.statuses("east") == {SALES: right}


async def test_a_report_in_another_clusters_name_is_refused(
    plane: ControlPlane, agent: Caller, clock: StillClock
) -> None:
    refused = await agent.report(a_report(clock.now(), a_status(clock.now()), cluster="west"))
    assert (refused.status, refused.code) == (403, "WrongCluster")
    assert await plane.statuses("east") == {}


async def test_an_agent_cannot_fill_the_store_with_instances_that_it_does_not_have(
    plane: ControlPlane, agent: Caller, clock: StillClock
) -> None:
    await plane.create_token("west")
    await plane.publish("west", a_document(FINANCE, name="finance"))
    strangers = (a_status(clock.now(), instance_id=one) for one in (FINANCE, new_id(), "x"))
    reply = await agent.report(a_report(clock.now(), a_status(clock.now()), *strangers))
    assert reply.status == 200
    assert set(await plane.statuses("east")) == {SALES}
    assert await plane.statuses("west") == {}


async def test_only_changes_enter_the_history_and_the_oldest_go(
    plane: ControlPlane, agent: Caller, clock: StillClock
) -> None:
    for number in range(20):
        clock.pass_by(1)
        told = a_status(clock.now(), revision=1 + number // 2).model_copy(update={"conditions": ()})
        await agent.report(a_report(clock.now(), told), sequence=number + 1)
    history = await plane.services.reporting.history("east", SALES, limit=100)
    assert [one.report.revision for one in history] == [10, 9, 8, 7, 6]


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Perigee-Stream": ""}, 400),
        ({"Perigee-Stream": "x" * 101}, 400),
        ({"Perigee-Sequence": "-1"}, 400),
        ({"Perigee-Sequence": "9" * 30}, 400),
        ({"Perigee-Sequence": "one"}, 400),
        ({"Content-Encoding": "compress"}, 415),
    ],
)
async def test_a_report_without_its_place_or_in_a_strange_form_is_refused(
    agent: Caller, clock: StillClock, headers: dict[str, str], status: int
) -> None:
    assert (await agent.report(a_report(clock.now()), headers=headers)).status == status


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"schema":"perigee.dev/report/v2"}', b"\xff"])
async def test_what_is_no_report_is_refused_and_does_not_move_the_stream(
    agent: Caller, clock: StillClock, body: bytes
) -> None:
    assert 400 <= (await agent.report(body, sequence=1)).status < 500
    assert (await agent.report(a_report(clock.now()), sequence=1)).json == {"duplicate": False}


@pytest.mark.parametrize("encoding", ["gzip", "zstd"])
async def test_a_small_body_that_unpacks_without_end_is_cut_off(agent: Caller, encoding: str) -> None:
    bomb = pack(b" " * 50_000_000, encoding)
    assert len(bomb) < 100_000
    refused = await agent.report(bomb, headers={"Content-Encoding": encoding})
    assert (refused.status, refused.code) == (413, "TooLarge")


async def test_a_status_is_awaited_not_asked_for(plane: ControlPlane, agent: Caller, clock: StillClock) -> None:
    async with asyncio.TaskGroup() as group:
        waiting = group.create_task(plane.wait_status("east", SALES, until=lambda told: told.revision == 2, seconds=20))
        for revision in (1, 2):
            clock.pass_by(1)
            told = a_status(clock.now(), revision=revision)
            await agent.report(a_report(clock.now(), told), sequence=revision)
    assert waiting.result().revision == 2


async def test_a_status_that_never_comes_is_not_awaited_for_ever(plane: ControlPlane, agent: Caller) -> None:
    assert (await agent.poll()).status == 200
    with pytest.raises(TimeoutError):
        await plane.wait_status("east", SALES, until=lambda _told: True, seconds=0.05)


async def test_of_two_statuses_in_one_batch_the_newer_counts_and_both_are_history(
    plane: ControlPlane, agent: Caller, clock: StillClock
) -> None:
    older = a_status(clock.now(), revision=1)
    clock.pass_by(1)
    newer = a_status(clock.now(), revision=2)
    await agent.report(a_report(clock.now(), older, newer, older))
    assert await plane.statuses("east") == {SALES: newer}
    history = await plane.services.reporting.history("east", SALES, limit=100)
    assert [past.report.revision for past in history] == [2, 1]


async def test_what_a_report_costs_the_store_does_not_grow_with_the_cluster(
    plane: ControlPlane, agent: Caller, clock: StillClock
) -> None:
    """Neither with the instances that it is not about, nor statement by statement with those that it is about."""
    ids = [new_id() for _ in range(20)]
    for number, one in enumerate(ids):
        await plane.publish("east", a_document(one, name=f"other-{number}"))
    statements: list[int] = []

    async def costs(sequence: int, *instances: str) -> None:
        told = (a_status(clock.now(), instance_id=one, revision=sequence) for one in instances)
        with counted(plane) as seen:
            assert (await agent.report(a_report(clock.now(), *told), sequence=sequence)).status == 200
        statements.append(len(seen))

    await costs(1)
    await costs(2, SALES)
    await costs(3, *ids)
    await costs(4, SALES)
    await costs(5, *ids)
    _, first, first_of_many, next_, next_of_many = statements
    assert first_of_many == first
    assert next_of_many == next_


@contextmanager
def counted(plane: ControlPlane) -> Iterator[list[str]]:
    """The statements that the store runs meanwhile."""
    engine = plane.services.reporting._database._engine.sync_engine
    statements: list[str] = []

    def on_execute(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        statements.append(statement)

    event.listen(engine, "before_cursor_execute", on_execute)
    try:
        yield statements
    finally:
        event.remove(engine, "before_cursor_execute", on_execute)
