"""The cluster edge on the simulated and on the real API server: apply, observe, inventory, keys."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from agent.cluster.client import APPLY, KubeClient, Request
from agent.cluster.connection import connect
from agent.cluster.inventory import ClusterInventories
from agent.cluster.keys import GeneratedKeys
from agent.cluster.kinds import path_of
from agent.cluster.secrets import SecretShelf
from agent.model.errors import Conflict, FieldConflict, KeyLost, Misconfigured, ObjectRefused
from agent.model.objects import Inventory, Manifest, Owned, Seen
from agent.planning.ownership import intact, latest_stranger, owned_as
from agent.ports import KeyDemand, KeyPlace
from sandbox.testcluster import TestCluster
from tests.cluster.conftest import Edge

FERNET = KeyDemand("fernet-key", "fernet")
PASSWORD = KeyDemand("database-password", "password")


def config_map(edge: Edge, **content: str) -> Manifest:
    labels = {"perigee.dev/instance": edge.instance_id}
    metadata = {"name": "settings", "namespace": edge.namespace, "labels": labels}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": content}


def service(edge: Edge, port: int = 80) -> Manifest:
    labels = {"perigee.dev/instance": edge.instance_id}
    metadata = {"name": "web", "namespace": edge.namespace, "labels": labels}
    return {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": {"ports": [{"port": port}]}}


def place(edge: Edge) -> KeyPlace:
    return KeyPlace(edge.instance_id, edge.namespace, "airflow-keys", {"perigee.dev/instance": edge.instance_id})


@asynccontextmanager
async def observing(edge: Edge) -> AsyncIterator[None]:
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        watching = group.create_task(edge.cluster.run(stop))
        await edge.cluster.started()
        yield
        stop.set()
        await watching


async def apply_as(edge: Edge, manager: str, manifest: Manifest) -> Seen:
    """Somebody else applies, by force."""
    path = path_of(Seen(manifest).ref)
    params = {"fieldManager": manager, "force": "true"}
    return Seen(await edge.client.send(Request("apply", "PATCH", path, params, manifest, APPLY)))


async def test_applying_the_same_again_changes_nothing(edge: Edge) -> None:
    first = await edge.cluster.apply(config_map(edge, a="1"))
    again = await edge.cluster.apply(config_map(edge, a="1"))
    assert first.manifest["metadata"]["resourceVersion"] == again.manifest["metadata"]["resourceVersion"]
    assert intact(owned_as(config_map(edge, a="1"), first.manifest), again)


async def test_somebody_who_takes_a_field_over_is_seen_as_drift_and_named(edge: Edge) -> None:
    owned = owned_as(config_map(edge, a="1"), (await edge.cluster.apply(config_map(edge, a="1"))).manifest)
    theirs = await apply_as(edge, "somebody", config_map(edge, a="2"))
    assert not intact(owned, theirs)
    assert latest_stranger(theirs) == "somebody"


async def test_a_field_of_another_manager_is_a_conflict_that_names_both(edge: Edge) -> None:
    await apply_as(edge, "somebody", config_map(edge, a="2"))
    with pytest.raises(FieldConflict) as conflict:
        await edge.cluster.apply(config_map(edge, a="1"))
    [field] = [field for field in conflict.value.fields if field.field == ".data.a"]
    assert field.manager == "somebody"


async def test_an_invalid_object_is_refused_with_the_servers_words(edge: Edge) -> None:
    broken = config_map(edge)
    broken["metadata"]["labels"]["perigee.dev/instance"] = "not a label value"
    with pytest.raises(ObjectRefused, match=r"metadata\.labels"):
        await edge.cluster.apply(broken)


async def test_deleting_another_incarnation_is_a_conflict(edge: Edge) -> None:
    live = await edge.cluster.apply(config_map(edge, a="1"))
    other = Seen(
        {**live.manifest, "metadata": {**live.manifest["metadata"], "uid": "00000000-0000-0000-0000-0000000000ff"}}
    )
    with pytest.raises(Conflict):
        await edge.cluster.delete(other)
    assert await edge.cluster.read(live.ref) is not None


async def test_deleting_what_is_gone_is_a_success(edge: Edge) -> None:
    live = await edge.cluster.apply(config_map(edge, a="1"))
    await edge.cluster.delete(live)
    await edge.cluster.delete(live)
    assert await edge.cluster.read(live.ref) is None


async def test_the_cache_follows_the_cluster_and_wakes_who_waits(edge: Edge) -> None:
    async with observing(edge):
        live = await edge.cluster.apply(service(edge))
        assert edge.cluster.seen(edge.instance_id)[live.ref].uid == live.uid
        await edge.client.send(Request("delete", "DELETE", path_of(live.ref)))
        async for touched in edge.cluster.touched():
            if touched == edge.instance_id and live.ref not in edge.cluster.seen(edge.instance_id):
                break
        assert edge.cluster.seen(edge.instance_id) == {}


async def test_the_cache_shows_our_own_write_before_the_watch_does(edge: Edge) -> None:
    async with observing(edge):
        await edge.cluster.apply(service(edge, 80))
        newer = await edge.cluster.apply(service(edge, 81))
        shown = edge.cluster.seen(edge.instance_id)[newer.ref]
        assert shown.manifest["spec"]["ports"][0]["port"] == 81


async def test_what_no_watch_covers_is_read_when_looked_at(edge: Edge) -> None:
    live = await edge.cluster.apply(config_map(edge, a="1"))
    await apply_as(edge, "somebody", config_map(edge, a="2"))
    seen = await edge.cluster.look(edge.instance_id, [live.ref])
    assert seen[live.ref].manifest["data"] == {"a": "2"}
    await edge.client.send(Request("delete", "DELETE", path_of(live.ref)))
    assert live.ref not in await edge.cluster.look(edge.instance_id, [live.ref])


async def test_an_inventory_is_what_was_saved_and_only_its_last_reader_may_replace_it(edge: Edge) -> None:
    inventories = ClusterInventories(edge.shelf)
    owned = Owned(Seen(config_map(edge)).ref, "uid", "rendered", "ownership")
    fresh = Inventory(edge.instance_id, "hello", "af", 3, "inputs", "1", (owned,), {"fernet-key": "x"}, True)
    saved = await inventories.save(fresh)
    assert (await inventories.load_all())[edge.instance_id] == saved
    newer = await inventories.save(replace(saved, revision=4))
    with pytest.raises(Conflict):
        await inventories.save(replace(saved, revision=5))
    with pytest.raises(Conflict):
        await inventories.forget(saved)
    await inventories.forget(newer)
    assert await inventories.load_all() == {}


async def test_a_missing_namespace_is_said_in_one_line(any_cluster: TestCluster) -> None:
    # As somebody with rights everywhere: an account of a namespace that is not there cannot be.
    client = KubeClient(await connect(any_cluster.kubeconfig))
    try:
        with pytest.raises(Misconfigured, match="namespace nowhere-at-all does not exist") as error:
            await SecretShelf(client, "nowhere-at-all").create("any", {}, role="state")
    finally:
        await client.close()
    assert "kubectl create namespace" in error.value.hint


async def test_keys_are_made_once_and_only_read_after_that(edge: Edge) -> None:
    keys = GeneratedKeys(edge.client, edge.shelf)
    made = await keys.ensure(place(edge), [FERNET, PASSWORD], known=())
    before = dict(edge.client.requests())
    assert await keys.ensure(place(edge), [FERNET, PASSWORD], known=tuple(made.checksums)) == made
    assert {verb: count for verb, count in edge.client.requests().items() if count != before.get(verb, 0)} == {
        "get": before["get"] + 2
    }


async def test_a_new_demand_leaves_the_other_keys_as_they_are(edge: Edge) -> None:
    keys = GeneratedKeys(edge.client, edge.shelf)
    first = await keys.ensure(place(edge), [FERNET], known=())
    both = await keys.ensure(place(edge), [FERNET, PASSWORD], known=tuple(first.checksums))
    assert both.checksums["fernet-key"] == first.checksums["fernet-key"]


async def test_each_copy_of_the_keys_restores_the_other(edge: Edge) -> None:
    keys = GeneratedKeys(edge.client, edge.shelf)
    made = await keys.ensure(place(edge), [FERNET], known=())
    await edge.shelf.delete("airflow-keys")
    assert (await keys.ensure(place(edge), [FERNET], known=("fernet-key",))).checksums == made.checksums
    await keys.forget(edge.instance_id)
    assert (await keys.ensure(place(edge), [FERNET], known=("fernet-key",))).checksums == made.checksums


async def test_a_lost_key_is_not_made_anew(edge: Edge) -> None:
    keys = GeneratedKeys(edge.client, edge.shelf)
    await keys.ensure(place(edge), [FERNET], known=())
    await edge.shelf.delete("airflow-keys")
    await keys.forget(edge.instance_id)
    with pytest.raises(KeyLost, match="fernet-key"):
        await keys.ensure(place(edge), [FERNET], known=("fernet-key",))
    assert await edge.shelf.read("airflow-keys") is None


async def patched(edge: Edge, name: str, patch: Manifest) -> None:
    """Somebody else changes a Secret."""
    path = f"/api/v1/namespaces/{edge.namespace}/secrets/{name}"
    await edge.client.send(Request("patch", "PATCH", path, {}, patch, "application/merge-patch+json"))


async def test_what_somebody_adds_to_the_keys_is_no_reason_to_write(edge: Edge) -> None:
    keys = GeneratedKeys(edge.client, edge.shelf)
    made = await keys.ensure(place(edge), [FERNET], known=())
    await patched(edge, "airflow-keys", {"data": {"theirs": "eA=="}})
    before = edge.client.requests()["apply"]
    assert (await keys.ensure(place(edge), [FERNET], known=("fernet-key",))).checksums == made.checksums
    assert edge.client.requests()["apply"] == before


async def test_a_label_that_somebody_took_off_the_keys_is_put_back(edge: Edge) -> None:
    keys = GeneratedKeys(edge.client, edge.shelf)
    await keys.ensure(place(edge), [FERNET], known=())
    await patched(edge, "airflow-keys", {"metadata": {"labels": {"perigee.dev/instance": None}}})
    await keys.ensure(place(edge), [FERNET], known=("fernet-key",))
    live = await edge.cluster.read(place(edge).ref)
    assert live is not None
    assert live.labels["perigee.dev/instance"] == edge.instance_id
