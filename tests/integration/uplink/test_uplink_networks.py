"""Networks between the agent and its control plane that intercept, go silent, move, or speak IPv6 only."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.abc import AbstractResolver, ResolveResult

from agent.model.errors import Misconfigured, NotAuthorised
from agent.uplink.client import HttpUplink
from agent.uplink.connector import Connector
from agent.uplink.faults import ConnectionCut, ProxyFailed, ServerNotVerified, TLSIntercepted
from tests.integration.uplink.plane import CA, ME, serving, settings
from tests.support.clock import StillClock
from tests.support.pki import EXPIRED, Authority
from tests.support.tunnels import connect_proxy, relay


async def answering(_: web.Request) -> web.Response:
    return web.Response(status=304)


ROUTES = {"GET /v1/desired": answering}
OURS = ME.ssl_context()


def client(base: str, **more: Any) -> HttpUplink:
    return HttpUplink(settings(base, **more), ME, clock=StillClock())


async def poll(base: str, **more: Any) -> None:
    async with client(base, **more) as uplink:
        await uplink.poll(etag="", wait_seconds=0)


def port_of(base: str) -> int:
    return int(base.rpartition(":")[2])


# Interception


async def test_a_proxy_that_opens_tls_is_recognised_and_named_and_gets_no_request() -> None:
    corporate = Authority("Example Corp Inspection CA")
    async with connect_proxy(opens=corporate.server()) as proxy:
        with pytest.raises(TLSIntercepted, match="signed by a CA that we trust, but by CN=Example Corp Insp") as raised:
            await poll("https://127.0.0.1:8443", proxy={"url": f"http://{proxy.host}"})
    assert raised.value.reason == "TLSIntercepted"
    assert "uplink.extraCaFile" in raised.value.hint
    # Once to connect and once to look; behind neither tunnel was there a request.
    assert [head.split()[0] for head in proxy.heads] == [b"CONNECT", b"CONNECT"]


@pytest.mark.parametrize("name", ["x" * 64, "two\nlines\x1b[31m", "Prüfstelle"], ids=["long", "control", "umlaut"])
async def test_the_strangers_name_is_fit_to_be_shown(name: str) -> None:
    async with serving(ROUTES, Authority(name).server()) as base:
        with pytest.raises(TLSIntercepted) as raised:
            await poll(base)
    assert raised.value.explain().isprintable()
    assert len(str(raised.value)) < 400


async def test_another_ca_of_the_same_name_is_not_called_interception() -> None:
    async with serving(ROUTES, Authority("test CA").server()) as base:
        with pytest.raises(ServerNotVerified, match="as the CA that we trust is named") as raised:
            await poll(base)
    assert raised.value.reason == "ServerNotVerified"


@pytest.mark.parametrize(
    "tls", [CA.server(validity=EXPIRED), CA.server("elsewhere.test")], ids=["expired", "another name"]
)
async def test_a_certificate_of_our_own_authority_is_never_called_interception(tls: ssl.SSLContext) -> None:
    async with serving(ROUTES, tls) as base:
        with pytest.raises(ServerNotVerified) as raised:
            await poll(base)
    assert raised.value.reason == "ServerNotVerified"


async def test_a_further_authority_is_believed_from_the_moment_its_file_says_so(tmp_path: Path) -> None:
    other, extra = Authority("public CA"), tmp_path / "extra.crt"
    extra.write_bytes(Authority("unrelated").pem)
    async with serving(ROUTES, other.mutual(clients=CA)) as base, client(base, extra_ca_file=extra) as uplink:
        with pytest.raises(TLSIntercepted):
            await uplink.poll(etag="", wait_seconds=0)
        extra.write_bytes(b"# a comment\n" + other.pem)
        await uplink.poll(etag="", wait_seconds=0)
        extra.write_bytes(Authority("unrelated").pem)
        with pytest.raises(TLSIntercepted):
            await uplink.poll(etag="", wait_seconds=0)


async def test_beside_a_further_authority_our_own_is_still_believed(tmp_path: Path) -> None:
    extra = tmp_path / "extra.crt"
    extra.write_bytes(Authority("public CA").pem)
    async with serving(ROUTES, CA.mutual()) as base:
        await poll(base, extra_ca_file=extra)


@pytest.mark.parametrize("content", [None, b"no certificate"], ids=["missing", "empty"])
async def test_a_file_of_further_authorities_that_cannot_be_used_is_named(
    tmp_path: Path, content: bytes | None
) -> None:
    extra = tmp_path / "extra.crt"
    if content is not None:
        extra.write_bytes(content)
    with pytest.raises(Misconfigured, match=r"uplink\.extraCaFile"):
        await poll("https://127.0.0.1:9", extra_ca_file=extra)


async def test_a_trusted_proxy_that_opens_tls_still_cannot_be_the_agent(tmp_path: Path) -> None:
    """It has no key of ours to show: the control plane turns it down, and the agent says so and nothing worse."""
    corporate, extra = Authority("corporate"), tmp_path / "extra.crt"
    extra.write_bytes(corporate.pem)

    async def nobody_known(_: web.Request) -> web.Response:
        return web.Response(status=401)

    async with serving({"GET /v1/desired": nobody_known}, corporate.server()) as base:
        with pytest.raises(NotAuthorised, match="answered 401"):
            await poll(base, extra_ca_file=extra)


# A proxy that speaks TLS itself


async def test_a_proxy_over_tls_is_verified_by_its_own_authority(tmp_path: Path) -> None:
    theirs, file = Authority("proxy's CA"), tmp_path / "proxy.crt"
    file.write_bytes(theirs.pem)
    login = tmp_path / "login"
    login.write_text("agent:canary")
    async with serving(ROUTES, CA.mutual()) as base, connect_proxy(tls=theirs.server()) as proxy:
        await poll(base, proxy={"url": f"https://{proxy.host}", "ca_file": file, "credentials_file": login})
    [head] = proxy.heads
    assert head.startswith(b"CONNECT " + base.removeprefix("https://").encode())
    assert b"Proxy-Authorization: Basic YWdlbnQ6Y2FuYXJ5\r\n" in head


def test_a_proxy_over_tls_works_on_the_loop_that_the_agent_runs_on(tmp_path: Path) -> None:
    """Which on Linux is not asyncio's own, and has its own TLS within TLS."""
    theirs, file = Authority("proxy's CA"), tmp_path / "proxy.crt"
    file.write_bytes(theirs.pem)

    async def way() -> None:
        async with serving(ROUTES, CA.mutual()) as base, connect_proxy(tls=theirs.server()) as proxy:
            await poll(base, proxy={"url": f"https://{proxy.host}", "ca_file": file})
        async with connect_proxy(tls=theirs.server(), opens=theirs.server()) as proxy:
            with pytest.raises(TLSIntercepted, match="but by CN=proxy's CA"):
                await poll("https://127.0.0.1:8443", proxy={"url": f"https://{proxy.host}", "ca_file": file})

    uvloop = pytest.importorskip("uvloop")
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(way())


async def test_the_authority_of_the_control_plane_does_not_vouch_for_the_proxy(tmp_path: Path) -> None:
    file = tmp_path / "proxy.crt"
    file.write_bytes(Authority("proxy's CA").pem)
    async with serving(ROUTES, CA.mutual()) as base, connect_proxy(tls=CA.server()) as proxy:
        with pytest.raises(ProxyFailed, match=r"leads through a proxy, and .* is not verified") as raised:
            await poll(base, proxy={"url": f"https://{proxy.host}", "ca_file": file})
    assert "uplink.proxy.caFile" in raised.value.hint
    assert proxy.heads == []


async def test_the_authority_of_the_proxy_does_not_vouch_for_the_control_plane(tmp_path: Path) -> None:
    """Where one TLS connection is inside another, asyncio before Python 3.11.8 tells a refusal as a cut."""
    theirs, file = Authority("proxy's CA"), tmp_path / "proxy.crt"
    file.write_bytes(theirs.pem)
    async with connect_proxy(tls=theirs.server(), opens=theirs.server()) as proxy:
        with pytest.raises((ServerNotVerified, ConnectionCut)):
            await poll("https://127.0.0.1:8443", proxy={"url": f"https://{proxy.host}", "ca_file": file})
    assert {head.split()[0] for head in proxy.heads} == {b"CONNECT"}


async def test_our_certificate_is_not_shown_to_a_proxy_that_asks_for_one(tmp_path: Path) -> None:
    """One that insists is not reached; one that merely asks would learn who we are."""
    theirs, file = Authority("proxy's CA"), tmp_path / "proxy.crt"
    file.write_bytes(theirs.pem)
    curious = theirs.mutual(clients=CA)
    async with serving(ROUTES, CA.mutual()) as base, connect_proxy(tls=curious) as proxy:
        with pytest.raises((ProxyFailed, ConnectionCut, NotAuthorised)):
            await poll(base, proxy={"url": f"https://{proxy.host}", "ca_file": file})
    assert proxy.heads == []


@pytest.mark.parametrize(
    ("answer", "kind", "words"),
    [
        (b"HTTP/1.1 407 No\r\nProxy-Authenticate: Negotiate\r\n\r\n", NotAuthorised, "by negotiate, which we cannot"),
        (b"HTTP/1.1 407 No\r\nProxy-Authenticate: NTLM\r\nProxy-Authenticate: Basic realm=x\r\n\r\n", NotAuthorised,
         "wants a user and a password"),
        (b"HTTP/1.1 504 No\r\n\r\n", ProxyFailed, "it does not reach it"),
        (b"HTTP/1.1 405 No\r\n\r\n", ProxyFailed, "answered 405"),
    ],
)  # fmt: skip
async def test_what_a_proxy_answers_is_explained(answer: bytes, kind: type[Exception], words: str) -> None:
    async with connect_proxy(answer=answer) as proxy:
        with pytest.raises(kind, match=words):
            await poll("https://127.0.0.1:8443", proxy={"url": f"http://{proxy.host}"})


# Silence, moves, addresses


async def test_a_connection_that_went_dead_without_a_word_is_given_up_and_the_next_one_works() -> None:
    async with (
        serving(ROUTES, CA.mutual()) as base,
        relay(port_of(base)) as line,
        client(f"https://{line.host}", request_timeout_seconds=0.3) as uplink,
    ):
        await uplink.poll(etag="", wait_seconds=0)
        line.freeze()
        with pytest.raises(ConnectionCut, match="sent nothing in time"):
            await uplink.poll(etag="", wait_seconds=0)
        await uplink.poll(etag="", wait_seconds=0)
    assert line.connections == 2


async def test_the_kernel_is_asked_to_find_out_dead_connections() -> None:
    sockets: list[socket.socket] = []

    class Watched(Connector):
        async def connect(self, *args: Any, **named: Any) -> aiohttp.connector.Connection:
            connection = await super().connect(*args, **named)
            assert connection.transport is not None
            sockets.append(connection.transport.get_extra_info("socket"))
            return connection

    async with (
        serving(ROUTES, CA.mutual()) as base,
        aiohttp.ClientSession(connector=Watched()) as session,
        session.get(f"{base}/v1/desired", ssl=OURS),
    ):
        [found] = sockets
        assert found.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
        idle, between, times = (
            found.getsockopt(socket.IPPROTO_TCP, option)
            for option in (socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL, socket.TCP_KEEPCNT)
        )
        assert idle + between * times <= 30
        assert found.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 30_000


class Moving(AbstractResolver):
    """A name server whose answer changes; an answer has one address or several."""

    def __init__(self, *answers: tuple[str, ...]) -> None:
        self.answers = list(answers)
        self.asked = 0

    async def resolve(
        self,
        host: str,
        port: int = 0,
        family: socket.AddressFamily = socket.AF_INET,  # noqa: ARG002 - aiohttp's signature
    ) -> list[ResolveResult]:
        self.asked += 1
        addresses = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=socket.AF_INET6 if ":" in address else socket.AF_INET,
                proto=0,
                flags=0,
            )
            for address in addresses
        ]

    async def close(self) -> None:
        pass


async def test_a_control_plane_that_moved_is_found_at_once_after_a_failed_connect() -> None:
    resolver = Moving(("127.0.0.2",), ("127.0.0.1",))
    async with (
        at("127.0.0.1", "plane.test") as base,
        aiohttp.ClientSession(connector=Connector(resolver=resolver)) as session,
    ):
        with pytest.raises(aiohttp.ClientConnectorError):
            await session.get(base, ssl=OURS)
        async with session.get(base, ssl=OURS) as answer:
            assert answer.status == 304
    assert resolver.asked == 2


@pytest.mark.parametrize("addresses", [("::1", "127.0.0.1"), ("127.0.0.1", "::1")], ids=["IPv6 first", "IPv4 first"])
async def test_where_one_of_two_protocols_does_not_work_the_other_does(addresses: tuple[str, ...]) -> None:
    async with (
        at("127.0.0.1", "plane.test") as base,
        aiohttp.ClientSession(connector=Connector(resolver=Moving(addresses))) as session,
        session.get(base, ssl=OURS) as answer,
    ):
        assert answer.status == 304


async def test_a_control_plane_on_ipv6_is_reached_directly_and_through_a_proxy() -> None:
    async with at("::1", "::1") as base, connect_proxy() as proxy:
        await poll(base)
        await poll(base, proxy={"url": f"http://{proxy.host}"})
        await poll(base, proxy={"url": f"http://{proxy.host}", "no_proxy": ["::1/128"]})
    assert [head.split()[1] for head in proxy.heads] == [base.removeprefix("https://").encode()]


@asynccontextmanager
async def at(address: str, name: str) -> AsyncIterator[str]:
    """A control plane at this address of the machine, by this name."""
    app = web.Application()
    app.router.add_route("GET", "/{path:.*}", answering)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, address, 0, ssl_context=CA.mutual(name)).start()
        yield f"https://{f'[{name}]' if ':' in name else name}:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


async def test_a_proxy_that_takes_the_connection_and_says_nothing_is_given_up_in_time() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        proxy = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(ProxyFailed, match=f"through the proxy {proxy} in time"):
            await poll("https://127.0.0.1:8443", proxy={"url": proxy}, connect_timeout_seconds=0.3)
