"""The embedded cluster as a whole: its lifetime, its files, its address.

Here: what ``async with EmbeddedCluster.serve()`` starts and stops, in which order. Not here: any behaviour.
Starting: store, controllers, HTTP server, kubeconfig. Stopping: watches end first, then the server, then the
controllers; the audit log is closed last because each of them may still write into it.
"""

from __future__ import annotations

import asyncio
import base64
import json
import secrets
import shutil
import ssl
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from aiohttp import web

from sandbox.cluster.api import Api
from sandbox.cluster.audit import AuditLog
from sandbox.cluster.behaviours import Behaviours, Latencies
from sandbox.cluster.kinds import Catalogue
from sandbox.cluster.pace import Pace, WallPace
from sandbox.cluster.server import Access, Server
from sandbox.cluster.store import Store
from sandbox.pki import new_authority

_HOST = "127.0.0.1"


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
    """A running cluster: where it serves and where its files are."""

    name: str
    server: str
    kubeconfig: Path
    audit_log: Path

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
            server = Server(api, log, Access(token, tuned.bookmark_seconds))
            runner = web.AppRunner(
                server.application(), handler_cancellation=True, shutdown_timeout=1.0, access_log=None
            )
            async with asyncio.TaskGroup() as group:
                behaviours = Behaviours(api, group, latencies or Latencies())
                address = await _listen(runner, port, home, token)
                try:
                    yield cls("embedded", address, home / "kubeconfig", home / "audit.log")
                finally:
                    server.stop_watches()
                    await runner.cleanup()
                    behaviours.stop()


async def _listen(runner: web.AppRunner, port: int, home: Path, token: str) -> str:
    """Serve over TLS, since kubectl sends no token without it; returns the address that the kubeconfig names too."""
    authority, context = await asyncio.to_thread(_certify, home)
    await runner.setup()
    await web.TCPSite(runner, _HOST, port, ssl_context=context).start()
    address = f"https://{_HOST}:{runner.addresses[0][1]}"
    await asyncio.to_thread(_write_private, home / "kubeconfig", _kubeconfig(address, authority, token))
    return address


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


def _certify(home: Path) -> tuple[bytes, ssl.SSLContext]:
    """A fresh authority's certificate, and TLS that it vouches for."""
    authority = new_authority("perigee-embedded")
    pair = authority.server(_HOST, (_HOST, "localhost"))
    files = home / "server.crt", home / "server.key"
    for file, pem in zip(files, (pair.certificate, pair.key), strict=True):
        _write_private(file, pem.decode("ascii"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*files)
    return authority.pem, context


def _write_private(path: Path, text: str) -> None:
    path.touch(mode=0o600)
    path.write_text(text, encoding="utf-8")


def _kubeconfig(server: str, authority: bytes, token: str) -> str:
    cluster = {"server": server, "certificate-authority-data": base64.b64encode(authority).decode("ascii")}
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "embedded", "cluster": cluster}],
        "users": [{"name": "admin", "user": {"token": token}}],
        "contexts": [{"name": "embedded", "context": {"cluster": "embedded", "user": "admin"}}],
        "current-context": "embedded",
    }
    return json.dumps(document, indent=2)
