"""A newer agent renders otherwise: it rolls a few instances at a time, within their windows, or writes nothing."""

from __future__ import annotations

import copy
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from agent.cluster.client import APPLY, KubeClient, Request
from agent.cluster.connection import connect
from agent.cluster.inventory import ClusterInventories
from agent.cluster.kinds import path_of
from agent.cluster.secrets import SecretShelf
from agent.loops.pace import SystemClock
from agent.model.conditions import Truth
from agent.model.desired import Document
from agent.planning.ownership import owned_as
from agent.rendering import RenderInputs, render
from sandbox.cluster import EmbeddedCluster, Latencies
from tests.integration.loops.lives import Life, World, renamed
from tests.integration.loops.strangers import SCHEDULER, edit, live
from tests.support.clusters import fresh_namespace
from tests.support.engine import Rules
from tests.support.rights import Granted

OLDER, NEWER = Rules(renderer="older"), Rules(renderer="newer")
ZONE = ZoneInfo("UTC")
"""Read here and kept, so that no document that names it reads files while a loop runs."""
MARK = "perigee.dev/older"
SATURDAYS = {"maintenance": {"windows": [{"schedule": "0 2 * * 6", "duration": "4h", "zone": "UTC"}]}}
FRIDAY, SATURDAY = datetime(2026, 1, 2, 12, 0, tzinfo=UTC), datetime(2026, 1, 3, 3, 0, tzinfo=UTC)


class SetClock(SystemClock):
    """The day is what the test says."""

    def __init__(self, day: datetime) -> None:
        self.day = day

    def now(self) -> datetime:
        return self.day


async def born(rules: Rules, *worlds: World, **spec: Any) -> list[Document]:
    """Instances as this renderer makes them."""
    documents = [world.document(**spec) for world in worlds]
    async with worlds[0].living(*documents, rules=rules) as life:
        for document in documents:
            await life.settles(document)
    return documents


async def made_older(world: World, document: Document) -> None:
    """Make an instance what an older agent would have made and recorded: its pods carry a mark."""
    shelf = ClusterInventories(SecretShelf(world.client, world.namespace))
    inventory = await world.inventory()
    assert inventory is not None
    lines = inventory.by_ref()
    for one in render(RenderInputs(document.instance, inventory.keys, None)):
        if one.ref.kind not in {"Deployment", "StatefulSet"}:
            continue
        manifest = copy.deepcopy(one.manifest)
        manifest["spec"]["template"]["metadata"].setdefault("annotations", {})[MARK] = "yes"
        params = {"fieldManager": "perigee", "force": "false"}
        request = Request("apply", "PATCH", path_of(one.ref), params, manifest, APPLY)
        lines[one.ref] = owned_as(manifest, await world.client.send(request))
    await shelf.save(
        replace(inventory, owned=tuple(lines.values()), renderer="older", inputs="as an older agent saw it")
    )


async def is_old(world: World) -> bool:
    annotations = (await live(world, SCHEDULER))["spec"]["template"]["metadata"].get("annotations") or {}
    return MARK in annotations


async def deferred(life: Life, world: World) -> str:
    """Wait until the roll is put off; says until when, or why."""
    found = await life.shows(world.id, "Progressing", "RollDeferred")
    assert life.condition(world.id, "Ready").status == Truth.TRUE  # type: ignore[union-attr]
    assert life.condition(world.id, "Stalled").status == Truth.FALSE  # type: ignore[union-attr]
    return found.message


async def test_a_newer_renderer_that_draws_the_same_writes_nothing_but_its_number(world: World) -> None:
    """One that changes only its version number makes no write to any Airflow object."""
    (document,) = await born(OLDER, world)
    async with world.living(document, rules=NEWER) as life:
        await life.settles(document)
        assert life.touched(world.id) == []
        assert [one.path.rpartition("/")[2] for one in life.client.writes] == [f"perigee-inventory-{world.id}"]
    async with world.living(document, rules=NEWER) as life:
        await life.settles(document)
        assert life.client.writes == []


@pytest.fixture
async def slow_world() -> AsyncIterator[World]:
    """A cluster whose pods take a moment to start, so that a roll lasts."""
    async with EmbeddedCluster.serve(latencies=Latencies(pod_start_seconds=0.1)) as cluster:
        client = KubeClient(await connect(cluster.kubeconfig))
        async with fresh_namespace(cluster) as namespace:
            yield World(Granted(cluster.kubeconfig, None), namespace, client)
        await client.close()


@pytest.mark.parametrize("limit", [1, 2])
async def test_no_more_than_so_many_roll_at_once(slow_world: World, limit: int) -> None:
    worlds = [slow_world, *(renamed(slow_world) for _ in range(3))]
    documents = await born(OLDER, *worlds)
    for world, document in zip(worlds, documents, strict=True):
        await made_older(world, document)
    rolling: set[str] = set()
    most: list[int] = []

    async def meanwhile(request: Request) -> None:
        """When one more begins, who is not ready yet counts as rolling."""
        kind = request.path.split("/")[-2]
        begins = next((one for one in worlds if one.home in request.path), None)
        if request.verb != "apply" or kind not in {"deployments", "statefulsets"} or begins is None:
            return
        rolling.add(begins.id)
        for one in worlds:
            if one is not begins and one.id in rolling and await settled_workloads(one):
                rolling.discard(one.id)
        most.append(len(rolling))

    rules = Rules(renderer="newer", roll_limit=limit)
    async with slow_world.living(*documents, rules=rules, meanwhile=meanwhile) as life:
        for document in documents:
            await life.settles(document)
        for world in worlds:
            await life.shows(world.id, "Progressing", "Settled")
            await life.shows(world.id, "Ready", "AllComponentsReady")
    assert [await is_old(world) for world in worlds] == [False] * 4
    assert max(most) == limit


async def settled_workloads(world: World) -> bool:
    """Whether no pod of the instance has still to come or to go."""
    for collection in ("deployments", "statefulsets"):
        path = f"/apis/apps/v1/namespaces/{world.home}/{collection}"
        for one in (await world.send("list", "GET", path))["items"]:
            status, wanted = one["status"], one["spec"]["replicas"]
            if status.get("observedGeneration") != one["metadata"]["generation"]:
                return False
            if not wanted == status.get("replicas") == status.get("readyReplicas") == status.get("updatedReplicas"):
                return False
    return True


async def test_a_roll_waits_for_the_window_and_comes_within_it(world: World) -> None:
    (document,) = await born(OLDER, world, **SATURDAYS)
    await made_older(world, document)
    async with world.living(document, rules=NEWER, clock=SetClock(FRIDAY)) as life:
        assert "opens at 2026-01-03 02:00 UTC" in await deferred(life, world)
        await life.looks(world.id)
        assert life.touched(world.id) == []
        assert await is_old(world)
    async with world.living(document, rules=NEWER, clock=SetClock(SATURDAY)) as life:
        await life.settles(document)
        await life.shows(world.id, "Progressing", "Settled")
        assert not await is_old(world)


async def test_what_the_document_itself_wants_waits_for_no_window(world: World) -> None:
    (document,) = await born(OLDER, world, **SATURDAYS)
    await made_older(world, document)
    async with world.living(document, rules=NEWER, clock=SetClock(FRIDAY)) as life:
        await deferred(life, world)
        changed = world.document(2, airflow={"version": "3.3.2", "env": {"TZ": "UTC"}}, **SATURDAYS)
        life.want(changed)
        await life.settles(changed)
        await life.shows(world.id, "Progressing", "Settled")
        assert "TZ" in repr((await live(world, SCHEDULER))["spec"]["template"])


async def test_drift_is_repaired_while_a_roll_waits(world: World) -> None:
    (document,) = await born(OLDER, world, **SATURDAYS)
    await made_older(world, document)
    async with world.living(document, rules=NEWER, clock=SetClock(FRIDAY)) as life:
        await deferred(life, world)
        path = "services/airflow-api-server"
        before = (await live(world, path))["spec"]["selector"]
        await edit(world, path, {"spec": {"selector": {"app": "strange", **dict.fromkeys(before, "strange")}}})
        await life.facts.wait(lambda fact: "REPAIR" in repr(fact), seconds=20)
        await deferred(life, world)
        assert (await live(world, path))["spec"]["selector"].items() >= before.items()
        assert await is_old(world)


async def test_a_revision_that_shows_nowhere_gives_a_newer_renderer_no_leave(world: World) -> None:
    """Only what a document really asks for may roll it outside its window."""
    (document,) = await born(OLDER, world, **SATURDAYS)
    same = world.document(2, retain=["database"], **SATURDAYS)
    async with world.living(same, rules=OLDER) as life:
        await life.settles(same)
        await life.looks(world.id)
    await made_older(world, document)
    async with world.living(same, rules=NEWER, clock=SetClock(FRIDAY)) as life:
        await deferred(life, world)
        assert await is_old(world)
