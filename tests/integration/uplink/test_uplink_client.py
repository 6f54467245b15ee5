from __future__ import annotations

import asyncio
import json

import pytest
from aiohttp import web

from agent.model.errors import NotAuthorised, Refused, Retryable, Terminal, Unreachable
from agent.uplink.client import HttpUplink
from agent.uplink.faults import ConnectionCut
from agent.wire.encodings import unpack
from agent.wire.limits import MAX_INDEX_BYTES
from agent.wire.problems import Code, problem
from tests.integration.uplink.plane import CA, ME, serving, settings, uplink
from tests.support.clock import BEGIN, StillClock


async def test_a_new_index_comes_with_its_tag_and_the_tag_is_sent_next_time() -> None:
    asked: list[tuple[str, str | None]] = []

    async def desired(request: web.Request) -> web.Response:
        asked.append((request.query["wait"], request.headers.get("If-None-Match")))
        if request.headers.get("If-None-Match") == '"7"':
            return web.Response(status=304)
        return web.Response(body=b"signed", headers={"ETag": '"7"'})

    async with uplink({"GET /v1/desired": desired}) as client:
        answer = await client.poll(etag="", wait_seconds=50)
        assert answer is not None
        assert (answer.envelope, answer.etag) == (b"signed", '"7"')
        assert await client.poll(etag=answer.etag, wait_seconds=50) is None
    assert asked == [("50", None), ("50", '"7"')]


async def test_cut_polls_shorten_the_wait_and_answers_bring_it_back() -> None:
    waits: list[str] = []
    cutting = True

    async def desired(request: web.Request) -> web.Response:
        waits.append(request.query["wait"])
        if cutting:
            assert request.transport is not None
            request.transport.abort()
        return web.Response(status=304)

    async with uplink({"GET /v1/desired": desired}) as client:
        for _ in range(3):
            with pytest.raises(ConnectionCut):
                await client.poll(etag='"1"', wait_seconds=50)
        cutting = False
        for _ in range(11):
            await client.poll(etag='"1"', wait_seconds=50)
    distinct = list(dict.fromkeys(waits))
    assert distinct == ["50", "25"]
    assert waits[-1] == "50"


async def test_a_proxy_that_gives_up_waiting_counts_as_a_cut() -> None:
    waits: list[str] = []

    async def desired(request: web.Request) -> web.Response:
        waits.append(request.query["wait"])
        return web.Response(status=504, text="<html>gateway timeout</html>")

    async with uplink({"GET /v1/desired": desired}) as client:
        for _ in range(5):
            with pytest.raises(ConnectionCut):
                await client.poll(etag='"1"', wait_seconds=50)
    assert waits == ["50", "50", "25", "25", "10"]


async def test_an_endless_index_is_refused_when_the_limit_is_reached() -> None:
    gone = asyncio.Event()

    async def desired(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        try:
            while True:
                await response.write(b"x" * 65536)
        finally:
            gone.set()

    async with uplink({"GET /v1/desired": desired}) as client:
        with pytest.raises(Refused, match=f"longer than {MAX_INDEX_BYTES} bytes") as raised:
            await client.poll(etag="", wait_seconds=0)
        assert raised.value.reason == "TooLarge"
        await asyncio.wait_for(gone.wait(), 5)


async def test_an_answer_that_trickles_for_ever_ends_with_the_time_limit() -> None:
    over = asyncio.Event()

    async def desired(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b"x")
        await over.wait()
        return response

    async with serving({"GET /v1/desired": desired}, CA.mutual()) as base:
        async with HttpUplink(settings(base, request_timeout_seconds=0.2), ME, clock=StillClock()) as client:
            with pytest.raises(ConnectionCut, match="sent nothing in time"):
                await client.poll(etag="", wait_seconds=0)
        over.set()


async def test_a_redirect_is_not_followed() -> None:
    followed: list[str] = []

    async def desired(_: web.Request) -> web.Response:
        return web.Response(status=307, headers={"Location": "/elsewhere"})

    async def elsewhere(_: web.Request) -> web.Response:
        followed.append("")
        return web.Response()

    async with uplink({"GET /v1/desired": desired, "GET /elsewhere": elsewhere}) as client:
        with pytest.raises(Unreachable, match="answered 307") as raised:
            await client.poll(etag="", wait_seconds=0)
    assert "not the control plane" in raised.value.hint
    assert followed == []


async def test_how_long_to_stay_away_is_handed_on() -> None:
    async def desired(_: web.Request) -> web.Response:
        return web.Response(status=429, headers={"Retry-After": "42"}, body=problem(Code.THROTTLED, "too many"))

    async with uplink({"GET /v1/desired": desired}) as client:
        with pytest.raises(Retryable, match="429 Throttled: too many") as raised:
            await client.poll(etag="", wait_seconds=0)
    assert raised.value.after_seconds == 42


async def test_the_clocks_are_compared_by_each_answer_failed_ones_too() -> None:
    async def desired(_: web.Request) -> web.Response:
        return web.Response(status=500, headers={"Date": "Thu, 01 Jan 2026 12:00:00 GMT"})

    clock = StillClock(BEGIN.replace(hour=13))
    async with uplink({"GET /v1/desired": desired}, clock) as client:
        assert client.skew_seconds is None
        with pytest.raises(Retryable):
            await client.poll(etag="", wait_seconds=0)
        assert client.skew_seconds == 3600


async def test_a_refusal_under_skewed_clocks_says_to_correct_the_clock_first() -> None:
    async def desired(_: web.Request) -> web.Response:
        return web.Response(status=401, headers={"Date": "Thu, 01 Jan 2026 13:00:00 GMT"})

    async with uplink({"GET /v1/desired": desired}) as client:
        with pytest.raises(NotAuthorised) as raised:
            await client.poll(etag="", wait_seconds=0)
    assert raised.value.hint == "our clock is 3600 s behind the control plane's: correct that first"


async def test_a_report_arrives_compressed_and_numbered() -> None:
    taken: list[tuple[str, str, str, bytes]] = []

    async def reports(request: web.Request) -> web.Response:
        assert request.headers["Content-Type"] == "application/json"
        encoding = request.headers["Content-Encoding"]
        taken.append(
            (request.headers["Perigee-Stream"], request.headers["Perigee-Sequence"], encoding, await request.read())
        )
        return web.json_response({"duplicate": False})

    body = json.dumps({"much": ["of the same"] * 1000}).encode()
    async with uplink({"POST /v1/reports": reports}) as client:
        await client.report(stream="life", sequence=7, body=body)
    [(stream, sequence, encoding, received)] = taken
    assert (stream, sequence, encoding) == ("life", "7", "zstd")
    assert unpack(received, "zstd", limit=len(body), what="report") == body
    assert len(received) < len(body) / 10


async def test_a_control_plane_without_zstd_gets_gzip_from_then_on() -> None:
    came: list[str] = []

    async def reports(request: web.Request) -> web.Response:
        came.append(request.headers["Content-Encoding"])
        if came[-1] == "zstd":
            return web.Response(status=415, body=problem(Code.UNSUPPORTED_ENCODING, "as gzip only"))
        assert unpack(await request.read(), "gzip", limit=100, what="report") == b"{}"
        return web.json_response({"duplicate": False})

    async with uplink({"POST /v1/reports": reports}) as client:
        await client.report(stream="life", sequence=1, body=b"{}")
        await client.report(stream="life", sequence=2, body=b"{}")
    assert came == ["zstd", "gzip", "gzip"]


async def test_who_takes_no_encoding_at_all_is_asked_twice_and_no_more() -> None:
    came: list[str] = []

    async def reports(request: web.Request) -> web.Response:
        came.append(request.headers["Content-Encoding"])
        return web.Response(status=415)

    async with uplink({"POST /v1/reports": reports}) as client:
        with pytest.raises(Terminal, match="415"):
            await client.report(stream="life", sequence=1, body=b"{}")
    assert came == ["zstd", "gzip"]


async def test_a_report_is_not_repeated_here() -> None:
    taken: list[int] = []

    async def reports(_: web.Request) -> web.Response:
        taken.append(1)
        return web.Response(status=503)

    async with uplink({"POST /v1/reports": reports}) as client:
        with pytest.raises(Retryable):
            await client.report(stream="life", sequence=1, body=b"{}")
    assert len(taken) == 1


async def test_a_report_that_will_never_be_taken_is_terminal() -> None:
    async def reports(_: web.Request) -> web.Response:
        return web.Response(status=413, body=problem(Code.TOO_LARGE, "too large"))

    async with uplink({"POST /v1/reports": reports}) as client:
        with pytest.raises(Terminal, match="413 TooLarge"):
            await client.report(stream="life", sequence=1, body=b"{}")
