"""What one object, one stranger or one neighbour may hold up, and what must never overtake it."""

from __future__ import annotations

from typing import Any

from agent.cluster.client import Request
from agent.model.errors import ObjectRefused
from agent.model.facts import ReconcileFailed
from tests.integration.loops.lives import Tamper, World, renamed


def refusing(path: str, *, until: list[bool] | None = None) -> Tamper:
    """An admission controller that does not like one object, for as long as the list is empty."""

    def tamper(request: Request) -> Exception | None:
        if request.verb == "apply" and path in request.path and not until:
            return ObjectRefused(f"{request}: exceeded quota")
        return None

    return tamper


async def label(world: World, value: str | None) -> None:
    """Somebody labels the namespace."""
    patch = {"metadata": {"labels": {"perigee.dev/instance": value}}}
    path = f"/api/v1/namespaces/{world.home}"
    await world.send("patch", "PATCH", path, body=patch, content_type="application/merge-patch+json")


async def test_a_birth_needs_no_second_try(world: World) -> None:
    document = world.document()
    async with world.living(document) as life:
        await life.settles(document)
        assert [fact for fact in life.facts.stated if isinstance(fact, ReconcileFailed)] == []


async def test_a_refused_object_holds_up_neither_its_stage_nor_the_next_ones(world: World) -> None:
    document, granted = world.document(), list[bool]()
    async with world.living(document, tamper=refusing("/limitranges/", until=granted)) as life:
        ready = await life.shows(world.id, "Ready", "ObjectRefused")
        assert "exceeded quota" in ready.message
        assert "deployments/airflow-scheduler" in await world.applied()
        granted.append(True)
        await life.settles(document)
        await life.shows(world.id, "Ready", "AllComponentsReady")


async def test_no_component_starts_before_a_migration_that_was_refused(world: World) -> None:
    document, granted = world.document(), list[bool]()
    async with world.living(document, tamper=refusing("/jobs/", until=granted)) as life:
        await life.shows(world.id, "Stalled", "ObjectRefused")
        assert not [name for name in await world.applied() if name.startswith("deployments/")]
        granted.append(True)
        await life.settles(document)


async def test_nothing_overtakes_the_migration_because_something_earlier_was_refused(world: World) -> None:
    document = world.document()
    order: list[str] = []

    def tamper(request: Request) -> Exception | None:
        if request.verb == "apply":
            order.append(request.path)
            if "/networkpolicies/airflow-scheduler" in request.path:
                return ObjectRefused("no such policies here")
        return None

    async with world.living(document, tamper=tamper) as life:
        await life.facts.wait(lambda _: any("/deployments/" in path for path in order), seconds=20)
    kinds = [path.split("/")[-2] for path in order]
    job = kinds.index("jobs")
    first = kinds.index("deployments")
    assert job < first
    assert kinds.index("statefulsets") < job
    live = (await world.applied())[f"jobs/{order[job].split('/')[-1]}"]
    assert {one["type"] for one in live["status"]["conditions"]} >= {"Complete"}


async def test_the_old_queue_goes_only_when_the_new_one_is_there(world: World) -> None:
    old = world.document(components={"workers": {"queues": [{"name": "old"}]}})
    async with world.living(old) as life:
        await life.settles(old)
    new = world.document(2, components={"workers": {"queues": [{"name": "new"}]}})
    granted: list[bool] = []
    async with world.living(new, tamper=refusing("/statefulsets/airflow-worker-new", until=granted)) as life:
        await life.shows(world.id, "Stalled", "ObjectRefused")
        assert "statefulsets/airflow-worker-old" in await world.applied()
        granted.append(True)
        await life.settles(new)
    assert "statefulsets/airflow-worker-old" not in await world.applied()


async def test_a_label_that_somebody_took_off_our_namespace_is_put_back(world: World) -> None:
    document = world.document()
    async with world.living(document) as life:
        await life.settles(document)
        await label(world, None)
        await life.facts.wait(lambda fact: "Namespace" in str(fact) and "REPAIR" in repr(fact), seconds=20)
        await life.settles(document)
    live: Any = await world.get(f"/api/v1/namespaces/{world.home}")
    assert live["metadata"]["labels"]["perigee.dev/instance"] == world.id


async def test_of_two_that_want_one_namespace_one_gets_it(world: World) -> None:
    other = renamed(world)
    mine = world.document()
    theirs = other.document(namespace=world.home)
    async with world.living(mine, theirs) as life:
        await life.facts.wait(
            lambda _: (
                {
                    condition.reason
                    for instance in (world, other)
                    if (condition := life.condition(instance.id, "Ready")) is not None
                }
                >= {"NamespaceTaken", "AllComponentsReady"}
            ),
            seconds=20,
        )
    live: Any = await world.get(f"/api/v1/namespaces/{world.home}")
    held = await world.applied()
    holders = {item["metadata"]["labels"]["perigee.dev/instance"] for item in held.values()}
    assert holders == {live["metadata"]["labels"]["perigee.dev/instance"]}


async def test_an_instance_comes_back_after_somebody_deleted_its_namespace(world: World) -> None:
    document = world.document()
    async with world.living(document) as life:
        await life.settles(document)
        keys = await world.key_values()
        before: Any = await world.get(f"/api/v1/namespaces/{world.home}")
        await world.send("delete", "DELETE", f"/api/v1/namespaces/{world.home}")
        await life.facts.wait(lambda fact: "REPAIR" in repr(fact), seconds=20)
        await life.settles(document)
        await life.shows(world.id, "Ready", "AllComponentsReady")
    after: Any = await world.get(f"/api/v1/namespaces/{world.home}")
    assert after["metadata"]["uid"] != before["metadata"]["uid"]
    assert await world.key_values() == keys


async def test_a_handed_over_namespace_survives_even_after_a_life_that_began_to_make_it(world: World) -> None:
    document = world.document()
    async with world.living(document, dies_after=1) as life:
        await life.client.dead.wait()
    manifest = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": world.home}}
    manifest["metadata"] |= {"labels": {"perigee.dev/instance": world.id}}  # type: ignore[operator]
    await world.send("create", "POST", "/api/v1/namespaces", body=manifest)
    async with world.living(document) as life:
        await life.settles(document)
    grave = world.document(2, state="deleted", retain=[])
    async with world.living(grave) as life:
        await life.settles(grave)
    assert await world.leftovers() == [f"/api/v1/namespaces/{world.home}"]


async def test_what_was_begun_under_another_document_is_removed(world: World) -> None:
    first = world.document()
    async with world.living(first, dies_after=40) as life:
        await life.client.dead.wait()
    second = world.document(2, components={"workers": {"queues": [{"name": "other"}]}})
    async with world.living(second) as life:
        await life.settles(second)
    inventory = await world.inventory()
    assert inventory is not None
    assert {owned.ref.name for owned in inventory.owned} >= {name.partition("/")[2] for name in await world.applied()}
    assert all(owned.uid for owned in inventory.owned)
