"""A scene for each test: an agent's namespace on each kind of cluster in turn, and one instance that it may keep."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from agent.cluster.client import KubeClient
from agent.cluster.connection import connect
from agent.cluster.secrets import SecretShelf
from sandbox.testcluster import TestCluster
from tests.integration.inspection.scene import Scene
from tests.support.rights import agent_of
from tests.support.wire import a_trust_envelope


@pytest.fixture
async def scene(any_cluster: TestCluster, any_namespace: str) -> AsyncIterator[Scene]:
    client = KubeClient(await connect(any_cluster.kubeconfig))
    bundle = {"bundle": a_trust_envelope()}
    try:
        async with agent_of(any_cluster, any_namespace) as granted:
            made = Scene(any_cluster, any_namespace, client, granted)
            await SecretShelf(client, any_namespace).create("perigee-trust", bundle, role="trust")
            yield made
        for home in made.homes:
            await made.leave(home)
    finally:
        await client.close()
