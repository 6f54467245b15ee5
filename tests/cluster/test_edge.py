"""The cluster edge on the simulated and on the real API server: apply, observe, inventory, keys."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from agent.cluster.client import APPLY, KubeClient, Request
from agent.cluster.connection import connect
from agent.cluster.inventory import ClusterInventories
from agent.cluster.journal import ClusterJournal
from agent.cluster.kinds import path_of
from agent.cluster.secrets import SecretShelf
from agent.loops.pace import SystemClock
from agent.model.changes import Action, Change
from agent.model.errors import Conflict, FieldConflict, KeyLost, Misconfigured, ObjectRefused
from agent.model.journal import Deed
from agent.model.lease import Term
from agent.model.objects import Ceded, Inventory, Manifest, ObjectRef, Owned
from agent.planning.diff import latest_stranger
from agent.planning.fields import pack
from agent.planning.observing import observed
from agent.planning.ownership import applied_at, intact, owned_as
from agent.ports import HeldKeys, KeyDemand, KeyPlace
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


async def apply_as(edge: Edge, manager: str, manifest: Manifest) -> Manifest:
    """Somebody else applies, by force."""
    path = path_of(ObjectRef.of(manifest))
    params = {"fieldManager": manager, "force": "true"}
    return await edge.client.send(Request("apply", "PATCH", path, params, manifest, APPLY))


async def test_applying_the_same_again_changes_nothing(edge: Edge) -> None:
    first = await edge.verbs.apply(config_map(edge, a="1"))
    again = await edge.verbs.apply(config_map(edge, a="1"))
    assert first["metadata"]["resourceVersion"] == again["metadata"]["resourceVersion"]
    assert intact(owned_as(config_map(edge, a="1"), first), observed(again))


async def test_somebody_who_takes_a_field_over_is_seen_as_drift_and_named(edge: Edge) -> None:
    owned = owned_as(config_map(edge, a="1"), await edge.verbs.apply(config_map(edge, a="1")))
    theirs = observed(await apply_as(edge, "somebody", config_map(edge, a="2")))
    assert not intact(owned, theirs)
    assert latest_stranger(theirs) == "somebody"


async def test_a_field_of_another_manager_is_a_conflict_that_names_both(edge: Edge) -> None:
    await apply_as(edge, "somebody", config_map(edge, a="2"))
    with pytest.raises(FieldConflict) as conflict:
        await edge.verbs.apply(config_map(edge, a="1"))
    [field] = [field for field in conflict.value.fields if field.field == ".data.a"]
    assert field.manager == "somebody"


async def test_an_invalid_object_is_refused_with_the_servers_words(edge: Edge) -> None:
    broken = config_map(edge)
    broken["metadata"]["labels"]["perigee.dev/instance"] = "not a label value"
    with pytest.raises(ObjectRefused, match=r"metadata\.labels"):
        await edge.verbs.apply(broken)


async def test_deleting_another_incarnation_is_a_conflict(edge: Edge) -> None:
    live = observed(await edge.verbs.apply(config_map(edge, a="1")))
    with pytest.raises(Conflict):
        await edge.verbs.delete(replace(live, uid="00000000-0000-0000-0000-0000000000ff"))
    assert await edge.cluster.read(live.ref) is not None


async def test_deleting_what_is_gone_is_a_success(edge: Edge) -> None:
    live = observed(await edge.verbs.apply(config_map(edge, a="1")))
    assert await edge.verbs.delete(live)
    assert await edge.verbs.delete(live)
    assert await edge.cluster.read(live.ref) is None


async def test_the_cache_follows_the_cluster_and_wakes_who_waits(edge: Edge) -> None:
    async with observing(edge):
        live = observed(await edge.verbs.apply(service(edge)))
        assert edge.cluster.seen(edge.instance_id)[live.ref].uid == live.uid
        await edge.client.send(Request("delete", "DELETE", path_of(live.ref)))
        async for touched in edge.cluster.touched():
            if touched == edge.instance_id and live.ref not in edge.cluster.seen(edge.instance_id):
                break
        assert edge.cluster.seen(edge.instance_id) == {}


async def test_the_cache_shows_our_own_write_before_the_watch_does(edge: Edge) -> None:
    async with observing(edge):
        await edge.verbs.apply(service(edge, 80))
        newer = observed(await edge.verbs.apply(service(edge, 81)))
        assert edge.cluster.seen(edge.instance_id)[newer.ref].version >= newer.version


async def test_a_watch_of_metadata_tells_who_owns_what_as_a_whole_object_does(edge: Edge) -> None:
    async with observing(edge):
        whole = observed(await edge.verbs.apply(service(edge)))
        labelled = service(edge)
        labelled["metadata"]["labels"]["team"] = "theirs"
        stranger = observed(await apply_as(edge, "somebody", labelled))
        async for _ in edge.cluster.touched():
            shown = edge.cluster.seen(edge.instance_id)[whole.ref]
            if shown.version == stranger.version:
                break
    assert shown == stranger
    assert shown.holders == ("somebody",)


async def test_what_no_watch_covers_is_known_after_a_survey(edge: Edge) -> None:
    live = observed(await edge.verbs.apply(config_map(edge, a="1")))
    taken = observed(await apply_as(edge, "somebody", config_map(edge, a="2")))
    await edge.cluster.survey(edge.instance_id, edge.namespace)
    assert edge.cluster.seen(edge.instance_id)[live.ref] == taken
    await edge.client.send(Request("delete", "DELETE", path_of(live.ref)))
    await edge.cluster.survey(edge.instance_id, edge.namespace)
    assert live.ref not in edge.cluster.seen(edge.instance_id)


async def test_a_dry_run_that_would_change_nothing_keeps_the_time_of_our_last_apply(edge: Edge) -> None:
    live = await edge.verbs.apply(config_map(edge, a="1"))
    same = await edge.verbs.apply(config_map(edge, a="1"), dry_run=True)
    assert applied_at(same) == applied_at(live)
    await next_second(applied_at(live))
    would = await edge.verbs.apply(config_map(edge, a="2"), dry_run=True)
    assert applied_at(would) != applied_at(live)
    now = await edge.cluster.read(ObjectRef.of(live))
    assert now is not None
    assert (now["data"], now["metadata"]["resourceVersion"]) == ({"a": "1"}, live["metadata"]["resourceVersion"])


async def next_second(moment: str) -> None:
    """Times in managedFields are whole seconds: let the one that a moment fell into go by."""
    past = datetime.fromisoformat(moment).timestamp() + 1 - SystemClock().now().timestamp()
    await SystemClock().wait(asyncio.Event(), seconds=max(past, 0))


async def test_an_inventory_is_what_was_saved_and_only_its_last_reader_may_replace_it(edge: Edge) -> None:
    inventories = ClusterInventories(edge.shelf)
    ref = ObjectRef.of(config_map(edge))
    plain = Owned(ref, "uid", "rendered", "ownership")
    ceded = Owned(replace(ref, name="other"), "uid", "rendered", "ownership", (Ceded("hpa", ("f:spec", "f:x")),), 3)
    packed = pack({ref: {"f:data": {"f:a": {}}}})
    fresh = Inventory(
        edge.instance_id, "hello", "af", 3, "inputs", "1", (plain, ceded), {"fernet-key": "x"}, True, packed
    )
    saved = await inventories.save(fresh)
    assert (await inventories.load_all())[edge.instance_id] == saved
    assert await inventories.load(edge.instance_id) == saved
    newer = await inventories.save(replace(saved, revision=4))
    with pytest.raises(Conflict):
        await inventories.save(replace(saved, revision=5))
    with pytest.raises(Conflict):
        await inventories.forget(saved)
    await inventories.forget(newer)
    assert await inventories.load_all() == {}
    assert await inventories.load(edge.instance_id) is None


async def test_a_missing_namespace_is_said_in_one_line(any_cluster: TestCluster) -> None:
    # As somebody with rights everywhere: an account of a namespace that is not there cannot be.
    client = KubeClient(await connect(any_cluster.kubeconfig))
    try:
        with pytest.raises(Misconfigured, match="namespace nowhere-at-all does not exist") as error:
            await SecretShelf(client, "nowhere-at-all").create("any", {}, role="state")
    finally:
        await client.close()
    assert "kubectl create namespace" in error.value.hint


async def ensured(edge: Edge, *demands: KeyDemand, known: Collection[str] = (), fresh: bool = False) -> HeldKeys:
    """Both copies as they shall be."""
    held = await edge.keys.hold(place(edge), demands, known=known, fresh=fresh)
    await edge.keys.place(place(edge), held, fresh=fresh)
    return held


async def test_keys_are_made_once_and_only_read_after_that(edge: Edge) -> None:
    made = await ensured(edge, FERNET, PASSWORD)
    before = dict(edge.client.requests())
    assert await ensured(edge, FERNET, PASSWORD, known=tuple(made.checksums)) == made
    assert {verb: count for verb, count in edge.client.requests().items() if count != before.get(verb, 0)} == {
        "get": before["get"] + 2
    }


async def test_a_birth_makes_keys_without_looking_for_older_ones(edge: Edge) -> None:
    made = await ensured(edge, FERNET, fresh=True)
    assert edge.client.requests().get("get", 0) == 0
    assert await ensured(edge, FERNET, known=("fernet-key",)) == made


async def test_a_birth_that_was_cut_short_keeps_the_keys_that_it_made(edge: Edge) -> None:
    first = await edge.keys.hold(place(edge), [FERNET], known=(), fresh=True)
    assert await edge.keys.hold(place(edge), [FERNET], known=(), fresh=True) == first


async def test_a_new_demand_leaves_the_other_keys_as_they_are(edge: Edge) -> None:
    first = await ensured(edge, FERNET)
    both = await ensured(edge, FERNET, PASSWORD, known=tuple(first.checksums))
    assert both.checksums["fernet-key"] == first.checksums["fernet-key"]


async def test_each_copy_of_the_keys_restores_the_other(edge: Edge) -> None:
    made = await ensured(edge, FERNET)
    await edge.shelf.delete("airflow-keys")
    assert (await ensured(edge, FERNET, known=("fernet-key",))).checksums == made.checksums
    await edge.keys.forget(edge.instance_id)
    assert (await ensured(edge, FERNET, known=("fernet-key",))).checksums == made.checksums


async def test_a_lost_key_is_not_made_anew(edge: Edge) -> None:
    await ensured(edge, FERNET)
    await edge.shelf.delete("airflow-keys")
    await edge.keys.forget(edge.instance_id)
    with pytest.raises(KeyLost, match="fernet-key"):
        await ensured(edge, FERNET, known=("fernet-key",))
    assert await edge.shelf.read("airflow-keys") is None


async def test_no_key_shows_in_what_is_on_its_way(edge: Edge) -> None:
    held = await ensured(edge, FERNET)
    assert held.values["fernet-key"].decode() not in repr(held)


async def test_keys_do_not_take_a_secret_that_is_somebody_elses(edge: Edge) -> None:
    await edge.shelf.create("airflow-keys", {"theirs": b"x"}, role="state")
    with pytest.raises(ObjectRefused, match="was not made for this instance"):
        await ensured(edge, FERNET)


async def test_a_journal_is_one_history_that_only_its_last_reader_continues(edge: Edge) -> None:
    journal = ClusterJournal(edge.shelf, Term(7, "one"))
    ref, at = ObjectRef("v1", "ConfigMap", "af", "web"), datetime(2026, 1, 1, tzinfo=UTC)
    deeds = [Deed(Change(ref, Action.DELETE, why), "uid", at) for why in ("first", "second", "third")]
    await journal.append(edge.instance_id, deeds[:2])
    await ClusterJournal(edge.shelf, Term(8, "two")).append(edge.instance_id, deeds[2:])
    kept = await journal.read(edge.instance_id)
    assert [(deed.number, deed.term, deed.author, deed.change.why) for deed in kept] == [
        (1, 7, "one", "first"),
        (2, 7, "one", "second"),
        (3, 8, "two", "third"),
    ]
    assert (kept[0].change.ref, kept[0].at) == (ref, at)
    await journal.forget(edge.instance_id)
    assert await journal.read(edge.instance_id) == ()


async def patched(edge: Edge, name: str, patch: Manifest) -> None:
    """Somebody else changes a Secret."""
    path = f"/api/v1/namespaces/{edge.namespace}/secrets/{name}"
    await edge.client.send(Request("patch", "PATCH", path, {}, patch, "application/merge-patch+json"))


async def test_what_somebody_adds_to_the_keys_is_no_reason_to_write(edge: Edge) -> None:
    made = await ensured(edge, FERNET)
    await patched(edge, "airflow-keys", {"data": {"theirs": "eA=="}})
    before = edge.client.requests()["apply"]
    assert (await ensured(edge, FERNET, known=("fernet-key",))).checksums == made.checksums
    assert edge.client.requests()["apply"] == before


async def test_a_key_that_somebody_changed_is_put_back(edge: Edge) -> None:
    made = await ensured(edge, FERNET)
    await patched(edge, "airflow-keys", {"data": {"fernet-key": "eA=="}})
    await ensured(edge, FERNET, known=("fernet-key",))
    stored = await edge.shelf.read("airflow-keys")
    assert stored is not None
    assert stored.content == made.values


async def test_a_label_that_somebody_took_off_the_keys_is_put_back(edge: Edge) -> None:
    await ensured(edge, FERNET)
    await patched(edge, "airflow-keys", {"metadata": {"labels": {"perigee.dev/instance": None}}})
    await ensured(edge, FERNET, known=("fernet-key",))
    live = await edge.cluster.read(place(edge).ref)
    assert live is not None
    assert observed(live).labels["perigee.dev/instance"] == edge.instance_id
