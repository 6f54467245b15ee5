"""The bench's own way to the API server: plain aiohttp over kept connections, under a name of its own in the audit log.

Here: the least that a client can do. Not here: retries, caches, meaning: this is the floor that the agent is held to.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp

from agent.cluster.connection import Connection, connect
from agent.model.objects import Manifest
from bench.findings import Unmeasured

USER_AGENT = "perigee-bench"
APPLY = "application/apply-patch+yaml"
_ERROR = 400


class Api:
    """One API server, as the administrator."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    @asynccontextmanager
    async def request(
        self, method: str, path: str, *, params: Mapping[str, str] | None = None, body: Any = None, kind: str = APPLY
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """One request; raises Unmeasured if the server refuses it."""
        headers = {"User-Agent": USER_AGENT, "Accept": "application/json"} | await self._connection.headers()
        if body is not None:
            headers["Content-Type"] = kind
        async with self._connection.session.request(
            method,
            self._connection.server + path,
            params=dict(params or {}),
            headers=headers,
            data=None if body is None else json.dumps(body).encode(),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=10),
        ) as response:
            if response.status >= _ERROR:
                raise Unmeasured(f"{method} {path}: {response.status} {(await response.text())[:150]}")
            yield response

    async def send(self, method: str, path: str, *, body: Any = None) -> dict[str, Any]:
        """One request and its decoded answer; a body is sent as plain JSON."""
        async with self.request(method, path, body=body, kind="application/json") as response:
            answer: dict[str, Any] = json.loads(await response.read())
            return answer

    async def apply(self, path: str, manifest: Manifest) -> None:
        """Server-side apply."""
        params = {"fieldManager": USER_AGENT, "force": "false"}
        async with self.request("PATCH", path, params=params, body=manifest) as response:
            await response.read()

    async def make_namespace(self, name: str) -> None:
        """Create a namespace."""
        body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
        await self.send("POST", "/api/v1/namespaces", body=body)


@asynccontextmanager
async def opened(kubeconfig: Path) -> AsyncIterator[Api]:
    """The way to the API server while the block runs."""
    connection = await connect(kubeconfig)
    try:
        yield Api(connection)
    finally:
        await connection.close()
