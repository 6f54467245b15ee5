"""A thin client of the Kubernetes API for tests: raw requests, raw answers, watches as events.

Here: what a test needs to say HTTP to any cluster that has a kubeconfig. Not here: retries, models, caches.
"""

from __future__ import annotations

import asyncio
import base64
import json
import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import yaml

Json = dict[str, Any]
DEADLINE_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class Response:
    """An answer: ``body`` is the decoded JSON, or the text where it is none."""

    status: int
    body: Any
    headers: Mapping[str, str]


class Kube:
    """Requests to one cluster as its administrator."""

    def __init__(self, session: aiohttp.ClientSession, server: str, authority: ssl.SSLContext) -> None:
        self._session = session
        self._server = server
        self._authority = authority

    async def request(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        content_type: str = "application/json",
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Response:
        """Send one request; a body that is no text is sent as JSON."""
        sent = body if isinstance(body, str | bytes | None) else json.dumps(body)
        typed = {"Content-Type": content_type} if body is not None else {}
        async with self._session.request(
            method, self._server + path, data=sent, params=params, headers=typed | dict(headers or {}),
            ssl=self._authority,
        ) as answer:  # fmt: skip
            content = await answer.read()
            decoded = json.loads(content) if answer.content_type == "application/json" else content.decode()
            return Response(answer.status, decoded, dict(answer.headers))

    async def watch(
        self, path: str, params: Mapping[str, str] | None = None, *, headers: Mapping[str, str] | None = None
    ) -> AsyncGenerator[Json, None]:
        """Yield the events of a watch until the server ends it."""
        asked = {"watch": "true"} | dict(params or {})
        timeout = aiohttp.ClientTimeout(total=None)
        async with self._session.get(
            self._server + path, params=asked, headers=headers, ssl=self._authority, timeout=timeout,
            read_bufsize=2**22,
        ) as answer:  # fmt: skip
            assert answer.status == 200, await answer.text()
            async for line in answer.content:
                yield json.loads(line)

    async def until(self, path: str, holds: Callable[[Json], bool], *, seconds: float = DEADLINE_SECONDS) -> Json:
        """Return an object as soon as it is as wanted; the object may not exist yet.

        Raises:
            TimeoutError: it was not so within ``seconds``.
        """
        collection, _, name = path.rpartition("/")
        params = {"fieldSelector": f"metadata.name={name}", "timeoutSeconds": "60"}
        async with asyncio.timeout(seconds), aclosing(self.watch(collection, params)) as events:
            async for event in events:
                if event["type"] in {"ADDED", "MODIFIED"} and holds(event["object"]):
                    found: Json = event["object"]
                    return found
        raise TimeoutError(f"the watch of {path} ended")

    async def until_gone(self, path: str, *, seconds: float = DEADLINE_SECONDS) -> None:
        """Return as soon as an object does not exist.

        Raises:
            TimeoutError: it was still there after ``seconds``.
        """
        collection, _, name = path.rpartition("/")
        listed = await self.request("GET", collection, params={"fieldSelector": f"metadata.name={name}"})
        if not listed.body["items"]:
            return
        params = {
            "fieldSelector": f"metadata.name={name}",
            "timeoutSeconds": "60",
            "resourceVersion": listed.body["metadata"]["resourceVersion"],
        }
        async with asyncio.timeout(seconds), aclosing(self.watch(collection, params)) as events:
            async for event in events:
                if event["type"] == "DELETED":
                    return
        raise TimeoutError(f"the watch of {path} ended")


@asynccontextmanager
async def connected(kubeconfig: Path) -> AsyncIterator[Kube]:
    """Yield a client for the cluster that a kubeconfig names."""
    document = yaml.safe_load(await asyncio.to_thread(kubeconfig.read_text, encoding="utf-8"))
    cluster, user = document["clusters"][0]["cluster"], document["users"][0]["user"]
    authority = await asyncio.to_thread(_context, cluster, user)
    headers = {"Authorization": f"Bearer {user['token']}"} if "token" in user else {}
    headers["User-Agent"] = "contracts/1.0"
    async with aiohttp.ClientSession(headers=headers) as session:
        yield Kube(session, cluster["server"], authority)


def _context(cluster: Json, user: Json) -> ssl.SSLContext:
    """Trust the authority that the kubeconfig names or holds; for plain HTTP it names none, and nobody asks."""
    held = base64.b64decode(cluster.get("certificate-authority-data", "")).decode()
    context = ssl.create_default_context(cafile=cluster.get("certificate-authority"), cadata=held or None)
    if "client-certificate" in user:
        context.load_cert_chain(user["client-certificate"], user["client-key"])
    return context
