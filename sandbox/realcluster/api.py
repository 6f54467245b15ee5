"""The few calls that a test cluster makes to its own API server while it starts, and for the tokens of ServiceAccounts.

Here: plain JSON over HTTPS as the administrator. Not here: what the product uses to speak to Kubernetes.
"""

from __future__ import annotations

import ssl
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import aiohttp

from sandbox.realcluster.credentials import ADMIN, Credentials
from sandbox.realcluster.faults import NotServing

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

REQUEST_SECONDS = 10


class AdminApi:
    """The API server, as its administrator sees it."""

    def __init__(self, session: aiohttp.ClientSession, server: str) -> None:
        self._session = session
        self._server = server

    async def is_ready(self) -> bool:
        """Whether `/readyz` says so; no answer at all is a no."""
        try:
            async with self._session.get(f"{self._server}/readyz") as answer:
                return answer.status == HTTPStatus.OK
        except (aiohttp.ClientError, TimeoutError):
            return False

    async def get(self, path: str) -> dict[str, Any] | None:
        """An object, or None when there is none."""
        async with self._session.get(self._server + path) as answer:
            if answer.status == HTTPStatus.NOT_FOUND:
                return None
            return await self._accepted(answer)

    async def create(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """Create an object in a collection; one that is there already stays as it is."""
        async with self._session.post(self._server + path, json=body) as answer:
            if answer.status == HTTPStatus.CONFLICT:
                return body
            return await self._accepted(answer)

    async def _accepted(self, answer: aiohttp.ClientResponse) -> dict[str, Any]:
        if answer.status >= HTTPStatus.BAD_REQUEST:
            text = await answer.text()
            raise NotServing(f"The test cluster refused {answer.method} {answer.url.path}: {answer.status} {text}")
        document: dict[str, Any] = await answer.json()
        return document


@asynccontextmanager
async def admin_api(credentials: Credentials) -> AsyncIterator[AdminApi]:
    """A session with the API server that ends with the block."""
    trust = ssl.create_default_context(cadata=credentials.authority.decode())
    async with aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(ssl=trust),
        headers={"Authorization": f"Bearer {credentials.tokens[ADMIN]}", "User-Agent": "perigee-testcluster"},
        timeout=aiohttp.ClientTimeout(total=REQUEST_SECONDS),
    ) as session:
        yield AdminApi(session, credentials.server)
