from __future__ import annotations

import socket

import pytest
from aiohttp import web

from agent.model.errors import NotAuthorised, Unreachable
from agent.uplink.client import HttpUplink
from agent.uplink.faults import ServerNotVerified
from tests.integration.uplink.plane import CA, ME, identity, serving, settings
from tests.support.clock import StillClock
from tests.support.pki import EXPIRED, NOT_YET, Authority


async def answering(_: web.Request) -> web.Response:
    return web.Response(status=304)


async def poll(base: str, who: object = None, **more: object) -> None:
    me = ME if who is None else who
    async with HttpUplink(settings(base, **more), me, clock=StillClock()) as client:  # type: ignore[arg-type]
        await client.poll(etag="", wait_seconds=0)


@pytest.mark.parametrize(
    ("tls", "words"),
    [
        (Authority("another CA").server(), "not signed by a CA that we trust"),
        (CA.server("elsewhere.test"), "for another"),
        (CA.server(validity=EXPIRED), "has expired"),
        (CA.server(validity=NOT_YET), "not valid yet"),
    ],
    ids=["another CA", "another name", "expired", "not yet valid"],
)
async def test_a_server_that_cannot_prove_itself_gets_nothing(tls: object, words: str) -> None:
    seen: list[int] = []

    async def desired(_: web.Request) -> web.Response:
        seen.append(1)
        return web.Response()

    async with serving({"GET /v1/desired": desired}, tls) as base:  # type: ignore[arg-type]
        with pytest.raises(ServerNotVerified, match=words):
            await poll(base)
    assert seen == []


async def test_the_systems_authorities_count_for_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    other = Authority("system CA")
    monkeypatch.setenv("SSL_CERT_FILE", "/etc/ssl/certs/ca-certificates.crt")
    async with serving({"GET /v1/desired": answering}, other.server()) as base:
        with pytest.raises(ServerNotVerified):
            await poll(base)


async def test_a_proxy_in_the_environment_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    async with serving({"GET /v1/desired": answering}, CA.mutual()) as base:
        await poll(base)


async def test_a_port_that_does_not_speak_tls_is_unreachable() -> None:
    async with serving({"GET /v1/desired": answering}, None) as base:
        with pytest.raises(Unreachable, match="does not speak TLS"):
            await poll(base)


async def test_nobody_at_the_address_is_unreachable_and_the_address_is_named() -> None:
    async with serving({}, None) as base:
        pass
    with pytest.raises(Unreachable, match=f"cannot connect to {base}/v1/desired"):
        await poll(base)


async def test_a_certificate_that_the_server_does_not_know_gets_no_answer() -> None:
    stranger = identity(Authority("stranger"), trusts=CA)
    async with serving({"GET /v1/desired": answering}, CA.mutual()) as base:
        with pytest.raises((Unreachable, NotAuthorised)):
            await poll(base, stranger)


async def test_when_our_certificate_is_over_a_cut_connection_is_explained_by_it() -> None:
    over = identity(CA, validity=EXPIRED)
    async with serving({"GET /v1/desired": answering}, CA.mutual()) as base:
        with pytest.raises(NotAuthorised, match="our certificate ended at 2021-01-01") as raised:
            await poll(base, over)
    assert "the agent renews it" in raised.value.hint


async def test_an_uplink_that_was_never_used_closes_quietly() -> None:
    await HttpUplink(settings("https://plane.test"), ME, clock=StillClock()).aclose()


async def test_a_port_that_takes_connections_and_says_nothing_is_given_up() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        base = f"https://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(Unreachable, match="in time"):
            await poll(base, connect_timeout_seconds=0.2)
