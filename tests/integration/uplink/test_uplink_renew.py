"""The desk where an agent gets what follows: whoever answers there cannot make it believe or send what it must not."""

from __future__ import annotations

import asyncio

import pytest
from aiohttp import web

from agent.model.errors import Refused
from agent.uplink.faults import ServerNotVerified
from agent.uplink.renew import Desk
from agent.uplink.trust import Trusted
from agent.wire.trust import verify_own
from tests.integration.uplink.plane import CA, ME, Handler, serving, settings, uplink
from tests.support.clock import StillClock
from tests.support.pki import Authority
from tests.support.wire import ROOT, STRANGER, a_trust_envelope
from tests.unit.wire.test_trust_chain import a_bundle

MINE = Trusted.first(verify_own(a_trust_envelope(a_bundle(1, ca=[CA.pem.decode()]))))
FALSE = Authority("a false control plane")


def desk(base: str) -> Desk:
    return Desk(settings(base), StillClock(), "north", "1.2.3")


def saying(envelope: bytes) -> dict[str, Handler]:
    async def trust(request: web.Request) -> web.Response:
        assert request.query["version"] == "2"
        assert not request.can_read_body
        return web.Response(body=envelope)

    return {"GET /v1/trust": trust}


async def test_the_next_bundle_is_read_from_whoever_answers_since_it_proves_itself() -> None:
    envelope = a_trust_envelope(a_bundle(2, ca=[FALSE.pem.decode()]), keys=(ROOT,))
    async with serving(saying(envelope), FALSE.server()) as base:
        after = await desk(base).next_trust(MINE)
    assert after is not None
    assert after.bundle.version == 2


async def test_a_forged_bundle_is_refused_whoever_answers() -> None:
    envelope = a_trust_envelope(a_bundle(2, root=(STRANGER,)), keys=(STRANGER,))
    for authority in (FALSE, CA):
        async with serving(saying(envelope), authority.server()) as base:
            with pytest.raises(Refused) as refused:
                await desk(base).next_trust(MINE)
        assert refused.value.reason == "BadSignature"


async def test_nothing_newer_is_no_fault() -> None:
    async with serving({}, CA.server()) as base:
        assert await desk(base).next_trust(MINE) is None


async def test_a_renewal_is_sent_to_nobody_who_is_not_verified() -> None:
    asked: list[str] = []

    async def renew(request: web.Request) -> web.Response:
        asked.append(request.path)
        return web.Response()

    async with serving({"POST /v1/renew": renew}, FALSE.server()) as base:
        with pytest.raises(ServerNotVerified):
            await desk(base).renewed(ME, MINE)
    assert asked == []


async def test_a_call_in_flight_finishes_although_connections_are_made_anew() -> None:
    asked, answer = asyncio.Event(), asyncio.Event()

    async def slow(_request: web.Request) -> web.Response:
        asked.set()
        await answer.wait()
        return web.Response(body=b"{}", headers={"ETag": '"1"'})

    async with uplink({"GET /v1/desired": slow}) as client:
        async with asyncio.TaskGroup() as group:
            waiting = group.create_task(client.poll(etag="", wait_seconds=0))
            await asked.wait()
            client.reconnect()
            answer.set()
        first = waiting.result()
        assert first is not None
        assert (await client.poll(etag="", wait_seconds=0)) == first
