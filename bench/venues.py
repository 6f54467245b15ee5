"""Where is measured: the embedded cluster as a process of its own, and a real kube-apiserver with simulated nodes.

Here: starting and stopping them, and finding programs. Not here: what happens on them.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.findings import Unmeasured
from sandbox.realcluster import Programs, RealCluster, find_programs, read_environment
from sandbox.realcluster.programs import look_for_programs

EMBEDDED = "embedded"
REAL = "real"
VENUES = (EMBEDDED, REAL)
SOAK = "soak"
"""An embedded cluster of its own, for what would leave its traces on the other one."""
_START_SECONDS = 30


@dataclass(frozen=True, slots=True)
class Venue:
    """A running cluster, the programs that users have, and a folder for what the measurements write."""

    name: str
    kubeconfig: Path
    audit_log: Path
    directory: Path
    tools: Programs
    serves_openapi: bool = True
    """Whether kubectl and helm can do their own validation; without it they are spared some requests."""

    def tool(self, name: str) -> Path:
        """A program's path; raises Unmeasured if it was found nowhere."""
        if name not in self.tools.paths:
            raise Unmeasured(f"there is no {name}: set KUBEBUILDER_ASSETS to a folder that holds it")
        return self.tools[name]


async def find_tools() -> Programs:
    """What users have, kubectl and helm, as far as it is there."""
    return await asyncio.to_thread(lambda: look_for_programs(read_environment(), ("kubectl", "helm")))


@asynccontextmanager
async def embedded(directory: Path, tools: Programs, *, name: str = EMBEDDED) -> AsyncIterator[Venue]:
    """The embedded cluster without any simulated latency, in a process of its own, so that it shares no event loop
    with who measures it.
    """
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "sandbox.cluster", "--directory", str(directory)),
        stdout=asyncio.subprocess.PIPE,
        process_group=0,  # Ctrl-C is for the bench
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(_START_SECONDS):
            said = (await process.stdout.readline()).decode().strip()
        if not said:
            raise Unmeasured("the embedded cluster did not start")
        yield Venue(name, Path(said), directory / "audit.log", directory, tools, serves_openapi=False)
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        await process.wait()


@asynccontextmanager
async def real(directory: Path, tools: Programs) -> AsyncIterator[Venue]:
    """A real control plane with kwok; raises ProgramsMissing if its programs are not there."""
    programs = await asyncio.to_thread(lambda: find_programs(read_environment()))
    async with RealCluster(programs, name="bench") as cluster:
        yield Venue(REAL, cluster.kubeconfig, cluster.audit_log, directory, tools)
