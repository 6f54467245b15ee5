"""Where the demonstration plays: on the simulated API, on a real API server, or on a cluster of the user's."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from agent.model.errors import Misconfigured
from sandbox.cluster import EmbeddedCluster, Latencies
from sandbox.realcluster import ProgramsMissing, RealCluster, find_programs, read_environment


class Where(StrEnum):
    """The kinds of cluster to choose from."""

    EMBEDDED = "embedded"
    REAL = "real"
    KUBECONFIG = "kubeconfig"


@dataclass(frozen=True, slots=True)
class Scene:
    """A cluster to play on. ``ours``: it ends with the demonstration, so that nothing has to be tidied up."""

    title: str
    kubeconfig: Path
    ours: bool


@asynccontextmanager
async def scene(where: Where, kubeconfig: Path | None) -> AsyncIterator[Scene]:
    """The cluster of choice while the block runs; raises Misconfigured if it is not to be had."""
    if where is Where.KUBECONFIG:
        if kubeconfig is None or not await asyncio.to_thread(kubeconfig.is_file):
            raise Misconfigured(
                f"there is no kubeconfig at {kubeconfig}", hint="give --kubeconfig FILE, or set KUBECONFIG"
            )
        yield Scene(f"the cluster of {kubeconfig}", kubeconfig, ours=False)
    elif where is Where.REAL:
        async with _real() as cluster:
            yield Scene("a real kube-apiserver with a simulated node", cluster.kubeconfig, ours=True)
    else:
        # Pods that take a moment make the order of things visible.
        async with EmbeddedCluster.serve(latencies=Latencies(0.6, 0.8, 0.3)) as embedded:
            yield Scene("the embedded cluster (a simulated Kubernetes API)", embedded.kubeconfig, ours=True)


@asynccontextmanager
async def _real() -> AsyncIterator[RealCluster]:
    try:
        programs = await asyncio.to_thread(lambda: find_programs(read_environment()))
    except ProgramsMissing as missing:
        raise Misconfigured(str(missing), hint="or run the demo on the embedded cluster") from missing
    async with RealCluster(programs, name="demo") as cluster:
        yield cluster
