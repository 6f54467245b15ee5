"""Which way a request takes: straight to the control plane, or through the proxy that the settings name.

Here: who is exempt, the proxy's credentials, whom to believe where the proxy itself speaks TLS. Not here: sockets
(``connector``) and what a proxy's refusal means (``faults``).
"""

from __future__ import annotations

import asyncio
import base64
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

from agent.model.errors import Misconfigured
from agent.settings import ProxySettings, reached_directly
from agent.uplink.files import FreshContext, content_of
from agent.uplink.tls import verifying

_HTTPS: Final = 443
_CREDENTIALS: Final = "uplink.proxy.credentialsFile"
_CA: Final = "uplink.proxy.caFile"


@dataclass(frozen=True, slots=True)
class Route:
    """``proxy`` None: straight. ``headers`` are for the proxy alone; ``tls`` is how to speak to it, where it does."""

    proxy: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    tls: ssl.SSLContext | None = None

    @property
    def has_credentials(self) -> bool:
        """Whether the proxy is shown a user and a password."""
        return bool(self.headers)


DIRECT: Final = Route()


class Routes:
    """The way to each address, by the settings and by what their files hold now."""

    def __init__(self, settings: ProxySettings) -> None:
        self._settings = settings
        self._tls = FreshContext(_proxy_context, settings.ca_file, what=_CA)

    async def towards(self, url: str) -> Route:
        """The way to this address. Raises Misconfigured if a file that the settings name cannot be used."""
        proxy, target = self._settings.url, urlsplit(url)
        if proxy is None or reached_directly(target.hostname or "", target.port or _HTTPS, self._settings.no_proxy):
            return DIRECT
        tls = await self._tls.current() if proxy.startswith("https:") else None
        return Route(proxy, await self._headers(), tls)

    async def _headers(self) -> Mapping[str, str]:
        file = self._settings.credentials_file
        if file is None:
            return {}
        # The first line counts; a space in front of it or behind it may be part of a password.
        line, *_ = (await asyncio.to_thread(content_of, file, what=_CREDENTIALS)).splitlines() or [b""]
        if b":" not in line:
            raise Misconfigured(
                f"{_CREDENTIALS} {file} does not hold user:password", hint="write both in its first line"
            )
        return {"Proxy-Authorization": f"Basic {base64.b64encode(line).decode('ascii')}"}


def _proxy_context(authorities: bytes) -> ssl.SSLContext:
    return verifying(authorities, source=_CA) if authorities else ssl.create_default_context()
