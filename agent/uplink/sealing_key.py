"""Asking a control plane's admin API for the sealing key of a cluster: one call, for the command line.

Not here: whether the key is to be believed (``agent.wire.sealing_key``, and who compares fingerprints).
"""

from __future__ import annotations

import asyncio
import ssl
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import aiohttp

from agent.model.errors import AgentError, Misconfigured, NotAuthorised, Refused, Unreachable
from agent.wire.limits import MAX_ENROLMENT_BYTES
from agent.wire.problems import read_problem

_SECONDS: Final = 30.0
_OK: Final = 200
_UNAUTHORISED: Final = frozenset({401, 403})


@dataclass(frozen=True, slots=True)
class Desk:
    """Where the admin API is, and what is needed to call it."""

    url: str
    token: str = field(repr=False)
    ca_file: Path | None = None


async def card_of(desk: Desk, cluster: str) -> bytes:
    """The card as it came. Raises Unreachable, NotAuthorised, Misconfigured or Refused."""
    url = f"{desk.url.rstrip('/')}/admin/v1/clusters/{cluster}/sealing-key"
    try:
        async with (
            aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(ssl=await asyncio.to_thread(_trust, desk.ca_file)),
                timeout=aiohttp.ClientTimeout(total=_SECONDS),
                headers={"Authorization": f"Bearer {desk.token}"},
                cookie_jar=aiohttp.DummyCookieJar(),
            ) as session,
            session.get(url, allow_redirects=False) as response,
        ):
            raw = await response.content.read(MAX_ENROLMENT_BYTES + 1)
            status = response.status
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        raise Unreachable(
            f"the control plane at {desk.url} cannot be reached: {str(error) or type(error).__name__}",
            hint="check --control-plane (the admin port), --ca-file and the network",
        ) from None
    if status != _OK:
        raise _told(status, raw)
    return raw


def _trust(ca_file: Path | None) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=ca_file)
    except OSError as error:
        raise Misconfigured(
            f"--ca-file {ca_file} cannot be used: {error.strerror or error}", hint="name the control plane's root.crt"
        ) from None


def _told(status: int, raw: bytes) -> AgentError:
    told = read_problem(raw)
    if told is None:
        return Refused(f"whoever answered with HTTP {status} is not a control plane", hint="check --control-plane")
    if status in _UNAUTHORISED:
        return NotAuthorised(told.message, hint=told.hint)
    return Refused(told.message, reason=told.code, hint=told.hint)
