from __future__ import annotations

import asyncio
import inspect
import ssl

import aiohttp
import pytest
from aiohttp.client_reqrep import ConnectionKey

from agent.model.errors import (
    AgentError,
    Conflict,
    Missing,
    NotAuthorised,
    Retryable,
    Terminal,
    Throttled,
    Unreachable,
)
from agent.uplink import faults
from agent.uplink.faults import (
    ALERTS,
    NEW_TOKEN,
    Answer,
    ConnectionCut,
    EncodingNotTaken,
    ServerNotVerified,
    from_status,
    translated,
)
from agent.wire.problems import STATUS, Code, problem

URL = "https://plane.test:8443/v1/desired"
KEY = ConnectionKey(
    host="plane.test", port=8443, is_ssl=True, ssl=True, proxy=None, proxy_auth=None, proxy_headers_hash=None
)


def verification(code: int) -> ssl.SSLCertVerificationError:
    error = ssl.SSLCertVerificationError(1, "certificate verify failed")
    error.verify_code = code
    return error


def alert(reason: str) -> ssl.SSLError:
    error = ssl.SSLError(1, f"[SSL: {reason}]")
    error.reason = reason
    return error


def raised(error: Exception) -> AgentError:
    with pytest.raises(AgentError) as caught, translated(URL):
        raise error
    assert caught.value.__cause__ is error
    return caught.value


@pytest.mark.parametrize(
    ("error", "kind", "words"),
    [
        (aiohttp.ClientConnectorCertificateError(KEY, verification(20)), ServerNotVerified, "not signed by a CA"),
        (aiohttp.ClientConnectorCertificateError(KEY, verification(9)), ServerNotVerified, "not valid yet"),
        (aiohttp.ClientConnectorCertificateError(KEY, verification(10)), ServerNotVerified, "has expired"),
        (aiohttp.ClientConnectorCertificateError(KEY, verification(62)), ServerNotVerified, "for another name"),
        (aiohttp.ClientConnectorCertificateError(KEY, verification(64)), ServerNotVerified, "for another address"),
        (aiohttp.ClientConnectorSSLError(KEY, alert("WRONG_VERSION_NUMBER")), Unreachable, "wrong version number"),
        (aiohttp.ClientConnectorDNSError(KEY, OSError(-2, "unknown")), Unreachable, "cannot be resolved"),
        (aiohttp.ClientConnectorError(KEY, OSError(111, "Connection refused")), Unreachable, "Connection refused"),
        (aiohttp.ConnectionTimeoutError(), Unreachable, "cannot connect"),
        (aiohttp.SocketTimeoutError(), ConnectionCut, "sent nothing in time"),
        (TimeoutError(), ConnectionCut, "sent nothing in time"),
        (aiohttp.ServerDisconnectedError(), ConnectionCut, "broke the connection"),
        (aiohttp.ClientOSError(104, "reset"), ConnectionCut, "broke the connection"),
        (aiohttp.ClientPayloadError(), ConnectionCut, "broke the connection"),
        (ConnectionResetError(104, "reset"), ConnectionCut, "broke the connection"),
        (asyncio.IncompleteReadError(b"", 1), ConnectionCut, "broke the connection"),
        (aiohttp.TooManyRedirects(None, ()), Unreachable, "does not speak HTTP"),  # type: ignore[arg-type]
        (aiohttp.InvalidURL("x"), Unreachable, "does not speak HTTP"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else None,
)
def test_each_row_of_the_table(error: Exception, kind: type[AgentError], words: str) -> None:
    ours = raised(error)
    assert type(ours) is kind
    assert words in str(ours)
    assert URL in str(ours)
    assert ours.hint
    assert "\n" not in ours.explain()


@pytest.mark.parametrize("reason", sorted(ALERTS))
def test_a_certificate_of_ours_that_is_turned_down_means_not_authorised(reason: str) -> None:
    as_read_error = aiohttp.ClientOSError(1, "x")
    as_read_error.__cause__ = alert(reason)
    for error in (as_read_error, aiohttp.ClientConnectorSSLError(KEY, alert(reason)), alert(reason)):
        with pytest.raises(NotAuthorised, match="does not accept our certificate") as caught, translated(URL):
            raise error
        assert ALERTS[reason] in str(caught.value)


def test_no_error_of_aiohttp_is_forgotten() -> None:
    """A new release may bring new ones: each must have a row before the last, or be listed here as seen."""
    impossible = {"NonHttpUrlClientError", "NonHttpUrlRedirectClientError", "RedirectClientError"}
    known = {"ClientError", "UploadAbortedError"} | impossible  # no redirect is followed, no address but https taken
    kinds = [kind for _, kind in inspect.getmembers(aiohttp, inspect.isclass) if issubclass(kind, aiohttp.ClientError)]
    assert len(kinds) > 20
    last = len(faults._ROWS) - 1
    rows = {
        kind.__name__: next(n for n, (row, _) in enumerate(faults._ROWS) if issubclass(kind, row)) for kind in kinds
    }
    assert {name for name, row in rows.items() if row == last} - known == set()


def test_errors_that_nobody_foresaw_are_not_swallowed() -> None:
    with pytest.raises(KeyError), translated(URL):
        raise KeyError("x")
    with pytest.raises(asyncio.CancelledError), translated(URL):
        raise asyncio.CancelledError


def answer(status: int, body: bytes = b"<html>proxy</html>") -> Answer:
    return Answer(URL, status, {}, body)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (301, Unreachable),
        (307, Unreachable),
        (400, Terminal),
        (401, NotAuthorised),
        (403, NotAuthorised),
        (404, Missing),
        (405, Terminal),
        (407, NotAuthorised),
        (408, ConnectionCut),
        (409, Conflict),
        (413, Terminal),
        (415, EncodingNotTaken),
        (429, Throttled),
        (500, Retryable),
        (501, Retryable),
        (502, ConnectionCut),
        (503, Unreachable),
        (504, ConnectionCut),
        (599, Retryable),
    ],
)
def test_what_a_status_means(status: int, kind: type[AgentError]) -> None:
    error = from_status(answer(status))
    assert type(error) is kind
    assert str(error) == f"{URL} answered {status}"
    assert "proxy</html>" not in error.explain()


@pytest.mark.parametrize("code", list(Code))
def test_the_control_planes_own_words_are_told(code: Code) -> None:
    error = from_status(answer(STATUS[code], problem(code, "what happened.", hint="what to do.")))
    assert str(error) == f"{URL} answered {STATUS[code].value} {code}: what happened"
    assert error.hint == (NEW_TOKEN if code.startswith("Token") else "what to do")


def test_words_of_a_stranger_stay_one_line() -> None:
    error = from_status(answer(403, problem(Code.FORBIDDEN, "no\n\x1b[31mFAKE\r line", hint="a\nb")))
    assert error.explain() == f"{URL} answered 403 Forbidden: no [31mFAKE line. a b."


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": "999999999"}, 3600.0),
        ({"retry-after": "Wed, 21 Oct 2026 07:28:10 GMT", "date": "Wed, 21 Oct 2026 07:28:00 GMT"}, 10.0),
        ({"retry-after": "Wed, 21 Oct 2026 07:28:10 GMT", "date": "Wed, 21 Oct 2026 07:29:00 GMT"}, 0.0),
        ({"retry-after": "Wed, 21 Oct 2026 07:28:10 GMT"}, None),
        ({"retry-after": "soon", "date": "now"}, None),
        ({}, None),
    ],
)
def test_how_long_we_were_asked_to_wait(headers: dict[str, str], seconds: float | None) -> None:
    error = from_status(Answer(URL, 429, headers, b""))
    assert isinstance(error, Throttled)
    assert error.after_seconds == seconds
