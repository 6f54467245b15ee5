"""A world for each test: an agent's namespace of its own on the embedded cluster."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from hypothesis import settings

from agent.cluster.client import KubeClient
from agent.cluster.connection import connect
from sandbox.testcluster import TestCluster
from tests.integration.loops.engine import SOAK
from tests.integration.loops.lives import World
from tests.support.rights import Granted

# Here, since pytest reads the profile's name before it reads any test.
settings.register_profile("soak", SOAK)


@pytest.fixture
async def world(embedded_cluster: TestCluster, embedded_namespace: str) -> AsyncIterator[World]:
    client = KubeClient(await connect(embedded_cluster.kubeconfig))
    try:
        yield World(Granted(embedded_cluster.kubeconfig, None), embedded_namespace, client)
    finally:
        await client.close()
