from __future__ import annotations

import asyncio
import gzip
import hashlib
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from agent.model.desired import Entry
from agent.model.errors import NotAuthorised, Refused, Retryable, Terminal, Unreachable
from agent.uplink.client import HttpUplink
from agent.uplink.faults import ConnectionCut, ServerNotVerified
from agent.wire.documents import decode_request, encode_answer
from agent.wire.limits import MAX_DOCUMENTS_PER_REQUEST, MAX_INDEX_BYTES
from agent.wire.problems import Code, problem
from tests.integration.uplink.plane import Handler, identity, serving, settings
from tests.support.clock import BEGIN, StillClock
from tests.support.pki import EXPIRED, NOT_YET, Authority

CA = Authority()
ME = identity(CA)


@asynccontextmanager
async def uplink(routes: dict[str, Handler], clock: StillClock | None = None) -> AsyncIterator[HttpUplink]:
    """An uplink to a control plane with these routes, over mutual TLS."""
    async with (
        serving(routes, CA.mutual()) as base,
        HttpUplink(settings(base), ME, clock=clock or StillClock()) as client,
    ):
        yield client


def document(text: str) -> tuple[Entry, bytes]:
    raw = text.encode()
    return Entry(text, 1, hashlib.sha256(raw).hexdigest(), len(raw)), raw


# --- polling


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


# --- the clocks


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


# --- documents


def documents_routes(held: dict[str, bytes], asked: list[Sequence[str]], most: int = 1000) -> dict[str, Handler]:
    async def one(request: web.Request) -> web.Response:
        digest = request.match_info["digest"]
        asked.append([digest])
        if digest not in held:
            return web.Response(status=404, body=problem(Code.NOT_FOUND, "no such document"))
        return web.Response(body=held[digest])

    async def many(request: web.Request) -> web.Response:
        wanted = decode_request(await request.read())
        asked.append(wanted)
        found = [digest for digest in wanted if digest in held][:most]
        return web.Response(body=encode_answer({digest: held[digest] for digest in found}))

    return {"GET /v1/documents/{digest}": one, "POST /v1/documents": many}


async def test_one_document_is_got_by_its_digest() -> None:
    entry, raw = document("one")
    asked: list[Sequence[str]] = []
    async with uplink(documents_routes({entry.digest: raw}, asked)) as client:
        assert await client.documents([entry, entry]) == {entry.digest: raw}
        assert await client.documents([]) == {}
    assert asked == [[entry.digest]]


async def test_many_documents_come_in_as_few_requests_as_allowed() -> None:
    held = dict(document(f"document {number}") for number in range(150))
    asked: list[Sequence[str]] = []
    async with uplink(documents_routes({entry.digest: raw for entry, raw in held.items()}, asked)) as client:
        found = await client.documents(list(held))
    assert found == {entry.digest: raw for entry, raw in held.items()}
    assert [len(digests) for digests in asked] == [MAX_DOCUMENTS_PER_REQUEST, 50]


async def test_a_partial_answer_is_asked_to_go_on_and_what_does_not_exist_is_absent() -> None:
    held = dict(document(f"document {number}") for number in range(7))
    missing, _ = document("missing")
    asked: list[Sequence[str]] = []
    routes = documents_routes({entry.digest: raw for entry, raw in held.items()}, asked, most=3)
    async with uplink(routes) as client:
        found = await client.documents([*held, missing])
        assert await client.documents([missing]) == {}
    assert set(found) == {entry.digest for entry in held}
    assert [len(digests) for digests in asked] == [8, 5, 2, 1, 1]


async def test_a_document_longer_than_its_entry_is_cut_and_the_others_get_through() -> None:
    (good, good_raw), (other, other_raw), (long, long_raw) = map(document, ("good", "other", "long"))
    held = {good.digest: good_raw, other.digest: other_raw, long.digest: long_raw + b"x" * 5_000_000}
    asked: list[Sequence[str]] = []
    async with uplink(documents_routes(held, asked)) as client:
        found = await client.documents([good, long, other])
        assert await client.documents([long]) == {long.digest: long_raw}
    assert found == {good.digest: good_raw, other.digest: other_raw, long.digest: long_raw}


async def test_documents_that_nobody_asked_for_are_not_taken() -> None:
    (wanted, raw), (also, also_raw), (foreign, foreign_raw) = map(document, ("wanted", "also", "foreign"))

    async def many(_: web.Request) -> web.Response:
        return web.Response(
            body=encode_answer({wanted.digest: raw, also.digest: also_raw, foreign.digest: foreign_raw})
        )

    async with uplink({"POST /v1/documents": many}) as client:
        assert set(await client.documents([wanted, also])) == {wanted.digest, also.digest}


async def test_reading_documents_is_tried_again_without_a_moment_of_real_waiting() -> None:
    entry, raw = document("one")
    clock = StillClock()
    failures = [503, 502]

    async def one(_: web.Request) -> web.Response:
        return web.Response(status=failures.pop()) if failures else web.Response(body=raw)

    async with uplink({"GET /v1/documents/{digest}": one}, clock) as client:
        assert await client.documents([entry]) == {entry.digest: raw}
    assert clock.waits == [0.5, 1.0]


async def test_after_three_failures_reading_documents_gives_up() -> None:
    entry, _ = document("one")
    asked: list[int] = []

    async def one(_: web.Request) -> web.Response:
        asked.append(1)
        return web.Response(status=503)

    async with uplink({"GET /v1/documents/{digest}": one}) as client:
        with pytest.raises(Unreachable, match="answered 503"):
            await client.documents([entry])
    assert len(asked) == 3


async def test_reading_documents_obeys_a_server_that_says_when_to_come_back() -> None:
    entry, _ = document("one")
    asked: list[int] = []

    async def one(_: web.Request) -> web.Response:
        asked.append(1)
        return web.Response(status=503, headers={"Retry-After": "30"})

    async with uplink({"GET /v1/documents/{digest}": one}) as client:
        with pytest.raises(Unreachable) as raised:
            await client.documents([entry])
    assert (len(asked), raised.value.after_seconds) == (1, 30)


# --- reports


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
    assert (stream, sequence, encoding) == ("life", "7", "gzip")
    assert received == body  # aiohttp's server has decompressed it
    assert len(gzip.compress(body)) < len(body) / 10


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


# --- who is who


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
    assert "renew it, or correct the clock" in raised.value.hint


async def test_an_uplink_that_was_never_used_closes_quietly() -> None:
    await HttpUplink(settings("https://plane.test"), ME, clock=StillClock()).aclose()
