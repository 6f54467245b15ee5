"""Replicas that somebody else decides: no fight, no writes, and sleep and waking all the same."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from agent.cluster.client import Request
from agent.loops.progress import Look
from agent.model.changes import Action
from agent.model.facts import ChangeApplied
from tests.integration.loops.lives import Life, World
from tests.integration.loops.strangers import SCHEDULER, holders, live, replicas, scale

WORKER = "statefulsets/airflow-worker-default"
AUTOSCALER = "kube-controller-manager"
EXTERNAL = {
    "scheduler": {"replicas": 2, "scaling": "external"},
    "workers": {"queues": [{"name": "default", "replicas": 2, "scaling": "external"}]},
}


async def quiet(life: Life, world: World) -> None:
    """However closely one looks, nothing is written to the instance."""
    written = len(life.client.writes)
    for look in (Look(), Look(again=True, survey=True), Look(compare=True)):
        await life.looks(world.id, look)
    assert life.touched(world.id, since=written) == []


async def left_alone(life: Life, world: World, which: str, number: int) -> None:
    """The number stays, the holder is told, and nobody writes any more."""
    await life.shows(world.id, "FieldConflict", "HeldByOthers")
    await quiet(life, world)
    assert replicas(await live(world, which)) == number


@pytest.mark.parametrize("manager", ["kubectl", AUTOSCALER, "keda-operator"])
@pytest.mark.parametrize("which", [SCHEDULER, WORKER])
async def test_who_scales_is_left_alone(world: World, which: str, manager: str) -> None:
    """kubernetes/kubernetes#25238: applying ``replicas`` again and again fights the autoscaler.

    The document says a number here too; who scales through the subresource wins, and is named.
    """
    document = world.document()
    async with world.living(document) as life:
        await life.settles(document)
        await scale(world, which, 4, manager=manager)
        await left_alone(life, world, which, 4)
        found = life.condition(world.id, "FieldConflict")
        assert found is not None
        assert f".spec.replicas is held by {manager}/scale" in found.message
        for number in (2, 6, 3):
            await scale(world, which, number, manager=manager)
            await left_alone(life, world, which, number)
    async with world.living(document) as life:
        await life.shows(world.id, "FieldConflict", "HeldByOthers")
        assert life.client.writes == []


async def test_who_scaled_while_the_agent_was_away_is_left_alone_too(world: World) -> None:
    document = world.document()
    async with world.living(document) as life:
        await life.settles(document)
    await scale(world, SCHEDULER, 4, manager=AUTOSCALER)
    async with world.living(document) as life:
        await left_alone(life, world, SCHEDULER, 4)


async def test_other_fields_go_on_while_the_replicas_are_theirs(world: World) -> None:
    document = world.document()
    async with world.living(document) as life:
        await life.settles(document)
        await scale(world, SCHEDULER, 4, manager=AUTOSCALER)
        await life.shows(world.id, "FieldConflict", "HeldByOthers")
        changed = world.document(2, airflow={"version": "3.3.2", "env": {"TZ": "UTC"}})
        life.want(changed)
        await life.settles(changed)
        found = await live(world, SCHEDULER)
        assert replicas(found) == 4
        assert "TZ" in repr(found["spec"]["template"])
        await quiet(life, world)


async def asleep(life: Life, world: World, revision: int, **spec: Any) -> None:
    document = world.document(revision, state="hibernated", **spec)
    life.want(document)
    await life.settles(document)
    await life.shows(world.id, "Ready", "Hibernated")


async def awake(life: Life, world: World, revision: int, **spec: Any) -> None:
    document = world.document(revision, **spec)
    life.want(document)
    await life.settles(document)
    await life.shows(world.id, "Ready", "AllComponentsReady")


async def test_what_somebody_scaled_sleeps_and_wakes_as_the_document_says(world: World) -> None:
    """Who scaled it scales it again; on the way from 0 no other number shows, so that no pod comes up to be killed."""
    woken: list[int] = []

    async def meanwhile(request: Request) -> None:
        if woken and request.verb in {"apply", "scale"} and SCHEDULER in request.path:
            woken.append(replicas(await live(world, SCHEDULER)))

    async with world.living() as life:
        await awake(life, world, 1)
        await scale(world, SCHEDULER, 3, manager=AUTOSCALER)
        await life.shows(world.id, "FieldConflict", "HeldByOthers")
        await asleep(life, world, 2)
        assert replicas(await live(world, SCHEDULER)) == 0
        await quiet(life, world)
    woken.append(0)
    async with world.living(meanwhile=meanwhile) as life:
        await awake(life, world, 3)
        assert replicas(await live(world, SCHEDULER)) == 1
        assert set(woken) <= {0, 1}
        await quiet(life, world)
        await scale(world, SCHEDULER, 3, manager=AUTOSCALER)
        await left_alone(life, world, SCHEDULER, 3)


@pytest.mark.parametrize("which", [SCHEDULER, WORKER])
async def test_what_belongs_to_a_scaler_from_birth_begins_with_its_number_and_is_let_go(
    world: World, which: str
) -> None:
    document = world.document(components=EXTERNAL)
    async with world.living(document) as life:
        await life.settles(document)
        found = await live(world, which)
        assert replicas(found) == 2
        assert holders(found, "spec", "replicas") == {"perigee-scale"}
        await quiet(life, world)
        await scale(world, which, 5, manager=AUTOSCALER)
        await life.looks(world.id)
        await quiet(life, world)
        assert replicas(await live(world, which)) == 5
        assert life.condition(world.id, "FieldConflict").reason == "NoneHeldByOthers"  # type: ignore[union-attr]


async def test_a_number_that_is_handed_over_never_drops_on_the_way(world: World) -> None:
    """A sole owner that stops sending ``replicas`` scales to one: every state in between is looked at here."""
    numbers: list[int] = []

    async def meanwhile(request: Request) -> None:
        if request.verb == "apply" and request.path.endswith(SCHEDULER) and numbers:
            numbers.append(replicas(await live(world, SCHEDULER)))

    async with world.living(meanwhile=meanwhile) as life:
        await awake(life, world, 1, components={"scheduler": {"replicas": 3}})
        numbers.append(3)
        await awake(life, world, 2, components={"scheduler": {"replicas": 1, "scaling": "external"}})
        found = await live(world, SCHEDULER)
        numbers.append(replicas(found))
        assert len(numbers) > 2
        assert set(numbers) == {3}
        assert holders(found, "spec", "replicas") == {"perigee-scale"}
        await quiet(life, world)


@pytest.mark.parametrize("after", range(1, 5))
async def test_a_hand_over_that_is_cut_short_drops_nothing(world: World, after: int) -> None:
    async with world.living() as life:
        await awake(life, world, 1, components={"scheduler": {"replicas": 3}})
    handed = world.document(2, components={"scheduler": {"replicas": 1, "scaling": "external"}})
    async with world.living(handed, dies_after=after) as life:
        await ends(life, handed)
    assert replicas(await live(world, SCHEDULER)) == 3
    async with world.living(handed) as life:
        await life.settles(handed)
        assert replicas(await live(world, SCHEDULER)) == 3
        await quiet(life, world)


async def ends(life: Life, document: Any) -> None:
    """It settles or it dies."""
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(life.settles(document)), group.create_task(life.client.dead.wait())]
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            task.cancel()


async def test_a_number_that_comes_back_to_the_document_is_taken_again(world: World) -> None:
    async with world.living() as life:
        await awake(life, world, 1, components=EXTERNAL)
        await awake(life, world, 2, components={"scheduler": {"replicas": 1}})
        found = await live(world, SCHEDULER)
        assert replicas(found) == 1
        assert "perigee" in holders(found, "spec", "replicas")
        await quiet(life, world)


async def test_what_belongs_to_a_scaler_sleeps_and_wakes_with_the_number_that_it_had(world: World) -> None:
    async with world.living() as life:
        await awake(life, world, 1, components=EXTERNAL)
        await scale(world, WORKER, 4, manager=AUTOSCALER)
        await life.looks(world.id)
        await asleep(life, world, 2, components=EXTERNAL)
        assert replicas(await live(world, WORKER)) == 0
        assert replicas(await live(world, SCHEDULER)) == 0
        await awake(life, world, 3, components=EXTERNAL)
        assert replicas(await live(world, WORKER)) == 4
        assert replicas(await live(world, SCHEDULER)) == 2
        await quiet(life, world)


async def test_a_sleeper_that_somebody_scales_is_put_to_sleep_again_and_still_knows_its_number(world: World) -> None:
    async with world.living() as life:
        await awake(life, world, 1, components=EXTERNAL)
        await scale(world, WORKER, 4, manager=AUTOSCALER)
        await life.looks(world.id)
        await asleep(life, world, 2, components=EXTERNAL)
        scaled = len([fact for fact in life.facts.stated if _is_scaling(fact)])
        await scale(world, WORKER, 1, manager="kubectl")
        await life.facts.wait(
            lambda _: len([fact for fact in life.facts.stated if _is_scaling(fact)]) > scaled, seconds=20
        )
        assert replicas(await live(world, WORKER)) == 0
        await awake(life, world, 3, components=EXTERNAL)
        assert replicas(await live(world, WORKER)) == 4


def _is_scaling(fact: object) -> bool:
    return isinstance(fact, ChangeApplied) and fact.change.action is Action.SCALE


@pytest.mark.parametrize("after", range(1, 7))
async def test_a_sleep_that_is_cut_short_forgets_no_number(world: World, after: int) -> None:
    async with world.living() as life:
        await awake(life, world, 1, components=EXTERNAL)
        await scale(world, WORKER, 4, manager=AUTOSCALER)
        await life.looks(world.id)
    sleep = world.document(2, state="hibernated", components=EXTERNAL)
    async with world.living(sleep, dies_after=after) as life:
        await ends(life, sleep)
    async with world.living() as life:
        await asleep(life, world, 2, components=EXTERNAL)
        assert replicas(await live(world, WORKER)) == 0
        await awake(life, world, 3, components=EXTERNAL)
        assert (replicas(await live(world, WORKER)), replicas(await live(world, SCHEDULER))) == (4, 2)


async def test_what_is_born_asleep_wakes_with_the_number_to_start_with(world: World) -> None:
    async with world.living() as life:
        await asleep(life, world, 1, components=EXTERNAL)
        assert replicas(await live(world, SCHEDULER)) == 0
        await awake(life, world, 2, components=EXTERNAL)
        for which in (SCHEDULER, WORKER):
            found = await live(world, which)
            assert replicas(found) == 2
            assert holders(found, "spec", "replicas") == {"perigee-scale"}
        await quiet(life, world)
