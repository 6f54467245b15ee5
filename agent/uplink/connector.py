"""Connections to the control plane: sockets that notice when the other end is gone, names that are never stale.

Here: what aiohttp leaves to its user or gets wrong for us. Not here: whether there is a proxy (``route``), and how long
an answer may take (``exchange``).
"""

from __future__ import annotations

import socket
import ssl
from typing import Final, Self

import aiohttp
from aiohttp.abc import AbstractResolver
from yarl import URL

from agent.uplink.route import Route

_CONNECTIONS: Final = 4
_SILENT_SECONDS: Final = 15
"""After so long without a byte the kernel asks whether the other end is still there."""
_ASKING_SECONDS: Final = 5
_UNANSWERED: Final = 3
_UNSENT_SECONDS: Final = 30
"""So long what we sent may stay without acknowledgement: about as long as it takes to find out an idle connection."""
_OPTIONS: Final = {
    "TCP_KEEPIDLE": _SILENT_SECONDS,
    "TCP_KEEPINTVL": _ASKING_SECONDS,
    "TCP_KEEPCNT": _UNANSWERED,
    "TCP_USER_TIMEOUT": _UNSENT_SECONDS * 1000,
}


class Connector(aiohttp.TCPConnector):
    """Up to four connections. Each new one resolves the name again: there are few, and a control plane that moved must
    not be sought where it was. IPv6 and IPv4 are tried side by side, as aiohttp does unasked.
    """

    def __init__(self, *, resolver: AbstractResolver | None = None) -> None:
        super().__init__(limit=_CONNECTIONS, use_dns_cache=False, resolver=resolver, socket_factory=_socket)
        self._routes_by_origin: dict[URL, ssl.SSLContext] = {}

    def through(self, route: Route) -> Self:
        """Remember how to speak TLS with the proxy of this route."""
        if route.proxy is not None and route.tls is not None:
            self._routes_by_origin[URL(route.proxy).origin()] = route.tls
        return self

    def _get_ssl_context(self, req: aiohttp.ClientRequest) -> ssl.SSLContext | None:
        """The context for one handshake. aiohttp has one for the proxy and for the server behind it; but the authority
        of the one must not vouch for the other, and our certificate is none of the proxy's business.

        If a newer aiohttp no longer asks here, the proxy is judged by the control plane's authority, and refused.
        """
        return self._routes_by_origin.get(req.url.origin()) or super()._get_ssl_context(req)


def _socket(address: aiohttp.AddrInfoType) -> socket.socket:
    family, kind, protocol, _, _ = address
    opened = socket.socket(family, kind, protocol)
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in _OPTIONS.items():
        if hasattr(socket, name):  # Linux has them all
            opened.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
    return opened
