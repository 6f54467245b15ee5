"""Orders at the control plane: listed in the signed index until a result was told, the first of which counts."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest

from agent.model.desired import Index
from agent.wire.index import index_from_wire
from agent.wire.limits import MAX_ORDERS
from agent.wire.orders import OrderResultV1
from agent.wire.reports import AgentReportV1, ReportV1, StandingV1
from agent.wire.scalars import decode_base64
from control_plane.server import ControlPlane
from control_plane.services.ordering import OrderWish
from tests.control_plane.documents import FINANCE, SALES, a_document
from tests.control_plane.member import Caller, Reply, administering, an_agent
from tests.support.clock import StillClock

ORDERS = f"/clusters/east/instances/{SALES}/orders"
RESTART = {"kind": "restart", "args": {"component": "scheduler"}, "ttlSeconds": 60}


@dataclass
class Scene:
    """An agent and an admin of one control plane, and an instance."""

    agent: Caller
    admin: Caller
    clock: StillClock
    told: int = 0

    async def index(self, etag: str = "") -> tuple[Index, str]:
        reply = await self.agent.poll(etag)
        assert reply.status == 200, reply.body
        envelope = json.loads(reply.body)
        return index_from_wire(decode_base64(envelope["payload"]), raw=reply.body), reply.headers["ETag"]

    async def give(self, **changes: Any) -> dict[str, Any]:
        reply = await self.admin.post(ORDERS, json={**RESTART, **changes})
        assert reply.status == 200, reply.body
        given: dict[str, Any] = reply.json
        return given

    async def tell(self, order_id: str, outcome: str, reason: str = "Restarted") -> Reply:
        now = self.clock.now()
        agent = AgentReportV1(
            version="1", cluster="east", standing=StandingV1(epoch=1, version=1), requests={}, observed_at=now
        )
        result = OrderResultV1(id=order_id, outcome=outcome, reason=reason, message="rolled", at=now)
        self.told += 1
        return await self.agent.report(ReportV1(agent=agent, orders=(result,)).to_bytes(), sequence=self.told)

    async def listed(self) -> list[dict[str, Any]]:
        orders: list[dict[str, Any]] = (await self.admin.get(ORDERS)).json["orders"]
        return orders


@pytest.fixture
async def scene(plane: ControlPlane, clock: StillClock) -> AsyncIterator[Scene]:
    async with an_agent(plane) as agent, administering(plane) as admin:
        await plane.publish("east", a_document())
        yield Scene(agent, admin, clock)


async def test_an_order_is_in_the_next_index_word_by_word(scene: Scene) -> None:
    before, _ = await scene.index()
    given = await scene.give()
    after, _ = await scene.index()
    assert before.orders == ()
    assert after.standing > before.standing
    (order,) = after.orders
    assert (order.id, order.instance, order.kind) == (given["id"], SALES, "restart")
    assert order.args == {"component": "scheduler"}
    assert order.not_after == scene.clock.now() + timedelta(seconds=60)
    assert (given["state"], given["author"]) == ("waiting", "admin")


async def test_a_result_takes_the_order_off_the_index_and_the_first_one_counts(scene: Scene) -> None:
    given = await scene.give()
    listing, tag = await scene.index()
    await scene.tell(given["id"], "Done")
    after, _ = await scene.index(tag)
    assert after.orders == ()
    assert after.standing > listing.standing
    await scene.tell(given["id"], "Interrupted")
    (order,) = await scene.listed()
    assert (order["state"], order["outcome"], order["reason"], order["message"]) == (
        "done",
        "Done",
        "Restarted",
        "rolled",
    )
    assert (await scene.index())[0].standing == after.standing


@pytest.mark.parametrize(
    ("outcome", "state"),
    [
        ("Failed", "failed"),
        ("Refused", "refused"),
        ("Expired", "expired"),
        ("Interrupted", "failed"),
        ("Evaporated", "failed"),
    ],
)
async def test_every_outcome_is_told_as_a_state(scene: Scene, outcome: str, state: str) -> None:
    given = await scene.give()
    await scene.tell(given["id"], outcome)
    (order,) = await scene.listed()
    assert (order["state"], order["outcome"]) == (state, outcome)


async def test_an_order_that_nobody_took_up_expires_and_leaves_the_index_under_another_version(scene: Scene) -> None:
    given = await scene.give()
    listing, _ = await scene.index()
    scene.clock.pass_by(timedelta(days=4).total_seconds())
    after, _ = await scene.index()
    assert after.orders == ()
    assert after.standing > listing.standing, "the same standing always lists the same"
    assert [order["state"] for order in await scene.listed()] == ["expired"]
    await scene.tell(given["id"], "Done")
    assert [order["state"] for order in await scene.listed()] == ["done"], "it was begun in time and told late"


async def test_an_index_that_is_signed_anew_keeps_its_version_while_its_orders_wait(scene: Scene) -> None:
    await scene.give(ttlSeconds=7 * 86400)
    listing, _ = await scene.index()
    scene.clock.pass_by(timedelta(days=4).total_seconds())
    after, _ = await scene.index()
    assert (after.standing, after.orders) == (listing.standing, listing.orders)
    assert after.expires_at > listing.expires_at


async def test_a_new_order_wakes_the_poll_that_waits(plane: ControlPlane, scene: Scene) -> None:
    _, tag = await scene.index()
    heard = plane.services.news.heard("east")
    await scene.give()
    assert plane.services.news.heard("east") == heard + 1
    assert len((await scene.index(tag))[0].orders) == 1


async def test_results_of_other_clusters_orders_and_of_unknown_ones_are_dropped(
    plane: ControlPlane, scene: Scene
) -> None:
    given = await scene.give()
    async with an_agent(plane, "west") as stranger:
        now = scene.clock.now()
        agent = AgentReportV1(
            version="1", cluster="west", standing=StandingV1(epoch=1, version=1), requests={}, observed_at=now
        )
        result = OrderResultV1(id=given["id"], outcome="Done", reason="Forged", message="", at=now)
        reply = await stranger.report(ReportV1(agent=agent, orders=(result,)).to_bytes())
        assert reply.status == 200
    assert (await scene.tell(FINANCE, "Done")).status == 200
    assert [order["state"] for order in await scene.listed()] == ["waiting"]


async def test_an_order_needs_an_instance_and_words_that_an_index_may_carry(scene: Scene) -> None:
    nobody = await scene.admin.post(f"/clusters/east/instances/{FINANCE}/orders", json=RESTART)
    assert (nobody.status, nobody.code) == (404, "NotFound")
    for wrong in ({"kind": "Re start"}, {"args": {"component": "x" * 257}}, {"ttlSeconds": 8 * 86400}):
        assert (await scene.admin.post(ORDERS, json={**RESTART, **wrong})).status == 400
    assert await scene.listed() == []


async def test_so_many_orders_may_wait_and_no_more(plane: ControlPlane, scene: Scene) -> None:
    wish = OrderWish(
        cluster="east", instance=SALES, kind="restart", args={}, life=timedelta(hours=1), author="somebody"
    )
    for _ in range(MAX_ORDERS):
        await plane.services.ordering.give(wish)
    full = await scene.admin.post(ORDERS, json=RESTART)
    assert (full.status, full.code) == (409, "OrdersFull")
    assert len((await scene.index())[0].orders) == MAX_ORDERS
