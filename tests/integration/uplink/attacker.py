"""A control plane in the wrong hands: it has a certificate that agents believe, and says and sends what it likes.

Here: the calls of an agent over real TLS, answered by a ``HostilePlane``, and answers that no honest server gives:
without end, or drop by drop. Not here: what is said (the tests), and who listens (tests/support/hostile.py).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from aiohttp import web

from agent.loops.pace import SystemClock
from agent.model.desired import Entry
from agent.uplink.client import HttpUplink
from agent.wire.documents import decode_request, encode_answer
from agent.wire.limits import MAX_DOCUMENT_BYTES
from tests.integration.uplink.plane import CA, ME, Handler, serving, settings
from tests.support.hostile import HostilePlane

_CHUNK = b" " * 64 * 1024
_DROP_SECONDS = 0.2


class MovedClock(SystemClock):
    """The machine's clock, moved on by as much as a test says."""

    def __init__(self) -> None:
        self.ahead = timedelta()

    def now(self) -> datetime:
        return super().now() + self.ahead


@dataclass(slots=True)
class Attacker:
    """Answers an agent's calls. What is sent instead of an honest answer stands in ``instead``, by path."""

    plane: HostilePlane = field(default_factory=HostilePlane)
    instead: dict[str, Handler] = field(default_factory=dict)
    sent: int = 0
    """Bytes of answers without end that somebody took, or that lie between us and him."""
    hung_up: asyncio.Event = field(default_factory=asyncio.Event)
    """Set once somebody has had enough of an answer that does not end."""

    def routes(self) -> Mapping[str, Handler]:
        """What an agent may call."""
        return {
            "GET /v1/desired": self._or_instead(self._desired),
            "GET /v1/documents/{digest}": self._or_instead(self._document),
            "POST /v1/documents": self._or_instead(self._documents),
        }

    async def without_end(self, request: web.Request) -> web.StreamResponse:
        """An answer that never ends, as fast as it is taken."""
        return await self._go_on(request, _CHUNK, pause=0)

    async def drop_by_drop(self, request: web.Request) -> web.StreamResponse:
        """An answer that never ends and never stops for long."""
        return await self._go_on(request, b" ", pause=_DROP_SECONDS)

    async def _go_on(self, request: web.Request, piece: bytes, *, pause: float) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        never = asyncio.Event()
        try:
            # Whoever writes to a connection that is gone is not told so, hence asks.
            while request.transport is not None and not request.transport.is_closing():
                await response.write(piece)
                self.sent += len(piece)
                await SystemClock().wait(never, seconds=pause)
        except ConnectionError:
            pass
        finally:
            self.hung_up.set()
        return response

    def _or_instead(self, honest: Handler) -> Handler:
        async def answer(request: web.Request) -> web.StreamResponse:
            path = request.path if request.path in self.instead else request.path.rpartition("/")[0]
            return await self.instead.get(path, honest)(request)

        return answer

    async def _desired(self, request: web.Request) -> web.StreamResponse:
        try:
            async with asyncio.timeout(float(request.query["wait"])):
                answer = await self.plane.poll(etag=request.headers.get("If-None-Match", ""), wait_seconds=0)
        except TimeoutError:
            return web.Response(status=304)
        if answer is None:
            return web.Response(status=304)
        return web.Response(body=answer.envelope, headers={"ETag": answer.etag})

    async def _document(self, request: web.Request) -> web.StreamResponse:
        wanted = request.match_info["digest"]
        held = await self.plane.documents([Entry("", 1, wanted, MAX_DOCUMENT_BYTES)])
        return web.Response(body=held[wanted]) if held else web.Response(status=404)

    async def _documents(self, request: web.Request) -> web.StreamResponse:
        wanted = decode_request(await request.read())
        held = await self.plane.documents([Entry("", 1, digest, MAX_DOCUMENT_BYTES) for digest in wanted])
        return web.Response(body=encode_answer(held))


@asynccontextmanager
async def called(attacker: Attacker, clock: MovedClock) -> AsyncIterator[HttpUplink]:
    """An agent's uplink to the attacker, over mutual TLS."""
    async with (
        serving(attacker.routes(), CA.mutual()) as base,
        HttpUplink(settings(base, request_timeout_seconds=3), ME, clock=clock) as client,
    ):
        yield client
