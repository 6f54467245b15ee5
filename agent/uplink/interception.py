"""Who has signed what a server shows, where that is nobody whom we trust: often a proxy that opens TLS on the way.

A second connection is made that verifies nobody, reads the certificate that is shown, and ends before anything is sent
but what makes the connection: neither our certificate nor a request. What is read there is a name to tell people, and
nothing is decided by it.
"""

from __future__ import annotations

import asyncio
import ssl

import aiohttp
from cryptography import x509

from agent.uplink.connector import Connector
from agent.uplink.faults import ServerNotVerified, TLSIntercepted, one_line
from agent.uplink.route import Route
from agent.uplink.tls import unverified

_LONGEST_NAME = 200


class _Shown(Exception):
    def __init__(self, certificate: bytes) -> None:
        super().__init__()
        self.certificate = certificate


class _Glimpse(Connector):
    """Connects, reads the certificate, and goes."""

    async def connect(
        self,
        req: aiohttp.ClientRequest,
        traces: list[aiohttp.tracing.Trace],
        timeout: aiohttp.ClientTimeout,  # noqa: ASYNC109 - aiohttp's own signature
    ) -> aiohttp.connector.Connection:
        connection = await super().connect(req, traces, timeout)
        try:
            shown = connection.transport.get_extra_info("ssl_object") if connection.transport is not None else None
            raise _Shown((shown.getpeercert(binary_form=True) or b"") if shown is not None else b"")
        finally:
            connection.close()


async def explained(
    error: ServerNotVerified, url: str, *, route: Route, trusted: ssl.SSLContext, seconds: float
) -> ServerNotVerified:
    """The error with the name of who signed, as TLSIntercepted if that is none of our authorities' names."""
    certificate = await _glimpse(url, route, seconds)
    if certificate is None:
        return error
    issuer = one_line(certificate.issuer.rfc4514_string())[:_LONGEST_NAME] or "somebody without a name"
    ours = [x509.load_der_x509_certificate(one).subject for one in trusted.get_ca_certs(binary_form=True)]
    if certificate.issuer in ours:
        return ServerNotVerified(
            f"{error}: it names {issuer}, as the CA that we trust is named, and is signed with another key",
            hint="the control plane has another CA of that name: is this the one that the agent enrolled with",
        )
    return TLSIntercepted(f"{error}, but by {issuer}", hint=_INTERCEPTED)


_INTERCEPTED = (
    "if that is a proxy which opens TLS on the way, let it pass the control plane's address through unopened; "
    "uplink.extraCaFile trusts it all the same, for enrolling. Else the trusted CA is not the control plane's"
)


async def _glimpse(url: str, route: Route, seconds: float) -> x509.Certificate | None:
    """The certificate that is shown at this address; None if none is to be had."""
    timeout = aiohttp.ClientTimeout(total=seconds)
    async with aiohttp.ClientSession(connector=_Glimpse().through(route), timeout=timeout, trust_env=False) as session:
        try:
            await session.get(url, ssl=unverified(), proxy=route.proxy, proxy_headers=dict(route.headers) or None)
        except _Shown as shown:
            return _parsed(shown.certificate)
        except (aiohttp.ClientError, OSError, TimeoutError, asyncio.IncompleteReadError):
            return None
    return None


def _parsed(der: bytes) -> x509.Certificate | None:
    try:
        certificate = x509.load_der_x509_certificate(der)
        certificate.issuer.rfc4514_string()
    except ValueError:
        return None
    return certificate
