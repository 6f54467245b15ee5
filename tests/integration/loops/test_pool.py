"""A fixed pool of namespaces: one instance in each, none made, none deleted, and one that fails holds up no other."""

from __future__ import annotations

from agent.cluster.client import Request
from agent.model.errors import NotAuthorised
from tests.integration.loops.lives import World, renamed
from tests.support.engine import Rules

NAMESPACES = "/api/v1/namespaces"


def pool(*worlds: World) -> Rules:
    return Rules(pool=frozenset(world.home for world in worlds))


async def make(*worlds: World) -> None:
    for world in worlds:
        home = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": world.home}}
        await world.send("create", "POST", NAMESPACES, body=home)


async def test_an_instance_lives_in_a_namespace_that_stays_as_it_was(world: World) -> None:
    await make(world)
    before = await world.get(f"{NAMESPACES}/{world.home}")
    async with world.living(world.document(), rules=pool(world)) as life:
        await life.settles(world.document())
        assert "deployments/airflow-scheduler" in await world.applied()
        life.want(gone := world.document(2, state="deleted", retain=[]))
        await life.settles(gone)
    assert await world.applied() == {}
    assert await world.leftovers() == [f"{NAMESPACES}/{world.home}"]
    assert await world.get(f"{NAMESPACES}/{world.home}") == before


async def test_the_second_instance_that_wants_a_namespace_is_refused_until_the_first_is_gone(world: World) -> None:
    await make(world)
    second = renamed(world)
    wanted = second.document(namespace=world.home)
    async with world.living(world.document(), rules=pool(world)) as life:
        await life.settles(world.document())
        life.want(world.document(), wanted)
        found = await life.shows(second.id, "Stalled", "NamespaceTaken")
        assert f"belongs to instance {world.id}" in found.message
    async with world.living(world.document(), wanted, rules=pool(world)) as life:
        # A new memory knows it from the record, whichever comes first.
        await life.shows(second.id, "Stalled", "NamespaceTaken")
        life.want(gone := world.document(2, state="deleted", retain=[]), wanted)
        await life.settles(gone)
        life.want(wanted)
        await life.settles(wanted)


async def test_an_instance_that_had_a_namespace_of_our_making_leaves_it_to_its_new_owner(world: World) -> None:
    async with world.living(world.document()) as life:
        await life.settles(world.document())
    async with world.living(world.document(), rules=pool(world)) as life:
        await life.settles(world.document())
        life.want(gone := world.document(2, state="deleted", retain=[]))
        await life.settles(gone)
    home = await world.get(f"{NAMESPACES}/{world.home}")
    assert home is not None
    assert "deletionTimestamp" not in home["metadata"]


async def test_a_namespace_that_is_not_there_is_asked_for_and_not_made(world: World) -> None:
    async with world.living(world.document(), rules=pool(world)) as life:
        found = await life.shows(world.id, "Stalled", "NamespaceMissing")
        assert "an administrator makes it" in found.message
        assert await world.get(f"{NAMESPACES}/{world.home}") is None
        await make(world)
        await life.settles(world.document())


async def test_a_namespace_without_rights_is_judged_in_nothing_and_holds_up_no_other(world: World) -> None:
    second = renamed(world)
    await make(world, second)
    async with world.living(world.document(), rules=pool(world, second)) as life:
        await life.settles(world.document())
    before = await world.applied()

    def without_rights(request: Request) -> Exception | None:
        return NotAuthorised(f"cannot {request}") if f"/namespaces/{world.home}/" in request.path else None

    documents = (world.document(2, state="deleted", retain=[]), second.document())
    async with world.living(*documents, rules=pool(world, second), blinding=without_rights) as life:
        await life.settles(documents[1])
        await life.shows(world.id, "Stalled", "NotAuthorised")
    assert await world.applied() == before
