"""How a command reaches a control plane: by its admin API over TLS, or, on the same machine, by its directory.

The first way needs nothing but the base install. What the second needs is imported when it is taken.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import quote

import aiohttp

from agent.model.errors import Misconfigured, Unreachable
from agent.wire.problems import read_problem
from agent.wire.strict import canonical, parse_object
from control_plane.faults import Fault

LARGEST_ANSWER = 64 * 1024 * 1024
_ERROR = 400
_SECONDS = 30.0
_PREFIX = "/admin/v1"


@dataclass(frozen=True, slots=True)
class Ask:
    """A call of the admin API; ``places`` fills the braces of the path."""

    method: str
    path: str
    places: dict[str, str] = field(default_factory=dict)
    query: tuple[tuple[str, str], ...] = ()
    body: Any = None
    if_revision: int | None = None


class Access(Protocol):
    """A control plane that can be asked."""

    async def ask(self, ask: Ask) -> dict[str, Any]:
        """The answer; raises Fault with the status of what went wrong, or Unreachable."""
        ...


@dataclass(frozen=True, slots=True)
class Connection:
    """Where the admin API is, and what is needed to call it."""

    url: str
    token: str = field(repr=False)
    ca_file: Path | None = None


class _OfAnswer(Fault):
    """What the control plane answered instead of what was asked for."""

    def __init__(self, status: int, code: str, message: str, *, hint: str = "") -> None:
        super().__init__(code, message, hint=hint)
        self.status = status


class HttpAccess:
    """The admin API of a running control plane."""

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self._session = session
        self._base = url.rstrip("/")

    async def ask(self, ask: Ask) -> dict[str, Any]:
        """The answer; raises Fault with the status of what went wrong, or Unreachable."""
        places = {name: quote(value, safe="") for name, value in ask.places.items()}
        url = f"{self._base}{_PREFIX}{ask.path.format(**places)}"
        headers = {} if ask.if_revision is None else {"If-Match": f'"{ask.if_revision}"'}
        body = None if ask.body is None else canonical(ask.body)
        try:
            async with self._session.request(ask.method, url, params=ask.query, data=body, headers=headers) as response:
                raw = await response.read()
                status = response.status
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise Unreachable(
                f"the control plane at {self._base} cannot be reached: {str(error) or type(error).__name__}",
                hint="check --control-plane (the admin port), --ca-file and the network",
            ) from None
        if status >= _ERROR:
            raise _problem(status, raw)
        return parse_object(raw, limit=LARGEST_ANSWER, what="answer")


@asynccontextmanager
async def by_http(connection: Connection) -> AsyncIterator[HttpAccess]:
    """Reach a running control plane."""
    context = await asyncio.to_thread(_trust, connection.ca_file)
    async with aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(ssl=context),
        timeout=aiohttp.ClientTimeout(total=_SECONDS),
        headers={"Authorization": f"Bearer {connection.token}", "Content-Type": "application/json"},
        cookie_jar=aiohttp.DummyCookieJar(),
    ) as session:
        yield HttpAccess(session, connection.url)


def _trust(ca_file: Path | None) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=ca_file)
    except OSError as error:
        raise Misconfigured(f"--ca-file {ca_file} cannot be used: {error.strerror or error}",
                            hint="name the control plane's ca.crt") from None  # fmt: skip


def _problem(status: int, raw: bytes) -> Fault:
    told = read_problem(raw)
    if told is None:
        return _OfAnswer(status, "Unknown", f"whoever answered with HTTP {status} is not a control plane",
                         hint="check --control-plane")  # fmt: skip
    return _OfAnswer(status, told.code, told.message, hint=told.hint)
