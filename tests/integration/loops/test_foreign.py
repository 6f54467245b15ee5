"""Objects of others under names that an instance needs: never touched, unless they were marked or handed over."""

from __future__ import annotations

from typing import Any

import pytest

from agent.cluster.client import MERGE
from agent.model.facts import ChangeApplied
from tests.integration.loops.lives import World, renamed
from tests.integration.loops.strangers import CONFIG, SCHEDULER, create, edit, live, path
from tests.support.kube import Json

SERVICE = "services/airflow-api-server"


def a_service(labels: dict[str, str] | None = None) -> Json:
    metadata: Json = {"name": "airflow-api-server", "labels": labels or {}}
    spec = {"selector": {"app": "theirs"}, "ports": [{"port": 9}]}
    return {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": spec}


async def home(world: World) -> None:
    """The namespace exists and was handed over to us."""
    metadata = {"name": world.home, "labels": {"perigee.dev/instance": world.id}}
    manifest = {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}
    await world.send("create", "POST", "/api/v1/namespaces", body=manifest)


async def test_a_name_that_is_somebody_else_s_is_refused_with_the_ways_out(world: World) -> None:
    await home(world)
    theirs = await create(world, a_service(), "services")
    document = world.document()
    async with world.living(document) as life:
        found = await life.shows(world.id, "Stalled", "ObjectRefused")
        assert f"Service {world.home}/airflow-api-server exists and was not made for this instance" in found.message
        assert "add Service/airflow-api-server to spec.adopt" in found.message
        assert f"label it perigee.dev/instance={world.id}" in found.message
        await life.looks(world.id)
    assert await live(world, SERVICE) == theirs, "not a byte of it changed"
    assert (await live(world, SCHEDULER))["spec"]["replicas"] == 1, "the rest of the instance is there"


@pytest.mark.parametrize("way", ["label", "document"])
async def test_what_is_handed_over_is_taken(world: World, way: str) -> None:
    await home(world)
    theirs = await create(world, a_service(), "services")
    async with world.living(world.document()) as life:
        await life.shows(world.id, "Stalled", "ObjectRefused")
        if way == "label":
            change = {"metadata": {"labels": {"perigee.dev/instance": world.id}}}
            await edit(world, SERVICE, change, manager="kubectl-label")
            document = world.document(2)
        else:
            document = world.document(2, adopt=["Service/airflow-api-server"])
        life.want(document)
        await life.settles(document)
        inventory = await world.inventory()
    ours = await live(world, SERVICE)
    assert ours["metadata"]["uid"] == theirs["metadata"]["uid"]
    assert "perigee" in {entry["manager"] for entry in ours["metadata"]["managedFields"]}
    assert inventory is not None
    assert [one for one in inventory.owned if one.ref.kind == "Service" and one.uid == theirs["metadata"]["uid"]]


async def test_what_the_document_hands_over_becomes_as_the_document_says(world: World) -> None:
    """Naming it in the document is consent: also to the values of fields that others wrote."""
    await home(world)
    await create(world, a_service(), "services")
    document = world.document(adopt=["Service/airflow-api-server"])
    async with world.living(document) as life:
        await life.settles(document)
        found = life.condition(world.id, "FieldConflict")
        assert found is not None
        assert found.reason == "NoneHeldByOthers"
    ours = await live(world, SERVICE)
    assert ours["spec"]["selector"]["perigee.dev/instance"] == world.id
    assert {port["port"] for port in ours["spec"]["ports"]} >= {8080}


async def test_no_document_takes_what_another_instance_has(world: World) -> None:
    await home(world)
    other = renamed(world)
    theirs = await create(world, a_service({"perigee.dev/instance": other.id}), "services")
    document = world.document(adopt=["Service/airflow-api-server"])
    async with world.living(document) as life:
        found = await life.shows(world.id, "Stalled", "ObjectRefused")
        assert f"belongs to instance {other.id}" in found.message
    assert await live(world, SERVICE) == theirs


async def test_what_others_put_beside_our_objects_stays_through_everything(world: World) -> None:
    """A stranger's Helm release in the same namespace: neither repairs nor prunes nor a document's changes touch it."""
    document = world.document(components={"workers": {"queues": [{"name": "one"}, {"name": "two"}]}})
    async with world.living(document) as life:
        await life.settles(document)
        labels = {"app.kubernetes.io/managed-by": "Helm", "app.kubernetes.io/name": "airflow"}
        release: Any = {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": "airflow-theirs", "labels": labels},
            "data": {"a": "1"},
        }
        before = await create(world, release, "configmaps", manager="helm")
        fewer = world.document(2, components={"workers": {"queues": [{"name": "one"}]}})
        life.want(fewer)
        await life.settles(fewer)
        asleep = world.document(3, state="hibernated")
        life.want(asleep)
        await life.settles(asleep)
        assert await live(world, "configmaps/airflow-theirs") == before
        assert not [one for one in life.client.writes if "airflow-theirs" in one.path]


async def test_a_tombstone_takes_nothing_that_is_not_ours(world: World) -> None:
    await home(world)
    document = world.document()
    async with world.living(document) as life:
        await life.settles(document)
        release = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "theirs"}, "data": {"a": "1"}}
        before = await create(world, release, "configmaps", manager="helm")
        grave = world.document(2, state="deleted", retain=[])
        life.want(grave)
        await life.settles(grave)
        assert await live(world, "configmaps/theirs") == before
        assert await world.get(path(world, CONFIG)) is None
        namespaces = [one for one in life.client.writes if one.verb == "delete" and one.path.endswith(world.home)]
        assert namespaces == [], "a namespace that was handed over stays"


async def test_one_of_ours_that_lost_its_label_is_still_ours(world: World) -> None:
    document = world.document()
    async with world.living(document) as life:
        await life.settles(document)
        before = await live(world, SCHEDULER)
        await edit(world, SCHEDULER, {"metadata": {"labels": {"perigee.dev/instance": None}}})
        await life.facts.wait(
            lambda fact: isinstance(fact, ChangeApplied) and fact.change.action.value == "repair", seconds=20
        )
        await life.settles(document)
    after = await live(world, SCHEDULER)
    assert after["metadata"]["labels"]["perigee.dev/instance"] == world.id
    assert after["metadata"]["uid"] == before["metadata"]["uid"]


async def test_a_stranger_who_takes_the_place_of_a_deleted_object_keeps_it(world: World) -> None:
    """Between the deletion of one of ours and its repair somebody made his own of the same name."""
    document = world.document()
    async with world.living(document) as life:
        await life.settles(document)
    await world.send("delete", "DELETE", path(world, SERVICE))
    theirs = await create(world, a_service(), "services")
    async with world.living(document) as life:
        await life.shows(world.id, "Stalled", "ObjectRefused")
        await life.looks(world.id)
    assert await live(world, SERVICE) == theirs


@pytest.mark.parametrize(
    "which", [SCHEDULER, "statefulsets/airflow-database", CONFIG, SERVICE, "serviceaccounts/airflow-worker"]
)
@pytest.mark.parametrize("retain", [None, []])
async def test_a_tombstone_takes_also_what_lost_its_label(world: World, which: str, retain: list[str] | None) -> None:
    """What the cache shows no more is in the record: else its pods would run on, and be waited for, for ever."""
    document = world.document()
    async with world.living(document) as life:
        await life.settles(document)
    await edit(world, which, {"metadata": {"labels": {"perigee.dev/instance": None}}})
    grave = world.document(2, state="deleted", **({} if retain is None else {"retain": retain}))
    async with world.living(grave) as life:
        await life.settles(grave)
    assert await world.get(path(world, which)) is None
    left = await world.leftovers()
    assert (left == []) is (retain == [])


async def test_a_tombstone_takes_our_namespace_also_where_it_lost_its_label(world: World) -> None:
    document = world.document()
    async with world.living(document) as life:
        await life.settles(document)
    change = {"metadata": {"labels": {"perigee.dev/instance": None}}}
    await world.send("patch", "PATCH", f"/api/v1/namespaces/{world.home}", body=change, content_type=MERGE)
    grave = world.document(2, state="deleted", retain=[])
    async with world.living(grave) as life:
        await life.settles(grave)
        await life.facts.wait(lambda fact: f"'{world.home}'" in repr(fact) and "DELETE" in repr(fact), seconds=20)
