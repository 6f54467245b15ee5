"""The port at which an API server is reached, and what can go wrong before a request is made.

Here: listening with TLS; a port that refuses, a port that takes connections and never speaks, connections that break.
Not here: requests. The address stays the same all the while: a socket that is bound and never listens keeps it.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from aiohttp import web

from sandbox.pki import new_authority

HOST = "127.0.0.1"
_BACKLOG = 128


class Door:
    """One port of one aiohttp application, open while ``serving``; ``authority`` (PEM) vouches for it."""

    def __init__(self, runner: web.AppRunner, context: ssl.SSLContext, authority: bytes) -> None:
        self.authority = authority
        self._runner = runner
        self._context = context
        self._site: web.BaseSite | None = None
        self._port = 0

    @property
    def url(self) -> str:
        """The address, without a slash at the end."""
        return f"https://{HOST}:{self._port}"

    @asynccontextmanager
    async def serving(self, port: int = 0) -> AsyncIterator[None]:
        """Listen while the context is open; 0 takes a free port."""
        with _bound(port) as keeper:
            self._port = keeper.getsockname()[1]
            await self._runner.setup()
            try:
                await self._open()
                yield
            finally:
                await self._runner.cleanup()

    @asynccontextmanager
    async def refusing(self) -> AsyncIterator[None]:
        """Refuse every connection, and break those there are, while the context is open."""
        await self._close()
        try:
            yield
        finally:
            await self._open()

    @asynccontextmanager
    async def unanswering(self) -> AsyncIterator[None]:
        """Take connections and never say a word, and break those there are, while the context is open."""
        await self._close()
        try:
            with _bound(self._port) as silent:
                silent.listen(_BACKLOG)
                yield
        finally:
            await self._open()

    def drop(self) -> int:
        """Break every connection that is open; returns how many there were."""
        server = self._runner.server
        open_ones = [] if server is None else [each.transport for each in server.connections]
        transports = [transport for transport in open_ones if transport is not None]
        for transport in transports:
            transport.abort()
        return len(transports)

    async def _open(self) -> None:
        self._site = web.TCPSite(self._runner, HOST, self._port, ssl_context=self._context, reuse_port=True)
        await self._site.start()

    async def _close(self) -> None:
        if self._site is not None:
            await self._site.stop()
        self.drop()


@asynccontextmanager
async def opened(application: web.Application, home: Path, *, name: str, port: int = 0) -> AsyncIterator[Door]:
    """An application behind a door of its own."""
    authority, context = await asyncio.to_thread(_certify, home, name)
    runner = web.AppRunner(application, handler_cancellation=True, shutdown_timeout=1.0, access_log=None)
    door = Door(runner, context, authority)
    async with door.serving(port):
        yield door


def _bound(port: int) -> socket.socket:
    kept = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    kept.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    kept.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    kept.bind((HOST, port))
    return kept


def _certify(home: Path, name: str) -> tuple[bytes, ssl.SSLContext]:
    """A fresh authority's certificate, and TLS that it vouches for."""
    authority = new_authority(name)
    pair = authority.server(HOST, (HOST, "localhost"))
    files = home / "server.crt", home / "server.key"
    for file, pem in zip(files, (pair.certificate, pair.key), strict=True):
        file.touch(mode=0o600)
        file.write_bytes(pem)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*files)
    return authority.pem, context
