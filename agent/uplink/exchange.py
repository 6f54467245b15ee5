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
from agent.uplink.connector import Connector
from agent.uplink.faults import Answer, ServerNotVerified, proxy_refusal, translated, translation
from agent.uplink.files import FreshContext
from agent.uplink.interception import explained
from agent.uplink.route import Route, Routes
from agent.uplink.tls import believe
from agent.wire.limits import MAX_PROBLEM_BYTES
from agent.wire.refusals import Reason

_CHUNK_BYTES = 64 * 1024
_ATTEMPTS = 3
_ERROR = 400
_EXTRA_CA = "uplink.extraCaFile"


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
    """A session, the TLS and the way that its calls take, and the clocks' difference as the last answer showed it."""

    def __init__(self, settings: UplinkSettings, *, clock: Clock, context: Callable[[], ssl.SSLContext]) -> None:
        self._settings = settings
        self._clock = clock
        self._tls = FreshContext(lambda extra: _believing(context(), extra), settings.extra_ca_file, what=_EXTRA_CA)
        self._routes = Routes(settings.proxy)
        self._connector: Connector | None = None
        self._session: aiohttp.ClientSession | None = None
        self.skew_seconds: float | None = None
        """How far our clock is ahead of the server's, to about a second; None before the first answer."""

    async def ask(self, call: Call) -> Answer:
        """The answer, whatever its status. Raises Unreachable, NotAuthorised, Misconfigured, or Refused (TooLarge)."""
        tls, route = await self._tls.current(), await self._routes.towards(call.url)
        try:
            return await self._sent(call, tls, route)
        except ServerNotVerified as error:
            if not error.by_stranger:
                raise
            seconds = self._settings.connect_timeout_seconds
            raise await explained(error, call.url, route=route, trusted=tls, seconds=seconds) from error

    async def _sent(self, call: Call, tls: ssl.SSLContext, route: Route) -> Answer:
        with translated(call.url, proxy=route.proxy):
            try:
                return await self._answer(call, tls, route)
            except aiohttp.ClientHttpProxyError as error:
                why = proxy_refusal(error, call.url, proxy=route.proxy or "", shown=route.has_credentials)
            except aiohttp.ClientResponseError as error:
                why = translation(error, call.url, proxy=route.proxy)
        raise why  # outside the block: such an error of aiohttp knows what was sent, and must not hang on to ours

    async def _answer(self, call: Call, tls: ssl.SSLContext, route: Route) -> Answer:
        timeout = aiohttp.ClientTimeout(
            total=call.wait_seconds + self._settings.request_timeout_seconds,
            connect=self._settings.connect_timeout_seconds,
        )
        async with self._opened(route).request(
            call.method,
            call.url,
            data=call.body,
            headers=call.headers,
            timeout=timeout,
            ssl=tls,
            proxy=route.proxy,
            proxy_headers=dict(route.headers) or None,
            allow_redirects=False,  # a redirect would take signed requests to a place nobody configured
        ) as response:
            self._compare_clocks(response.headers.get("Date", ""))
            headers = {name.lower(): value for name, value in response.headers.items()}
            return Answer(call.url, response.status, headers, await _read(response, call))

    def reconnect(self) -> None:
        """Ask for a TLS context anew with the next call; calls in flight finish on the connections that they have."""
        self._tls.expire()

    async def aclose(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()

    def _opened(self, route: Route) -> aiohttp.ClientSession:
        """The session, ready for this way. Its connections are kept apart by TLS context and by what the proxy is told,
        so that none made under files that have changed is used again.
        """
        if self._connector is None or self._session is None:
            self._connector = Connector()
            self._session = aiohttp.ClientSession(
                connector=self._connector,
                trust_env=False,  # a proxy is a setting, not an accident of the environment
                auto_decompress=False,  # limits count what is read, so a small answer must not grow
                cookie_jar=aiohttp.DummyCookieJar(),
                headers={"Accept": "application/json", "Accept-Encoding": "identity"},
            )
        self._connector.through(route)
        return self._session

    def _compare_clocks(self, date: str) -> None:
        with suppress(ValueError, TypeError):
            self.skew_seconds = (self._clock.now() - parsedate_to_datetime(date)).total_seconds()


def _believing(context: ssl.SSLContext, extra: bytes) -> ssl.SSLContext:
    if extra:
        believe(context, extra, source=_EXTRA_CA)
    return context


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
