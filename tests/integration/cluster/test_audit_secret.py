"""Audit records in a Secret, on an API server: kept in order, replaced as a whole, and never over somebody else's."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from agent.cluster.audit import NAME, ClusterAudit
from agent.cluster.client import KubeClient
from agent.cluster.connection import connect
from agent.cluster.secrets import SecretShelf
from sandbox.testcluster import TestCluster


@pytest.fixture
async def shelf(embedded_cluster: TestCluster, embedded_namespace: str) -> AsyncIterator[SecretShelf]:
    client = KubeClient(await connect(embedded_cluster.kubeconfig))
    try:
        yield SecretShelf(client, embedded_namespace)
    finally:
        await client.close()


async def test_what_was_kept_comes_back_in_order_and_the_next_takes_its_place(shelf: SecretShelf) -> None:
    audit = ClusterAudit(shelf)
    assert await audit.load() == ()
    await audit.keep([b'{"number":1}', b'{"number":2}'])
    assert await ClusterAudit(shelf).load() == (b'{"number":1}', b'{"number":2}')
    await audit.keep([b'{"number":3}'])
    assert await audit.load() == (b'{"number":3}',)


async def test_it_lies_there_as_lines_that_can_be_verified(shelf: SecretShelf) -> None:
    await ClusterAudit(shelf).keep([b"{}", b"[]"])
    stored = await shelf.read(NAME)
    assert stored is not None
    assert stored.content == {"records": b"{}\n[]\n"}
