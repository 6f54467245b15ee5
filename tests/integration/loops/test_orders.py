"""Orders: carried out once whatever dies in between, refused with a reason, and told as long as anybody asks."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from agent.cluster.client import Request
from agent.cluster.orders import ClusterOrderJournal
from agent.cluster.secrets import SecretShelf
from agent.loops.order_kinds import Craft, Ended
from agent.loops.pace import SystemClock
from agent.model.desired import Document
from agent.model.errors import Unreachable
from agent.model.orders import OrderBook, OrderRecord
from agent.planning.orders import OrderKind
from tests.integration.loops.lives import World, renamed
from tests.integration.loops.ordering import HOUR, MovingClock, Payments, Terms, an_order, office
from tests.integration.loops.strangers import apply, live

JOURNAL = "perigee-orders"
OWN = {"airflow-dag-processor", "airflow-scheduler", "airflow-triggerer", "airflow-api-server"}


async def born(world: World) -> Document:
    """The instance as it was before anything was ordered."""
    document = world.document()
    async with world.living(document) as life:
        await life.settles(document)
    return document


async def workloads(world: World) -> dict[str, Mapping[str, Any]]:
    applied = await world.applied()
    kinds = ("deployments/", "statefulsets/")
    return {name.partition("/")[2]: item for name, item in applied.items() if name.startswith(kinds)}


def restarted_at(item: Mapping[str, Any]) -> str:
    found: str = item["spec"]["template"]["metadata"].get("annotations", {}).get("perigee.dev/restarted-at", "")
    return found


async def rolls(world: World) -> dict[str, int]:
    """How often each workload was changed since it was made."""
    return {name: item["metadata"]["generation"] for name, item in (await workloads(world)).items()}


async def journal(world: World) -> OrderBook:
    return await ClusterOrderJournal(SecretShelf(world.client, world.namespace)).load()


async def test_a_restart_rolls_the_component_that_it_names_and_no_other(world: World) -> None:
    document, before = await born(world), await rolls(world)
    order = an_order(world.id, component="scheduler")
    async with world.living(document) as life, office(world, life) as desk:
        desk.lists([document], [order])
        ended = await desk.ends(order)
        assert (ended.outcome, ended.reason) == ("Done", "Restarted")
        assert "Deployment" in ended.message
        await life.settles(document)
    after = await rolls(world)
    assert {name for name in after if after[name] != before[name]} == {"airflow-scheduler"}
    assert restarted_at((await workloads(world))["airflow-scheduler"])


async def test_a_restart_without_a_component_rolls_airflow_and_not_what_keeps_its_data(world: World) -> None:
    document, order = await born(world), an_order(world.id)
    async with world.living(document) as life, office(world, life) as desk:
        desk.lists([document], [order])
        assert (await desk.ends(order)).outcome == "Done"
        await life.settles(document)
    marked = {name for name, item in (await workloads(world)).items() if restarted_at(item)}
    assert marked >= OWN
    assert any(name.startswith("airflow-worker") for name in marked)
    assert not marked & {"airflow-database", "airflow-broker"}


async def test_a_restart_outlives_the_next_document_and_the_next_life(world: World) -> None:
    document, order = await born(world), an_order(world.id, component="scheduler")
    async with world.living(document) as life, office(world, life) as desk:
        desk.lists([document], [order])
        await desk.ends(order)
        await life.settles(document)
    moment = restarted_at((await workloads(world))["airflow-scheduler"])
    async with world.living(document) as life, office(world, life) as desk:
        desk.lists([document], [order])
        await life.settles(document)
        assert life.client.writes == []
        changed = world.document(2, team="another")
        desk.lists([changed], [order], version=2)
        await life.settles(changed)
    assert restarted_at((await workloads(world))["airflow-scheduler"]) == moment


WRITES_OF_A_RESTART = 5
"""Begun, intended, applied, recorded, ended."""


@pytest.mark.parametrize("after", range(1, WRITES_OF_A_RESTART + 1))
async def test_a_restart_that_is_cut_short_is_finished_and_rolls_once(world: World, after: int) -> None:
    document, before = await born(world), await rolls(world)
    order = an_order(world.id, component="scheduler")
    async with world.living(document, dies_after=after) as life, office(world, life) as desk:
        desk.lists([document], [order])
        await asyncio.wait_for(life.client.dead.wait(), 20)
    async with world.living(document) as life, office(world, life, Terms(2)) as desk:
        desk.lists([document], [order])
        if after < WRITES_OF_A_RESTART:
            assert (await desk.ends(order)).outcome == "Done"
        await life.settles(document)
        assert [result.outcome for result in await desk.tells()] == ["Done"]
    after_all = await rolls(world)
    assert after_all["airflow-scheduler"] == before["airflow-scheduler"] + 1


@pytest.mark.parametrize("after", [1, 2])
async def test_what_must_not_be_repeated_is_told_to_be_interrupted(world: World, after: int) -> None:
    """It dies after it wrote down that it begins, and after it wrote down how it ended."""
    document, order, payments = world.document(paused=False), an_order(world.id, "pay"), Payments()
    async with world.living(dies_after=after) as life, office(world, life, Terms(1, payments.crafts())) as desk:
        desk.lists([document], [order])
        await asyncio.wait_for(life.client.dead.wait(), 20)
    paid = len(payments.made)
    async with world.living() as life, office(world, life, Terms(2, payments.crafts())) as desk:
        desk.lists([document], [order])
        if after == 1:
            ended = await desk.ends(order)
            assert (ended.outcome, ended.reason) == ("Interrupted", "Interrupted")
            assert "not known how far it came" in ended.message
        else:
            assert [result.outcome for result in await desk.tells()] == ["Done"]
    assert len(payments.made) == paid <= 1


async def test_an_effect_whose_end_could_not_be_written_down_is_not_done_again(world: World) -> None:
    """The journal fails between beginning and end, for a while; the process lives on and knows what happened."""
    document, order, payments = world.document(), an_order(world.id, "pay"), Payments()
    broken = 3

    def fails(request: Request) -> Exception | None:
        nonlocal broken
        if request.verb == "update" and JOURNAL in request.path and broken:
            broken -= 1
            return Unreachable("nobody answered")
        return None

    async with world.living(tamper=fails) as life, office(world, life, Terms(1, payments.crafts())) as desk:
        desk.lists([document], [order])
        assert (await desk.ends(order)).outcome == "Done"
        assert (await desk.says("OrdersKept", "Kept")).status == "True"
    assert (len(payments.made), broken) == (1, 0)


async def test_a_beginning_whose_answer_was_lost_is_no_interruption(world: World) -> None:
    """The server wrote it down, nobody heard that, and the same term goes on: nothing was done yet."""
    document, order, payments = world.document(), an_order(world.id, "pay"), Payments()
    lost = 1

    async def loses(request: Request) -> None:
        nonlocal lost
        if request.verb == "create" and request.body and request.body["metadata"]["name"] == JOURNAL and lost:
            lost -= 1
            await world.client.send(request)
            raise Unreachable("the answer was cut")

    async with world.living(meanwhile=loses) as life, office(world, life, Terms(1, payments.crafts())) as desk:
        desk.lists([document], [order])
        assert (await desk.ends(order)).outcome == "Done"
    assert (len(payments.made), lost) == (1, 0)


@pytest.mark.parametrize("changed", [False, True], ids=["the same", "other words under its id"])
async def test_an_order_that_comes_again_has_no_second_effect_and_is_told_again(world: World, *, changed: bool) -> None:
    document, order, payments = world.document(), an_order(world.id, "pay"), Payments()
    again = replace(order, args={"sum": "2"}, not_after=order.not_after + HOUR) if changed else order
    terms = Terms(1, payments.crafts())
    async with world.living() as life, office(world, life, terms) as desk:
        desk.lists([document], [order])
        (first,) = await desk.tells()
        desk.lists([document], [again], version=2)
        assert await desk.tells() == (first,)
    async with world.living() as life, office(world, life, replace(terms, number=2)) as desk:
        desk.lists([document], [again], version=3)
        assert await desk.tells() == (first,)
    assert len(payments.made) == 1


async def test_what_was_not_delivered_before_a_crash_is_told_by_the_next_life_though_no_index_lists_it(
    world: World,
) -> None:
    document, order, payments = world.document(), an_order(world.id, "pay"), Payments()
    async with world.living() as life, office(world, life, Terms(1, payments.crafts())) as desk:
        desk.lists([document], [order])
        await desk.ends(order)
    async with world.living() as life, office(world, life, Terms(2, payments.crafts())) as desk:
        desk.lists([document], [], version=2)
        assert [result.id for result in await desk.tells()] == [order.id]


UNFIT: Mapping[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "UnknownOrder": ({}, {"kind": "levitate"}),
    "OrderNotAllowed": ({}, {"kind": "reconcile"}),
    "OrderMalformed": ({}, {"component": "flower"}),
    "InstancePaused": ({"paused": True}, {}),
    "InstanceDeleted": ({"state": "deleted"}, {}),
    "InstanceAsleep": ({"state": "hibernated"}, {}),
}
"""What the document says and what the order does, by the reason of its refusal."""


@pytest.mark.parametrize("reason", UNFIT)
async def test_an_order_that_may_not_be_carried_out_is_refused_and_stays_refused(world: World, reason: str) -> None:
    says, asks = UNFIT[reason]
    document, order = world.document(**says), an_order(world.id, **asks)
    terms = Terms(1, allowed=frozenset({"restart", "levitate"}))
    async with world.living() as life, office(world, life, terms) as desk:
        desk.lists([document], [order])
        ended = await desk.ends(order)
        assert (ended.outcome, ended.reason) == ("Refused", reason)
        assert (await desk.tells())[0].message == ended.message
        # What was told counts, also once it could be carried out.
        desk.lists([world.document(2)], [order], version=2)
        assert [result.reason for result in await desk.tells()] == [reason]
        assert [str(one) for one in life.client.writes if JOURNAL in one.path and one.verb == "update"] == []


async def test_an_order_for_an_instance_that_nobody_knows_is_refused_and_the_next_is_carried_out(world: World) -> None:
    payments = Payments()
    stranger, order = an_order("0a6de7f4-8f0b-4c86-bd0e-3f1f7e0a9c22", "pay"), an_order(world.id, "pay")
    async with world.living() as life, office(world, life, Terms(1, payments.crafts())) as desk:
        desk.lists([world.document()], [stranger, order])
        assert (await desk.ends(stranger)).reason == "UnknownInstance"
        assert (await desk.ends(order)).outcome == "Done"
    assert payments.made == [order.id]


async def test_an_order_whose_time_is_over_is_not_begun(world: World) -> None:
    payments, clock = Payments(), SystemClock()
    late = an_order(world.id, "pay", until=clock.now() - timedelta(seconds=1))
    async with world.living() as life, office(world, life, Terms(1, payments.crafts())) as desk:
        desk.lists([world.document()], [late])
        ended = await desk.ends(late)
        assert (ended.outcome, ended.reason) == ("Expired", "Expired")
        assert f"{late.not_after:%H:%M:%S}" in ended.message
    assert payments.made == []


async def test_orders_of_an_instance_come_one_after_the_other_and_hold_up_no_other_instance(world: World) -> None:
    held = asyncio.Event()
    payments = Payments(held=held)
    first, second = an_order(world.id, "pay"), an_order(world.id, "pay")
    elsewhere = renamed(world)
    other = an_order(elsewhere.id, "pay")
    async with world.living() as life, office(world, life, Terms(1, payments.crafts())) as desk:
        desk.lists([world.document(), elsewhere.document()], [first, second, other])
        begun = [one.order_id for one in await desk.begun(2)]
        assert begun == [first.id, other.id]
        held.set()
        await desk.ends(second)
    assert payments.made == [first.id, other.id, second.id]


async def test_the_journal_forgets_what_no_index_lists_and_whose_time_is_over(world: World) -> None:
    payments, clock = Payments(), MovingClock()
    first, second = (an_order(world.id, "pay", until=clock.now() + HOUR) for _ in range(2))
    async with world.living() as life, office(world, life, Terms(1, payments.crafts(), clock=clock)) as desk:
        desk.lists([world.document()], [first])
        await desk.tells()
        desk.lists([world.document()], [second], version=2)
        await desk.tells()
        assert set((await journal(world)).records) == {first.id, second.id}, "its time is not over"
        clock.ahead = 2 * HOUR
        third = an_order(world.id, "pay", until=clock.now() + HOUR)
        desk.lists([world.document()], [second, third], version=3)
        await desk.ends(third)
        assert set((await journal(world)).records) == {second.id, third.id}, "what is listed is never forgotten"


async def test_a_journal_that_cannot_be_understood_stops_every_order_and_says_so(world: World) -> None:
    document, order, payments = world.document(), an_order(world.id, "pay"), Payments()
    await SecretShelf(world.client, world.namespace).create(JOURNAL, {"orders": b"nonsense"}, role="orders")
    async with world.living() as life, office(world, life, Terms(1, payments.crafts())) as desk:
        desk.lists([document], [order])
        said = await desk.says("OrdersKept", "Misconfigured")
        assert JOURNAL in said.message
        assert payments.made == []
        await world.send("delete", "DELETE", f"/api/v1/namespaces/{world.namespace}/secrets/{JOURNAL}")
        assert (await desk.ends(order)).outcome == "Done"


async def test_a_journal_that_was_deleted_while_the_agent_runs_is_written_again(world: World) -> None:
    document, payments = world.document(), Payments()
    first, second = an_order(world.id, "pay"), an_order(world.id, "pay")
    async with world.living() as life, office(world, life, Terms(1, payments.crafts())) as desk:
        desk.lists([document], [first])
        await desk.ends(first)
        await world.send("delete", "DELETE", f"/api/v1/namespaces/{world.namespace}/secrets/{JOURNAL}")
        desk.lists([document], [first, second], version=2)
        await desk.ends(second)
    assert set((await journal(world)).records) == {first.id, second.id}
    assert payments.made == [first.id, second.id]


async def test_of_two_that_both_believe_to_lead_one_carries_it_out(world: World) -> None:
    document, order, payments = world.document(), an_order(world.id, "pay"), Payments()
    async with (
        world.living() as one,
        world.living() as other,
        office(world, one, Terms(1, payments.crafts())) as first,
        office(world, other, Terms(2, payments.crafts())) as second,
    ):
        first.lists([document], [order])
        second.lists([document], [order])
        assert await first.tells() == await second.tells()
    assert len(payments.made) == 1


async def disguise(world: World) -> None:
    """Change a value under our own name: the record of ownership stays as it was."""
    found = await live(world, "services/airflow-api-server")
    ours: dict[str, Any] = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "airflow-api-server", "labels": found["metadata"]["labels"]},
        "spec": {name: found["spec"][name] for name in ("selector", "type")},
    }
    ours["spec"]["ports"] = [{**port, "targetPort": 9} for port in found["spec"]["ports"]]
    await apply(world, ours, "services/airflow-api-server", manager="perigee")
    # Stamps are whole seconds: a comparison within the second of the change could not tell it from no change.
    changed = int(SystemClock().now().timestamp())
    while int(SystemClock().now().timestamp()) == changed:
        await live(world, "services/airflow-api-server")


async def test_a_look_that_is_ordered_finds_what_changed_without_a_trace_and_repairs_it(world: World) -> None:
    document, order = await born(world), an_order(world.id, "reconcile")
    await disguise(world)
    async with world.living(document) as life, office(world, life) as desk:
        await life.settles(document)
        desk.lists([document], [order])
        found = await desk.ends(order)
        assert (found.outcome, found.reason) == ("Done", "Repaired")
        assert "Service" in found.message
        assert "airflow-api-server" in found.message
        again = an_order(world.id, "reconcile")
        desk.lists([document], [again], version=2)
        calm = await desk.ends(again)
        assert (calm.outcome, calm.reason) == ("Done", "NothingDiffered")


async def test_what_nobody_foresaw_of_one_order_is_told_without_its_words_and_stops_no_other(world: World) -> None:
    async def breaks(record: OrderRecord) -> Ended:  # noqa: ARG001 - the shape of a craft
        raise KeyError("canary-4711")

    payments = Payments()
    broken = {"break": Craft(OrderKind("break", repeatable=False), breaks), **payments.crafts()}
    first, second = an_order(world.id, "break"), an_order(world.id, "pay")
    async with world.living() as life, office(world, life, Terms(1, broken)) as desk:
        desk.lists([world.document()], [first, second])
        ended = await desk.ends(first)
        assert (ended.outcome, ended.reason) == ("Failed", "Unforeseen")
        assert "canary-4711" not in repr(life.facts.stated)
        assert (await desk.ends(second)).outcome == "Done"
