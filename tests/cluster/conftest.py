"""The agent's cluster edge, connected to each kind of cluster in turn, in a namespace of the test's own.

On a real cluster it connects as the agent's account, with the rights that the chart grants and no others.
"""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from agent.cluster.client import KubeClient
from agent.cluster.connection import connect
from agent.cluster.keys import GeneratedKeys
from agent.cluster.kubernetes import KubernetesCluster
from agent.cluster.secrets import SecretShelf
from agent.cluster.verbs import ClusterVerbs
from agent.loops.pace import SystemClock
from sandbox.realcluster import RealCluster
from sandbox.testcluster import TestCluster
from tests.support.helm import VALUES, chart_account
from tests.support.rights import NAMESPACE, in_force, lend


@dataclass(frozen=True, slots=True)
class Edge:
    """The edge and the names that this test may use."""

    client: KubeClient
    cluster: KubernetesCluster
    verbs: ClusterVerbs
    shelf: SecretShelf
    keys: GeneratedKeys
    namespace: str
    instance_id: str


@pytest.fixture(scope="session")
async def account(real_cluster: RealCluster) -> AsyncIterator[Path]:
    """The kubeconfig of the account that the chart makes, with the rights that it grants by itself."""
    async with chart_account(real_cluster, VALUES, NAMESPACE) as kubeconfig:
        await in_force(kubeconfig)
        yield kubeconfig


@pytest.fixture
def edge_kubeconfig(request: pytest.FixtureRequest, any_cluster: TestCluster) -> Path:
    """What the edge connects with: on a real cluster as the agent's own account. The embedded one knows no rights."""
    real = isinstance(any_cluster, RealCluster)
    kubeconfig: Path = request.getfixturevalue("account") if real else any_cluster.kubeconfig
    return kubeconfig


@pytest.fixture
async def edge(any_cluster: TestCluster, any_namespace: str, edge_kubeconfig: Path) -> AsyncIterator[Edge]:
    if isinstance(any_cluster, RealCluster):
        await lend(any_cluster, edge_kubeconfig, any_namespace)
    client = KubeClient(await connect(edge_kubeconfig))
    try:
        cluster, shelf = KubernetesCluster(client, SystemClock()), SecretShelf(client, any_namespace)
        verbs = ClusterVerbs(client, cluster.observation)
        keys = GeneratedKeys(client, shelf, verbs)
        yield Edge(client, cluster, verbs, shelf, keys, any_namespace, str(uuid.uuid4()))
    finally:
        await client.close()
