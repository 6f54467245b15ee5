"""The Lease as an object of the API server, and as the memory that unit tests compete for: one promise, both."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from agent.cluster.client import KubeClient, Request
from agent.cluster.connection import connect
from agent.cluster.lease import ClusterLease
from agent.model.errors import Conflict, Misconfigured, NotAuthorised
from agent.model.lease import LeaseRecord
from agent.planning.leadership import released
from agent.ports import Leases
from sandbox.realcluster import RealCluster
from sandbox.testcluster import TestCluster
from tests.cluster.conftest import Edge
from tests.support.leases import LeaseServer, MemoryLeases

NOW = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
RECORD = LeaseRecord("pod-a_1", 10, 7, NOW, NOW)


def path(namespace: str) -> str:
    return f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases/perigee-agent"


@pytest.fixture(params=["edge", "memory"])
def leases(request: pytest.FixtureRequest, edge: Edge) -> Leases:
    if request.param == "memory":
        return MemoryLeases(LeaseServer())
    return ClusterLease(edge.client, edge.namespace, write_seconds=2)


@pytest.fixture
async def administrator(any_cluster: TestCluster) -> AsyncIterator[KubeClient]:
    """Somebody who may do what the agent may not."""
    client = KubeClient(await connect(any_cluster.kubeconfig))
    try:
        yield client
    finally:
        await client.close()


async def test_what_is_written_is_read(leases: Leases) -> None:
    assert await leases.read() is None
    written = await leases.write(RECORD)
    assert written.resource_version
    assert replace(written, resource_version="") == RECORD
    assert await leases.read() == written


async def test_nobody_writes_over_what_he_did_not_see(leases: Leases) -> None:
    first = await leases.write(RECORD)
    with pytest.raises(Conflict):
        await leases.write(replace(RECORD, holder="pod-b_2"))
    second = await leases.write(replace(first, renewed=NOW.replace(second=7)))
    with pytest.raises(Conflict):
        await leases.write(replace(first, holder="pod-b_2"))
    assert await leases.read() == second


async def test_a_released_lease_has_no_holder_and_keeps_its_term(leases: Leases) -> None:
    free = await leases.write(released(await leases.write(RECORD), NOW))
    assert (free.holder, free.term) == ("", 7)
    assert await leases.read() == free


async def test_a_change_is_told_at_once_and_nothing_that_was_seen_before(leases: Leases) -> None:
    first = await leases.write(RECORD)
    async with asyncio.timeout(10), aclosing(leases.changes(first)) as changes:
        second = await changed_meanwhile(changes, leases, replace(first, holder="pod-b_2"))
        third = await changed_meanwhile(changes, leases, replace(second, term=8))
        assert third.term == 8


async def changed_meanwhile(
    changes: AsyncGenerator[LeaseRecord | None, None], leases: Leases, record: LeaseRecord
) -> LeaseRecord:
    """Wait for the next change, then make one; returns what was told, which has to be it."""
    async with asyncio.TaskGroup() as group:
        told = group.create_task(anext(changes))
        written = await leases.write(record)
    assert told.result() == written
    return written


async def test_a_lease_that_is_made_or_deleted_while_it_is_watched_is_told(
    edge: Edge, administrator: KubeClient
) -> None:
    leases = ClusterLease(edge.client, edge.namespace, write_seconds=2)
    async with asyncio.timeout(10), aclosing(leases.changes(None)) as changes:
        await changed_meanwhile(changes, leases, RECORD)
        async with asyncio.TaskGroup() as group:
            told = group.create_task(anext(changes))
            options = {"apiVersion": "v1", "kind": "DeleteOptions"}
            await administrator.send(Request("delete", "DELETE", path(edge.namespace), body=options))
        assert told.result() is None


async def test_another_lease_of_the_namespace_is_not_told(edge: Edge) -> None:
    leases = ClusterLease(edge.client, edge.namespace, write_seconds=2)
    stranger = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": "stranger"}}
    async with asyncio.timeout(10), aclosing(leases.changes(None)) as changes:
        collection = path(edge.namespace).rpartition("/")[0]
        await edge.client.send(Request("create", "POST", collection, body=stranger))
        await changed_meanwhile(changes, leases, RECORD)


async def test_a_lease_that_somebody_else_made_is_understood(edge: Edge) -> None:
    leases = ClusterLease(edge.client, edge.namespace, write_seconds=2)
    bare = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": "perigee-agent"}}
    await edge.client.send(Request("create", "POST", path(edge.namespace).rpartition("/")[0], body=bare))
    found = await leases.read()
    assert found is not None
    assert (found.holder, found.duration_seconds, found.term, found.renewed) == ("", 0, 0, None)
    assert (await leases.write(replace(RECORD, resource_version=found.resource_version))).holder == "pod-a_1"


async def test_a_namespace_that_does_not_exist_is_named_with_what_to_do(administrator: KubeClient) -> None:
    leases = ClusterLease(administrator, "nowhere-to-be-found", write_seconds=2)
    assert await leases.read() is None
    with pytest.raises(Misconfigured, match="nowhere-to-be-found") as raised:
        await leases.write(RECORD)
    assert "kubectl create namespace" in raised.value.hint


async def test_a_missing_right_is_named(real_cluster: RealCluster, real_namespace: str) -> None:
    client = KubeClient(await connect(await real_cluster.kubeconfig_for_service_account(real_namespace, "default")))
    try:
        with pytest.raises(NotAuthorised, match="cannot get resource") as raised:
            await ClusterLease(client, real_namespace, write_seconds=2).read()
        assert "grant this right" in raised.value.hint
    finally:
        await client.close()
