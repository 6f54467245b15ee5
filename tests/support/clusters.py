"""The clusters that tests run on, and what is said when one is not to be had.

`real_cluster` is a kube-apiserver with simulated nodes, `embedded_cluster` our own simulation, `any_cluster` each in
turn. The real one lives as long as the session, the embedded one, which lives in the process of the tests, as long as
a file of them; a test keeps to a namespace of its own (`any_namespace` and its like).
"""

from __future__ import annotations

import gc
import uuid
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from kubernetes_asyncio import client, config

from sandbox.realcluster import Environment, Programs, ProgramsMissing, RealCluster, find_programs, read_environment
from sandbox.testcluster import TestCluster


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say which suites did not run, and what it takes: a green run that skipped half must not look whole."""
    skipped = Counter(
        (report.nodeid.partition("::")[0], report.longrepr[2].removeprefix("Skipped: "))
        for report in terminalreporter.stats.get("skipped", [])
        if isinstance(report.longrepr, tuple)
    )
    for reason in sorted({reason for _, reason in skipped}):
        terminalreporter.section("did not run", sep="-")
        for suite, count in sorted((suite, count) for (suite, why), count in skipped.items() if why == reason):
            terminalreporter.write_line(f"{suite}: {count} test{'s' if count > 1 else ''}")
        terminalreporter.write_line(reason)


def programs_or_skip(environment: Environment) -> Programs:
    """The programs of a real cluster; without them the test is skipped, or fails where CI promises to have them."""
    try:
        return find_programs(environment)
    except ProgramsMissing as missing:
        if environment.strict:
            pytest.fail(f"{missing} (CI=true: a suite that cannot run is a failure)", pytrace=False)
        pytest.skip(str(missing))


@pytest.fixture(scope="session")
def real_programs() -> Programs:
    """The programs of a real Kubernetes."""
    return programs_or_skip(read_environment())


@pytest.fixture(scope="session")
async def real_cluster(real_programs: Programs) -> AsyncIterator[RealCluster]:
    """A real control plane with one simulated node, shared by the session."""
    async with RealCluster(real_programs, name="tests") as cluster:
        yield cluster


@pytest.fixture(scope="module")
async def embedded_cluster() -> AsyncIterator[TestCluster]:
    """The simulated Kubernetes API, shared by a file of tests: what they leave in it would slow all that come later."""
    from sandbox.cluster import EmbeddedCluster

    async with EmbeddedCluster.serve() as cluster:
        yield cluster
    gc.collect()  # now, or a pause of a second falls into a test that counts on its lease


@pytest.fixture(scope="module", params=["embedded", "real"])
def any_cluster(request: pytest.FixtureRequest) -> TestCluster:
    """Each kind of cluster in turn: what holds on one must hold on the other."""
    cluster: TestCluster = request.getfixturevalue(f"{request.param}_cluster")
    return cluster


@asynccontextmanager
async def fresh_namespace(cluster: TestCluster, *, prefix: str = "test") -> AsyncIterator[str]:
    """A namespace that nobody else uses; its deletion is asked for at the end and not waited for."""
    name = f"{prefix}-{uuid.uuid4().hex[:8]}"
    async with await config.new_client_from_config(str(cluster.kubeconfig)) as api:
        namespaces = client.CoreV1Api(api)
        await namespaces.create_namespace(client.V1Namespace(metadata=client.V1ObjectMeta(name=name)))
        try:
            yield name
        finally:
            await namespaces.delete_namespace(name)


@pytest.fixture
async def real_namespace(real_cluster: RealCluster) -> AsyncIterator[str]:
    """A namespace of this test alone."""
    async with fresh_namespace(real_cluster) as name:
        yield name


@pytest.fixture
async def embedded_namespace(embedded_cluster: TestCluster) -> AsyncIterator[str]:
    """A namespace of this test alone."""
    async with fresh_namespace(embedded_cluster) as name:
        yield name


@pytest.fixture
async def any_namespace(any_cluster: TestCluster) -> AsyncIterator[str]:
    """A namespace of this test alone, on the cluster of this turn."""
    async with fresh_namespace(any_cluster) as name:
        yield name
