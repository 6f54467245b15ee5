from __future__ import annotations

import hashlib
from collections.abc import Sequence

import pytest
from aiohttp import web

from agent.model.desired import Entry
from agent.model.errors import Unreachable
from agent.wire.documents import decode_request, encode_answer
from agent.wire.limits import MAX_DOCUMENTS_PER_REQUEST
from agent.wire.problems import Code, problem
from tests.integration.uplink.plane import Handler, uplink
from tests.support.clock import StillClock


def document(text: str) -> tuple[Entry, bytes]:
    raw = text.encode()
    return Entry(text, 1, hashlib.sha256(raw).hexdigest(), len(raw)), raw


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


async def test_no_more_is_asked_for_than_one_answer_may_hold() -> None:
    held = dict(document(f"{number:04}" + "x" * 250_000) for number in range(30))
    asked: list[Sequence[str]] = []
    async with uplink(documents_routes({entry.digest: raw for entry, raw in held.items()}, asked)) as client:
        assert await client.documents(list(held)) == {entry.digest: raw for entry, raw in held.items()}
    assert [len(digests) for digests in asked] == [25, 5]
