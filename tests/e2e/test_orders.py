"""Orders on the whole way: from the command of a control plane to the pods of an instance, and back."""

from __future__ import annotations

import asyncio
import uuid
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

from agent.cluster.client import Request
from agent.model.facts import IndexAccepted, LeadershipTaken, OrderBegun, OrderEnded, StoodBy
from control_plane.server import ControlPlane
from control_plane.services.ordering import OrderWish
from control_plane.settings import Ports, Settings
from control_plane.store.orders import OrderRow
from sandbox.testcluster import TestCluster
from tests.support.journey import Journey, journey, ready

HOUR = timedelta(hours=1)


async def given(path: Journey, instance_id: str, kind: str = "restart", **args: str) -> OrderRow:
    wish = OrderWish(cluster=path.name, instance=instance_id, kind=kind, args=args, life=HOUR, author="somebody")
    return await path.plane.services.ordering.give(wish)


async def ended(plane: ControlPlane, order: OrderRow) -> OrderRow:
    """The order once its result was told."""
    async with asyncio.timeout(60):
        while True:
            heard = plane.services.told.heard(order.cluster)
            rows = await plane.services.ordering.of_instance(order.cluster, order.instance)
            found = next(row for row in rows if row.id == order.id)
            if found.outcome is not None:
                return found
            await plane.services.told.wait(order.cluster, after=heard, seconds=60)


async def generations(path: Journey, instance_id: str) -> dict[str, int]:
    """How often each Deployment was changed since it was made."""
    found = await path.objects(f"/apis/apps/v1/namespaces/af-{instance_id[:8]}/deployments")
    return {name: item["metadata"]["generation"] for name, item in found.items()}


async def test_an_order_is_carried_out_once_and_its_result_comes_back(path: Journey) -> None:
    """Also by the next agent, which finds what the first one did."""
    instance_id = str(uuid.uuid4())
    async with path.agent():
        await path.publish(instance_id)
        await path.told(instance_id, ready)
        before = await generations(path, instance_id)
        order = await given(path, instance_id, component="scheduler")
        done = await ended(path.plane, order)
        assert (done.outcome, done.reason) == ("Done", "Restarted")
        unknown = await ended(path.plane, await given(path, instance_id, "levitate"))
        assert (unknown.outcome, unknown.reason) == ("Refused", "UnknownOrder")
        await path.told(instance_id, ready)
    async with path.agent() as facts:
        look = await ended(path.plane, await given(path, instance_id, "reconcile"))
        assert look.outcome == "Done"
        assert [fact.order_id for fact in facts.stated if isinstance(fact, OrderBegun)] == [look.id]
    after = await generations(path, instance_id)
    assert {name: after[name] - before[name] for name in after if after[name] != before[name]} == {
        "airflow-scheduler": 1
    }


async def test_a_result_outlives_the_absence_of_the_control_plane_and_a_restart_of_the_agent(
    embedded_cluster: TestCluster, tmp_path: Path
) -> None:
    instance_id = str(uuid.uuid4())
    settings = Settings(directory=tmp_path / "plane", ports=Ports.free())
    async with AsyncExitStack() as away, AsyncExitStack() as rest:
        plane = await away.enter_async_context(ControlPlane.serve(settings))
        settings = replace(settings, ports=ports_of(plane))
        path = await rest.enter_async_context(journey(plane, embedded_cluster, tmp_path))
        async with path.agent():
            await path.publish(instance_id)
            await path.told(instance_id, ready)
        journal = f"/api/v1/namespaces/{path.namespace}/secrets"
        # With a journal that nobody understands, the order is accepted and waits.
        unclear = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "perigee-orders"}}
        await path.client.send(Request("create", "POST", journal, body=unclear))
        order = await given(path, instance_id, component="triggerer")
        async with path.agent() as facts:
            await facts.wait(lambda fact: isinstance(fact, IndexAccepted))
            await away.aclose()
            await path.client.send(Request("delete", "DELETE", f"{journal}/perigee-orders"))
            fact = await facts.wait(lambda fact: isinstance(fact, OrderEnded))
            assert isinstance(fact, OrderEnded)
            assert (fact.order_id, fact.outcome) == (order.id, "Done")
        async with ControlPlane.serve(settings) as path.plane, path.agent() as facts:
            assert (await ended(path.plane, order)).outcome == "Done"
            assert not [fact for fact in facts.stated if isinstance(fact, OrderBegun)]


def ports_of(plane: ControlPlane) -> Ports:
    agents, admin, enrol = (urlsplit(url).port or 0 for url in (plane.agents_url, plane.admin_url, plane.enrol_url))
    return Ports(agents=agents, admin=admin, enrol=enrol)


async def test_the_replica_that_takes_over_tells_what_the_leader_did_and_does_it_no_second_time(
    embedded_cluster: TestCluster, plane: ControlPlane, tmp_path: Path
) -> None:
    instance_id = str(uuid.uuid4())
    async with journey(plane, embedded_cluster, tmp_path) as path, AsyncExitStack() as first_life:
        first = await first_life.enter_async_context(path.agent())
        await first.wait(lambda fact: isinstance(fact, LeadershipTaken))
        await path.publish(instance_id)
        await path.told(instance_id, ready)
        before = await generations(path, instance_id)
        async with path.agent() as second:
            await second.wait(lambda fact: isinstance(fact, StoodBy))
            order = await given(path, instance_id, component="scheduler")
            await first.wait(lambda fact: isinstance(fact, OrderBegun))
            await first_life.aclose()
            assert (await ended(path.plane, order)).outcome == "Done"
            await second.wait(lambda fact: isinstance(fact, LeadershipTaken))
            await path.told(instance_id, ready)
        after = await generations(path, instance_id)
        assert after["airflow-scheduler"] == before["airflow-scheduler"] + 1
