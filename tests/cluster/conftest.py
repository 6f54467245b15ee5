"""The agent's cluster edge, connected to each kind of cluster in turn, in a namespace of the test's own."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest

from agent.cluster.client import KubeClient
from agent.cluster.connection import connect
from agent.cluster.kubernetes import KubernetesCluster
from agent.cluster.secrets import SecretShelf
from agent.loops.pace import SystemClock
from sandbox.testcluster import TestCluster


@dataclass(frozen=True, slots=True)
class Edge:
    """The edge and the names that this test may use."""

    client: KubeClient
    cluster: KubernetesCluster
    shelf: SecretShelf
    namespace: str
    instance_id: str


@pytest.fixture
async def edge(any_cluster: TestCluster, any_namespace: str) -> AsyncIterator[Edge]:
    client = KubeClient(await connect(any_cluster.kubeconfig))
    try:
        yield Edge(
            client,
            KubernetesCluster(client, SystemClock()),
            SecretShelf(client, any_namespace),
            any_namespace,
            str(uuid.uuid4()),
        )
    finally:
        await client.close()
