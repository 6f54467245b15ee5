"""A new life writes nothing in any state in which nothing changed, and hides no secret in what it says."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator

import pytest

from agent.cluster.client import KubeClient
from agent.cluster.connection import connect
from sandbox.cluster import EmbeddedCluster, Latencies
from tests.integration.loops.lives import World
from tests.support.clusters import fresh_namespace
from tests.support.rights import Granted


@pytest.fixture
async def slow_world() -> AsyncIterator[World]:
    """A cluster whose pods take for ever to start."""
    async with EmbeddedCluster.serve(latencies=Latencies(pod_start_seconds=10_000)) as cluster:
        client = KubeClient(await connect(cluster.kubeconfig))
        async with fresh_namespace(cluster) as namespace:
            yield World(Granted(cluster.kubeconfig, None), namespace, client)
        await client.close()


async def test_a_restart_while_the_database_starts_writes_nothing(slow_world: World) -> None:
    document = slow_world.document()
    async with slow_world.living(document) as life:
        await life.shows(slow_world.id, "Progressing", "WaitingForDatabase")
    async with slow_world.living(document) as life:
        await life.shows(slow_world.id, "Progressing", "WaitingForDatabase")
        assert life.client.writes == []


async def test_a_restart_of_a_refused_instance_writes_nothing(world: World) -> None:
    manifest = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": world.home}}
    await world.send("create", "POST", "/api/v1/namespaces", body=manifest)
    for _ in range(2):
        async with world.living(world.document()) as life:
            await life.shows(world.id, "Stalled", "NamespaceNotOurs")
            assert life.client.writes == []
    assert await world.inventory() is None


async def test_a_restart_of_a_settled_instance_writes_nothing(world: World) -> None:
    """dagster-io/dagster#23484: an agent that kept in memory what it manages redeployed everything on each restart."""
    document = world.document()
    async with world.living(document) as life:
        await life.settles(document)
    async with world.living(document) as life:
        await life.settles(document)
        assert life.client.writes == []


async def test_a_tombstone_of_an_instance_whose_record_was_lost_stops_it_all_the_same(world: World) -> None:
    document = world.document()
    async with world.living(document) as life:
        await life.settles(document)
    await world.send("delete", "DELETE", f"/api/v1/namespaces/{world.namespace}/secrets/perigee-inventory-{world.id}")
    grave = world.document(2, state="deleted")
    async with world.living(grave) as life:
        await life.settles(grave)
    left = await world.applied()
    assert {name.partition("/")[0] for name in left} <= {"secrets", "configmaps"}
    assert await world.key_values(), "the record said nothing, so the keys stay"


async def test_no_key_is_in_anything_that_is_told(world: World) -> None:
    document = world.document()
    async with world.living(document) as life:
        await life.settles(document)
        keys = await world.key_values()
        path = f"/api/v1/namespaces/{world.home}/secrets/airflow-keys"
        await world.send(
            "patch",
            "PATCH",
            path,
            params={"fieldManager": "somebody"},
            body={"data": {"fernet-key": base64.b64encode(b"canary-4711").decode()}},
            content_type="application/merge-patch+json",
        )
    changed = world.document(2, team="another")
    async with world.living(changed) as life:
        await life.settles(changed)
        said = repr(life.facts.stated) + repr(life.statuses.everything())
    assert await world.key_values() == keys, "what the second copy holds counts"
    values = [value for encoded in (await world.key_values()).values() for value in (encoded, _text(encoded))]
    assert values
    assert not [value for value in [*values, "canary-4711"] if value in said]


def _text(encoded: str) -> str:
    return base64.b64decode(encoded).decode()
