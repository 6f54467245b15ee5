"""The fixtures of the contracts: a raw client of each cluster in turn, and the objects of a fresh namespace."""

from collections.abc import AsyncIterator

import pytest

from sandbox.testcluster import TestCluster
from tests.support.kube import Kube, connected
from tests.support.objects import Objects
from tests.support.widgets import Widgets, defined


@pytest.fixture
async def kube(any_cluster: TestCluster) -> AsyncIterator[Kube]:
    """A raw client of the cluster of this turn."""
    async with connected(any_cluster.kubeconfig) as client:
        yield client


@pytest.fixture
def objects(kube: Kube, any_namespace: str) -> Objects:
    """The objects of a namespace of this test alone."""
    return Objects(kube, any_namespace)


@pytest.fixture
async def widgets(kube: Kube, any_namespace: str) -> AsyncIterator[Widgets]:
    """A kind of its own for this test, served."""
    async with defined(kube, any_namespace) as found:
        yield found
