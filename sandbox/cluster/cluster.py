"""The embedded cluster as a whole: its lifetime, its files, its address.

Here: what ``async with EmbeddedCluster.serve()`` starts and stops, in which order. Not here: any behaviour.
Starting: store, controllers, HTTP server, kubeconfig. Stopping: watches end first, then the server, then the
controllers; the audit log is closed last because each of them may still write into it.
"""

from __future__ import annotations

import asyncio
import secrets
import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from sandbox import kubeconfigs
from sandbox.cluster.api import Api
from sandbox.cluster.audit import AuditLog
from sandbox.cluster.behaviours import Behaviours, Latencies
from sandbox.cluster.kinds import Catalogue
from sandbox.cluster.pace import Pace, WallPace
from sandbox.cluster.server import Access, Server
from sandbox.cluster.store import Store
from sandbox.faults import Door, FaultPlan
from sandbox.faults.door import opened


@dataclass(frozen=True, slots=True)
class Tuning:
    """What tests of clients turn.

    ``pace`` is the clock and the timed wait. A silent watch that allows bookmarks gets one every ``bookmark_seconds``;
    a watch can go back ``window`` changes of a kind before it gets 410.
    """

    pace: Pace = field(default_factory=WallPace)
    bookmark_seconds: float = 60.0
    window: int = 2000


@dataclass(frozen=True, slots=True)
class EmbeddedCluster:
    """A running cluster: where it serves, where its files are, and what it can be told to do wrong."""

    name: str
    server: str
    kubeconfig: Path
    audit_log: Path
    faults: FaultPlan
    door: Door

    @classmethod
    @asynccontextmanager
    async def serve(
        cls,
        directory: Path | None = None,
        port: int = 0,
        *,
        latencies: Latencies | None = None,
        tuning: Tuning | None = None,
    ) -> AsyncIterator[EmbeddedCluster]:
        """Run a cluster while the context is open.

        Args:
            directory: Where kubeconfig and audit log are written; a new temporary directory by default.
            port: The port on 127.0.0.1; 0 takes a free one.
            latencies: How long pods take to start and jobs to finish, in seconds.
            tuning: The clock and the limits.
        """
        tuned = tuning or Tuning()
        async with _home(directory) as home, _audited(home) as log:
            token = secrets.token_hex(16)
            api = Api(Store(window=tuned.window), Catalogue(), tuned.pace)
            faults = FaultPlan(tuned.pace)
            server = Server(api, log, Access(token, tuned.bookmark_seconds), faults)
            async with asyncio.TaskGroup() as group:
                behaviours = Behaviours(api, group, latencies or Latencies())
                try:
                    async with _reachable(server, home, port, token) as door:
                        yield cls("embedded", door.url, home / "kubeconfig", home / "audit.log", faults, door)
                finally:
                    behaviours.stop()


@asynccontextmanager
async def _reachable(server: Server, home: Path, port: int, token: str) -> AsyncIterator[Door]:
    """Serve over TLS, since kubectl sends no token without it, and say in a kubeconfig where."""
    async with opened(server.application(), home, name="perigee-embedded", port=port) as door:
        try:
            access = kubeconfigs.Access(door.url, door.authority, token)
            await asyncio.to_thread(kubeconfigs.write, home / "kubeconfig", access, name="embedded")
            yield door
        finally:
            server.stop()


@asynccontextmanager
async def _home(directory: Path | None) -> AsyncIterator[Path]:
    """The folder for the cluster's files; one of our own making goes with the cluster."""
    if directory is not None:
        await asyncio.to_thread(directory.mkdir, parents=True, exist_ok=True)
        yield directory
        return
    home = Path(await asyncio.to_thread(tempfile.mkdtemp, prefix="perigee-cluster-"))
    try:
        yield home
    finally:
        await asyncio.to_thread(shutil.rmtree, home)


@asynccontextmanager
async def _audited(home: Path) -> AsyncIterator[AuditLog]:
    log = await asyncio.to_thread(AuditLog, home / "audit.log")
    try:
        yield log
    finally:
        log.close()
