"""A process that dies after any write: the next life makes the same objects, owns them all, and can remove them all."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from agent.cluster.client import KubeClient
from agent.cluster.connection import connect
from sandbox.realcluster import RealCluster
from tests.integration.loops.lives import World
from tests.support.rights import agent_of


async def a_life_that_dies(world: World, *, after: int) -> bool:
    """Begin to make the instance and die; False if it settled before."""
    document = world.document()
    async with world.living(document, dies_after=after) as life:
        settling = asyncio.ensure_future(life.settles(document))  # noqa: TID251 - awaited below
        dying = asyncio.ensure_future(life.client.dead.wait())  # noqa: TID251 - awaited below
        await asyncio.wait({settling, dying}, return_when=asyncio.FIRST_COMPLETED)
        for task in (settling, dying):
            task.cancel()
        await asyncio.gather(settling, dying, return_exceptions=True)
        return life.client.dead.is_set()


async def recovers(world: World) -> None:
    keys = await world.key_values()
    document = world.document()
    async with world.living(document) as life:
        await life.settles(document)
    inventory = await world.inventory()
    assert inventory is not None
    assert inventory.namespace_created
    applied = await world.applied()
    owned = {owned.ref.name for owned in inventory.owned if owned.uid}
    assert {name.partition("/")[2] for name in applied} <= owned
    assert all(owned.uid for owned in inventory.owned), "a line of the record stands for nothing"
    now = await world.key_values()
    assert keys.items() <= now.items(), "a key was made anew"


async def leaves_nothing(world: World) -> None:
    grave = world.document(2, state="deleted", retain=[])
    async with world.living(grave) as life:
        await life.settles(grave)
    assert await world.leftovers() == []


WRITES_OF_A_BIRTH = 42
FIRST_AND_SOME = [*range(1, 12), *range(12, WRITES_OF_A_BIRTH - 4, 5)]
"""Every write up to the first parallel applies, which are alike; of those some."""


async def test_a_birth_has_about_as_many_writes_as_are_cut_short_here(world: World) -> None:
    document = world.document()
    async with world.living(document) as life:
        await life.settles(document)
        assert WRITES_OF_A_BIRTH - 4 <= len(life.client.writes) <= WRITES_OF_A_BIRTH + 8


@pytest.mark.parametrize("after", FIRST_AND_SOME)
async def test_a_birth_that_is_cut_short_is_finished_by_the_next_life(world: World, after: int) -> None:
    assert await a_life_that_dies(world, after=after)
    await recovers(world)
    await leaves_nothing(world)


@pytest.mark.parametrize("after", FIRST_AND_SOME)
async def test_a_birth_that_is_cut_short_can_be_undone(world: World, after: int) -> None:
    assert await a_life_that_dies(world, after=after)
    await leaves_nothing(world)


@pytest.fixture
async def confined(real_cluster: RealCluster, real_namespace: str) -> AsyncIterator[World]:
    """A world in which the agent has the rights of the role file and no others."""
    client = KubeClient(await connect(real_cluster.kubeconfig))
    try:
        async with agent_of(real_cluster, real_namespace) as granted:
            yield World(granted, real_namespace, client)
    finally:
        await client.close()


BEFORE_THE_RIGHTS_AND_AFTER = range(1, 7)
"""An agent dies before it made the namespace, in which it may do nothing yet, before and after it bound its rights."""


@pytest.mark.parametrize("after", BEFORE_THE_RIGHTS_AND_AFTER)
async def test_a_birth_that_is_cut_short_leaves_nobody_without_rights(confined: World, after: int) -> None:
    assert await a_life_that_dies(confined, after=after)
    await recovers(confined)


@pytest.mark.parametrize("after", BEFORE_THE_RIGHTS_AND_AFTER)
async def test_a_birth_that_is_cut_short_can_be_undone_with_the_rights_that_there_are(
    confined: World, after: int
) -> None:
    assert await a_life_that_dies(confined, after=after)
    await leaves_nothing(confined)
