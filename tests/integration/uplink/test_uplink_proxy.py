"""The uplink through a genuine proxy, with and without a password, cut and refused."""

from __future__ import annotations

import asyncio
import traceback
from pathlib import Path

import pytest
from aiohttp import web

from agent.model.errors import AgentError, Misconfigured, NotAuthorised
from agent.uplink.client import HttpUplink
from agent.uplink.enrol import enrol
from agent.uplink.faults import ConnectionCut, ProxyFailed
from tests.integration.uplink.plane import CA, CLUSTER, ME, Enroller, serving, settings, token_file
from tests.support.clock import StillClock
from tests.support.tinyproxy import tinyproxy

LOGIN = "agent:canary-4711"


async def answering(_: web.Request) -> web.Response:
    return web.Response(status=304)


def through(base: str, proxy: str, **more: object) -> HttpUplink:
    return HttpUplink(settings(base, proxy={"url": proxy} | more), ME, clock=StillClock())


async def poll(base: str, proxy: str, **more: object) -> None:
    async with through(base, proxy, **more) as client:
        await client.poll(etag="", wait_seconds=0)


def everything_about(error: BaseException) -> str:
    """All that a log could show of an error, and of what hangs on to it."""
    chain: list[BaseException] = []
    at: BaseException | None = error
    while at is not None and at not in chain:
        chain.append(at)
        at = at.__cause__ or at.__context__
    shown = [f"{one!r} {one} {one.args!r} {vars(one)!r}" for one in chain]
    return " ".join([*shown, *traceback.format_exception(error)])


async def test_polls_go_through_the_proxy_and_share_one_tunnel(tmp_path: Path) -> None:
    async with (
        serving({"GET /v1/desired": answering}, CA.mutual()) as base,
        tinyproxy(tmp_path) as proxy,
        through(base, proxy.url) as client,
    ):
        for _ in range(3):
            await client.poll(etag="", wait_seconds=0)
    assert proxy.tunnels() == [base.removeprefix("https://")]


async def test_enrolling_goes_through_the_proxy_too(tmp_path: Path) -> None:
    """rancher/fleet#4267: there was a proxy for the controller, and none for the agent that needed it."""
    plane = Enroller()
    async with serving(plane.routes(), plane.authority.server()) as base, tinyproxy(tmp_path, login=LOGIN) as proxy:
        login = tmp_path / "login"
        login.write_text(LOGIN)
        uplink = settings(
            base,
            token_file=token_file(tmp_path),
            root_fingerprint=plane.fingerprint,
            proxy={"url": proxy.url, "credentials_file": login},
        )
        identity, _ = await enrol(uplink, CLUSTER, clock=StillClock(), version="0.1.0")
    assert identity.chain
    assert len(proxy.tunnels()) == 2


async def test_who_is_exempt_is_reached_without_it(tmp_path: Path) -> None:
    async with serving({"GET /v1/desired": answering}, CA.mutual()) as base, tinyproxy(tmp_path) as proxy:
        await poll(base, proxy.url, no_proxy=["127.0.0.0/8"])
        await poll(base, proxy.url, no_proxy=[base.removeprefix("https://")])
    assert proxy.tunnels() == []


async def test_a_rotated_password_is_used_from_the_next_request_on(tmp_path: Path) -> None:
    login = tmp_path / "login"
    login.write_text(f"{LOGIN}\n")
    async with serving({"GET /v1/desired": answering}, CA.mutual()) as base:
        async with tinyproxy(tmp_path, login=LOGIN) as proxy:
            await poll(base, proxy.url, credentials_file=login)
            client = through(base, proxy.url, credentials_file=login)
            await client.poll(etag="", wait_seconds=0)
        async with client, tinyproxy(tmp_path, login="agent:another", port=proxy.port):
            with pytest.raises(NotAuthorised, match="does not accept the user and the password"):
                await client.poll(etag="", wait_seconds=0)
            login.write_text("agent:another\n")
            await client.poll(etag="", wait_seconds=0)


@pytest.mark.parametrize(
    ("content", "kind", "words"),
    [
        (None, NotAuthorised, "wants a user and a password"),
        ("agent:canary-wrong", NotAuthorised, "does not accept the user and the password from uplink.proxy.cred"),
        ("canary-without-a-colon", Misconfigured, "does not hold user:password"),
        ("", Misconfigured, "does not hold user:password"),
    ],
    ids=["none", "wrong", "no colon", "empty"],
)
async def test_a_proxy_that_wants_other_credentials_says_which_setting_and_no_secret(
    tmp_path: Path, content: str | None, kind: type[AgentError], words: str
) -> None:
    more = {}
    if content is not None:
        more = {"credentials_file": tmp_path / "login"}
        more["credentials_file"].write_text(content)
    async with (
        serving({"GET /v1/desired": answering}, CA.mutual()) as base,
        tinyproxy(tmp_path, login=LOGIN) as proxy,
    ):
        with pytest.raises(kind, match=words) as raised:
            await poll(base, proxy.url, **more)
    assert "canary" not in everything_about(raised.value)
    assert "Basic" not in everything_about(raised.value)
    assert proxy.url in raised.value.explain() or kind is Misconfigured
    assert "uplink.proxy.credentialsFile" in raised.value.explain() or kind is Misconfigured


async def test_credentials_that_are_gone_are_a_setting_to_correct(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match=r"uplink\.proxy\.credentialsFile .* cannot be read"):
        await poll("https://plane.test", "http://127.0.0.1:9", credentials_file=tmp_path / "gone")


async def test_a_proxy_that_refuses_the_address_is_named_as_the_one_who_refuses(tmp_path: Path) -> None:
    async with (
        serving({"GET /v1/desired": answering}, CA.mutual()) as base,
        tinyproxy(tmp_path, connect_ports=(9,)) as proxy,
    ):
        with pytest.raises(ProxyFailed, match=f"the proxy {proxy.url} answered 403 .* it is the proxy") as raised:
            await poll(base, proxy.url)
    assert "uplink.proxy.noProxy" in raised.value.hint


async def test_a_proxy_that_does_not_reach_the_control_plane_says_so(tmp_path: Path) -> None:
    async with serving({}, None) as base:
        pass
    async with tinyproxy(tmp_path) as proxy:
        with pytest.raises(ProxyFailed, match=r"answered 50\d .* it does not reach it"):
            await poll(base, proxy.url)


async def test_a_proxy_that_is_not_there_is_not_taken_for_the_control_plane() -> None:
    async with serving({}, None) as base:
        proxy = base.replace("https", "http")
    with pytest.raises(ProxyFailed, match=f"leads through a proxy, and cannot connect to {proxy}") as raised:
        await poll("https://plane.test", proxy)
    assert "uplink.proxy.url" in raised.value.hint


async def test_the_name_of_a_proxy_that_cannot_be_resolved_is_told_as_the_proxys() -> None:
    with pytest.raises(ProxyFailed, match=r"the name in http://proxy\.invalid:3128 cannot be resolved"):
        await poll("https://127.0.0.1", "http://proxy.invalid:3128")


async def test_a_proxy_that_cuts_silent_tunnels_makes_the_agent_wait_less(tmp_path: Path) -> None:
    waits: list[str] = []
    over = asyncio.Event()

    async def desired(request: web.Request) -> web.Response:
        waits.append(request.query["wait"])
        await over.wait()
        return web.Response()

    async with (
        serving({"GET /v1/desired": desired}, CA.mutual()) as base,
        tinyproxy(tmp_path, idle=1) as proxy,
        through(base, proxy.url) as client,
    ):
        for _ in range(3):
            with pytest.raises(ConnectionCut):
                await client.poll(etag='"1"', wait_seconds=50)
        over.set()
    assert list(dict.fromkeys(waits)) == ["50", "25"]  # aiohttp itself repeats a GET that was cut
