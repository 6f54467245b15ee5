"""One HTTP exchange with the control plane: bounded, timed, translated; the same for enrolment and all later calls.

Here: the session, how much is read, how long it may take, and what the server's ``Date`` says about our clock. Not
here: which calls there are (``client``, ``enrol``) and what an error means (``faults``).
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime

import aiohttp
from tenacity import AsyncRetrying, retry_if_exception, stop_after_attempt, wait_exponential

from agent.model.errors import Refused
from agent.ports import Clock
from agent.settings import UplinkSettings
from agent.uplink.faults import Answer, translated
from agent.wire.limits import MAX_PROBLEM_BYTES
from agent.wire.refusals import Reason

_CHUNK_BYTES = 64 * 1024
_CONNECTIONS = 4
_ATTEMPTS = 3
_ERROR = 400


@dataclass(frozen=True, slots=True)
class Call:
    """A request. ``limit``: the most bytes of an answer; ``cut_at_limit``: take that many and leave the rest."""

    method: str
    url: str
    limit: int
    body: bytes | None = field(default=None, repr=False)
    headers: Mapping[str, str] = field(default_factory=dict)
    wait_seconds: float = 0
    """How long the server was asked to wait before it answers."""
    cut_at_limit: bool = False


class Exchange:
    """A session under one TLS context, and the clocks' difference as the last answer showed it."""

    def __init__(self, settings: UplinkSettings, *, clock: Clock, context: Callable[[], ssl.SSLContext]) -> None:
        self._settings = settings
        self._clock = clock
        self._context = context
        self._opening = asyncio.Lock()
        self._session: aiohttp.ClientSession | None = None
        self.skew_seconds: float | None = None
        """How far our clock is ahead of the server's, to about a second; None before the first answer."""

    async def ask(self, call: Call) -> Answer:
        """The answer, whatever its status. Raises Unreachable, NotAuthorised, or Refused (TooLarge)."""
        session = await self._opened()
        timeout = aiohttp.ClientTimeout(
            total=call.wait_seconds + self._settings.request_timeout_seconds,
            connect=self._settings.connect_timeout_seconds,
        )
        with translated(call.url):
            async with session.request(
                call.method,
                call.url,
                data=call.body,
                headers=call.headers,
                timeout=timeout,
                allow_redirects=False,  # a redirect would take signed requests to a place nobody configured
            ) as response:
                self._compare_clocks(response.headers.get("Date", ""))
                headers = {name.lower(): value for name, value in response.headers.items()}
                return Answer(call.url, response.status, headers, await _read(response, call))

    async def aclose(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()

    async def _opened(self) -> aiohttp.ClientSession:
        async with self._opening:
            if self._session is None:
                context = await asyncio.to_thread(self._context)  # it reads certificates and writes a key to memory
                self._session = aiohttp.ClientSession(
                    connector=aiohttp.TCPConnector(ssl=context, limit=_CONNECTIONS),
                    trust_env=False,  # a proxy is a setting, not an accident of the environment
                    auto_decompress=False,  # limits count what is read, so a small answer must not grow
                    cookie_jar=aiohttp.DummyCookieJar(),
                    headers={"Accept": "application/json", "Accept-Encoding": "identity"},
                )
            return self._session

    def _compare_clocks(self, date: str) -> None:
        with suppress(ValueError, TypeError):
            self.skew_seconds = (self._clock.now() - parsedate_to_datetime(date)).total_seconds()


async def _read(response: aiohttp.ClientResponse, call: Call) -> bytes:
    """The body, never more than the limit; of what is no success, the start is enough for its message."""
    failed = response.status >= _ERROR
    limit = MAX_PROBLEM_BYTES if failed else call.limit
    read = bytearray()
    async for chunk in response.content.iter_chunked(_CHUNK_BYTES):
        read += chunk
        if len(read) > limit:
            response.close()  # what is still to come is not wanted, so neither is the connection
            if failed or call.cut_at_limit:
                break
            raise Refused(f"is longer than {limit} bytes", path=f"the answer of {call.url}", reason=Reason.TOO_LARGE)
    return bytes(read[:limit])


async def repeated(
    once: Callable[[], Awaitable[Answer]], *, if_: Callable[[BaseException], bool], clock: Clock
) -> Answer:
    """Make a call up to three times while ``if_`` says that its failure may pass and that repeating is harmless."""

    async def attempt() -> Answer:
        return await once()

    async def pause(seconds: float) -> None:
        await clock.wait(asyncio.Event(), seconds=seconds)

    attempts = AsyncRetrying(
        retry=retry_if_exception(if_),
        stop=stop_after_attempt(_ATTEMPTS),
        wait=wait_exponential(multiplier=0.5, max=5),
        sleep=pause,
        reraise=True,
    )
    return await attempts(attempt)
