"""What aiohttp, TLS and HTTP report, translated into the two families that loops know. The only place that judges it.

    Unreachable            nobody answered
    ├── ConnectionCut      somebody did, and the connection broke before the answer was whole
    ├── ServerNotVerified  somebody did, who cannot prove to be the control plane
    │   └── TLSIntercepted     and whose certificate is signed by a stranger who can be named
    └── ProxyFailed        the proxy that the settings name cannot be reached, or does not let us through
    NotAuthorised          the control plane does not accept our certificate or token
    Throttled, Conflict, Missing, Retryable, Terminal   by HTTP status

Messages name the address and never carry what was sent. Not here: retrying, and judging content (``agent.wire``).
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from http import HTTPStatus

import aiohttp
from yarl import URL

from agent.model.errors import AgentError, Conflict, Missing, NotAuthorised, Retryable, Terminal, Throttled, Unreachable
from agent.wire.problems import Code, read_problem

_LONGEST_PAUSE_SECONDS = 3600.0
NEW_TOKEN = "create a new one with `perigee control-plane token create --cluster NAME`"  # noqa: S105  # advice


class ConnectionCut(Unreachable):
    """The connection stood and broke, or nothing came for too long: often a proxy that dislikes long polls."""


class ServerNotVerified(Unreachable):
    """Whoever answered has no certificate that proves it to be the control plane."""

    by_stranger = False
    """Whether its certificate is signed by nobody whom we trust; else it is expired, for another name or the like."""


class TLSIntercepted(ServerNotVerified):
    """The certificate is signed by a stranger, who is named: often a proxy on the way that opens TLS."""


class ProxyFailed(Unreachable):
    """The proxy that the settings name cannot be reached, or does not let us through: nothing got any further."""


class EncodingNotTaken(Terminal):
    """The control plane does not take the content encoding of the request; another one may do."""


ALERTS: Mapping[str, str] = {
    "TLSV13_ALERT_CERTIFICATE_REQUIRED": "it wants a certificate and got none",
    "SSLV3_ALERT_CERTIFICATE_EXPIRED": "it has expired",
    "SSLV3_ALERT_CERTIFICATE_REVOKED": "it was revoked",
    "SSLV3_ALERT_CERTIFICATE_UNKNOWN": "it is not acceptable there",
    "SSLV3_ALERT_BAD_CERTIFICATE": "it is not acceptable there",
    "SSLV3_ALERT_UNSUPPORTED_CERTIFICATE": "its kind is not supported there",
    "TLSV1_ALERT_UNKNOWN_CA": "it was signed by an authority that is not known there",
    "TLSV1_ALERT_ACCESS_DENIED": "access is denied",
}
"""TLS alerts by which a server turns our certificate down (RFC 8446, section 6.2), and what they say about it."""

# OpenSSL's X509_V_ERR codes where more can be said than "not signed by whom we trust" (openssl/x509_vfy.h).
_CERTIFICATE_FAULTS: Mapping[int, tuple[str, str]] = {
    9: ("its certificate is not valid yet", "compare the clocks of this machine and of the control plane"),
    10: ("its certificate has expired", "renew it there, or correct the clock of this machine"),
    62: ("its certificate is for another name", "use the name that the certificate carries"),
    64: ("its certificate is for another address", "use the name that the certificate carries"),
}
_PROXY_SETTING = "check uplink.proxy.url, and whether the proxy is up"
_PROXY_CA = "check uplink.proxy.caFile, and that the certificate of the proxy is for the name in uplink.proxy.url"
_INTERCEPTED = "check the CA that is trusted, and whether a proxy on the way intercepts TLS"
_REJECTED = "if it was revoked, delete the Secret perigee-identity and enrol again with a new token"


@contextmanager
def translated(url: str, *, proxy: str | None = None) -> Iterator[None]:
    """Let nothing of aiohttp, asyncio or ssl out of the block but errors of ours, which name ``url`` or the proxy."""
    try:
        yield
    except (aiohttp.ClientError, OSError, TimeoutError, asyncio.IncompleteReadError) as error:
        raise translation(error, url, proxy=proxy) from error


def translation(error: Exception, url: str, *, proxy: str | None = None) -> AgentError:
    """What an error on the way to ``url`` means: the proxy's fault where it is, else the first row that fits; the order
    is from the particular to the general.
    """
    if proxy is not None and _is_of(proxy, error):
        inner = translation(error, proxy)
        hint = _PROXY_CA if isinstance(inner, ServerNotVerified) else _PROXY_SETTING
        return ProxyFailed(f"the way to {url} leads through a proxy, and {inner}", hint=hint)
    if proxy is not None and isinstance(error, aiohttp.ConnectionTimeoutError):
        return ProxyFailed(f"cannot connect to {url} through the proxy {proxy} in time", hint=_PROXY_SETTING)
    alert = _alert(error)
    if alert is not None:
        return NotAuthorised(f"{url} does not accept our certificate: {ALERTS[alert]}", hint=_REJECTED)
    return next(explain(error, url) for kinds, explain in _ROWS if isinstance(error, kinds))


def _is_of(proxy: str, error: Exception) -> bool:
    """Whether no connection to the proxy itself came about."""
    place = URL(proxy)
    if not isinstance(error, aiohttp.ClientConnectorError | aiohttp.ClientConnectorCertificateError):
        return False
    return (error.host, error.port) == (place.raw_host, place.port)


def proxy_refusal(refused: aiohttp.ClientHttpProxyError, url: str, *, proxy: str, shown: bool) -> AgentError:
    """What it means that the proxy did not make the tunnel; ``shown``: it was given a user and a password.

    aiohttp's error carries the headers of the request, the password among them, so nothing of it but status and a
    header's first word gets on.
    """
    # tinyproxy says 407 to who shows nothing, and 401 to who shows something wrong.
    if refused.status in {HTTPStatus.PROXY_AUTHENTICATION_REQUIRED, HTTPStatus.UNAUTHORIZED}:
        return _proxy_wants_credentials(refused, proxy, shown=shown)
    what = f"the proxy {proxy} answered {refused.status} when asked for the way to {url}"
    if refused.status == HTTPStatus.FORBIDDEN:
        hint = "allow this address and port at the proxy, or name it in uplink.proxy.noProxy"
        return ProxyFailed(f"{what}: it is the proxy that refuses", hint=hint)
    if refused.status in _BEHIND_THE_PROXY:
        return ProxyFailed(f"{what}: it does not reach it", hint="check the address, and what the proxy can reach")
    return ProxyFailed(what, hint="is this a proxy that makes tunnels (CONNECT): check uplink.proxy.url")


_BEHIND_THE_PROXY = frozenset({500, 502, 503, 504})
_FILE = "uplink.proxy.credentialsFile"


def _proxy_wants_credentials(refused: aiohttp.ClientHttpProxyError, proxy: str, *, shown: bool) -> AgentError:
    offers = refused.headers.getall("Proxy-Authenticate", []) if refused.headers is not None else []
    schemes = {one_line(offer).partition(" ")[0].lower()[:20] for offer in offers}
    if schemes and "basic" not in schemes:
        known = ", ".join(sorted(schemes)[:5])
        hint = "let the proxy take a user and a password (Basic) from this agent, or let its address through without"
        return NotAuthorised(f"the proxy {proxy} wants to know who we are by {known}, which we cannot", hint=hint)
    if shown:
        hint = f"correct user:password in the file that {_FILE} names"
        return NotAuthorised(f"the proxy {proxy} does not accept the user and the password from {_FILE}", hint=hint)
    hint = f"write user:password into a file and name it in {_FILE}"
    return NotAuthorised(f"the proxy {proxy} wants a user and a password", hint=hint)


def _alert(error: Exception) -> str | None:
    """The alert by which our certificate was turned down, wherever aiohttp has put it."""
    for inner in (error, error.__cause__, getattr(error, "os_error", None)):
        reason = getattr(inner, "reason", None)
        if isinstance(inner, ssl.SSLError) and reason in ALERTS:
            return str(reason)
    return None


def _not_verified(error: Exception, url: str) -> AgentError:
    inner = getattr(error, "certificate_error", None)
    code = getattr(inner, "verify_code", 0)
    what, hint = _CERTIFICATE_FAULTS.get(code, ("its certificate is not signed by a CA that we trust", _INTERCEPTED))
    fault = ServerNotVerified(f"{url} is not verified: {what}", hint=hint)
    fault.by_stranger = code not in _CERTIFICATE_FAULTS
    return fault


def _no_tls(error: Exception, url: str) -> AgentError:
    reason = getattr(getattr(error, "os_error", error), "reason", None) or "handshake failed"
    words = str(reason).lower().replace("_", " ")
    return Unreachable(f"{url} does not speak TLS as we do ({words})", hint="check the port, and proxies on the way")


def _no_name(_: Exception, url: str) -> AgentError:
    return Unreachable(f"the name in {url} cannot be resolved", hint="check the name and the cluster's DNS")


def _no_connection(error: Exception, url: str) -> AgentError:
    inner = getattr(error, "os_error", error)
    why = getattr(inner, "strerror", None) or type(inner).__name__
    return Unreachable(f"cannot connect to {url}: {why}", hint="check the address, egress rules and firewalls")


def _no_time(_: Exception, url: str) -> AgentError:
    return Unreachable(f"cannot connect to {url} in time", hint="check the address, egress rules and firewalls")


def _cut(_: Exception, url: str) -> AgentError:
    return ConnectionCut(
        f"{url} broke the connection",
        hint="if it does so each time, it may not accept our certificate, or a proxy cuts long polls",
    )


def _silent(_: Exception, url: str) -> AgentError:
    return ConnectionCut(f"{url} sent nothing in time", hint="a proxy on the way may hold answers back")


def _no_http(_: Exception, url: str) -> AgentError:
    return Unreachable(f"what answers at {url} does not speak HTTP", hint="check the port, and proxies on the way")


_ROWS: tuple[tuple[type[Exception] | tuple[type[Exception], ...], Callable[[Exception, str], AgentError]], ...] = (
    (aiohttp.ClientConnectorCertificateError, _not_verified),
    (aiohttp.ClientSSLError, _no_tls),
    (aiohttp.ClientConnectorDNSError, _no_name),
    (aiohttp.ClientConnectorError, _no_connection),
    (aiohttp.ConnectionTimeoutError, _no_time),
    (TimeoutError, _silent),  # aiohttp's ServerTimeoutError is one, too
    ((aiohttp.ServerDisconnectedError, aiohttp.ClientOSError, aiohttp.ClientPayloadError), _cut),
    ((aiohttp.ClientResponseError, aiohttp.InvalidURL), _no_http),
    ((OSError, asyncio.IncompleteReadError, aiohttp.ClientConnectionError), _cut),
    (Exception, _cut),  # whatever a newer aiohttp adds, such as an upload that the server did not wait for
)


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer, read whole within its limit. ``headers`` have lower-case names."""

    url: str
    status: int
    headers: Mapping[str, str]
    body: bytes


_OTHER_PLACE = "this is not the control plane: check the address, and proxies on the way"
_STATUSES: Mapping[int, tuple[type[AgentError], str]] = {
    401: (NotAuthorised, "the control plane wants a certificate or token that it knows"),
    403: (NotAuthorised, _REJECTED),
    404: (Missing, "check the address: is this the control plane, and is it new enough"),
    407: (NotAuthorised, f"a proxy on the way wants a user and a password: see {_FILE}"),
    408: (ConnectionCut, "a proxy or the control plane found the request too slow"),
    409: (Conflict, ""),
    413: (Terminal, "send less at once"),
    415: (EncodingNotTaken, ""),
    429: (Throttled, ""),
    502: (ConnectionCut, "a proxy on the way does not reach the control plane"),
    503: (Unreachable, "the control plane is starting or overloaded"),
    504: (ConnectionCut, "a proxy on the way does not wait long enough"),
}
"""What an HTTP status means; what is not in it is Retryable from 500 up, Unreachable for a redirect, else Terminal."""
_TOKEN_CODES = {code.value for code in (Code.TOKEN_UNKNOWN, Code.TOKEN_SPENT, Code.TOKEN_EXPIRED, Code.TOKEN_REVOKED)}


def from_status(answer: Answer) -> AgentError:
    """The error that an answer of 300 or above means; the control plane's own words where it spoke any."""
    problem = read_problem(answer.body)
    kind, hint = _STATUSES.get(answer.status) or _by_class(answer.status)
    message = f"{answer.url} answered {answer.status}"
    if problem is not None:
        message = f"{message} {problem.code}: {problem.message.strip().rstrip('.')}"
        hint = NEW_TOKEN if problem.code in _TOKEN_CODES else problem.hint.strip().rstrip(".") or hint
    message, hint = one_line(message), one_line(hint)
    if issubclass(kind, Retryable):
        return kind(message, hint=hint, after_seconds=_pause(answer.headers))
    return kind(message, hint=hint)


def _by_class(status: int) -> tuple[type[AgentError], str]:
    if status < 400:  # noqa: PLR2004  # the classes of RFC 9110, section 15
        return Unreachable, _OTHER_PLACE
    return (Terminal, "") if status < 500 else (Retryable, "")  # noqa: PLR2004


def _pause(headers: Mapping[str, str]) -> float | None:
    """``Retry-After`` in seconds, given as such or as a date measured against the server's own ``Date``; bounded."""
    text = headers.get("retry-after", "").strip()
    if text.isdecimal():
        return min(float(text[:6]), _LONGEST_PAUSE_SECONDS)
    try:
        until, at = parsedate_to_datetime(text), parsedate_to_datetime(headers.get("date", ""))
        return min(max((until - at).total_seconds(), 0.0), _LONGEST_PAUSE_SECONDS)
    except (ValueError, TypeError):
        return None


def one_line(text: str) -> str:
    """Somebody else's words, fit for one line: what cannot be printed is left out."""
    return " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())


def never_sent(error: BaseException) -> bool:
    """Whether the failed request cannot have arrived, because no connection came about: repeating it is harmless."""
    connecting = (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError)
    return isinstance(error, Unreachable) and (
        isinstance(error, ProxyFailed) or isinstance(error.__cause__, connecting)
    )
