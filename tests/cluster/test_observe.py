"""The cache under news that comes late, twice, out of order, cut or not at all."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web
from kubernetes_asyncio.client import Configuration

from agent.cluster.client import KubeClient
from agent.cluster.connection import Connection
from agent.cluster.kinds import KINDS
from agent.cluster.observe import Observation, Watcher
from agent.model.errors import Unreachable
from agent.model.objects import Manifest
from agent.model.observed import Seen
from agent.planning.observing import observed
from tests.support.clock import StillClock

KIND = KINDS["v1", "Service"]
MINE, OTHER = "mine", "other"
Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


def live_service(version: int, *, uid: str = "first", holder: str = MINE, name: str = "web") -> Manifest:
    labels = {"perigee.dev/instance": holder} if holder else {}
    metadata = {"name": name, "namespace": "af", "uid": uid, "resourceVersion": str(version), "labels": labels}
    return {"apiVersion": "v1", "kind": "Service", "metadata": metadata}


def a_service(version: int, *, uid: str = "first", holder: str = MINE, name: str = "web") -> Seen:
    return observed(live_service(version, uid=uid, holder=holder, name=name))


REF = a_service(1).ref


def test_the_end_of_an_older_incarnation_does_not_hide_the_newer_one() -> None:
    observation = Observation()
    observation.tell(KIND, a_service(10))
    observation.drop(a_service(10))  # our own delete
    observation.put(a_service(12, uid="second"))  # our own apply
    observation.drop(a_service(11))  # what the watch tells of the first one's end
    assert observation.seen(MINE)[REF].uid == "second"


def test_an_older_incarnation_does_not_replace_the_newer_one() -> None:
    observation = Observation()
    observation.tell(KIND, a_service(12, uid="second"))
    observation.put(a_service(10))
    assert observation.seen(MINE)[REF].uid == "second"


def test_the_answer_to_a_write_does_not_bring_back_what_the_watch_saw_go() -> None:
    observation = Observation()
    observation.tell(KIND, a_service(9))
    observation.drop(a_service(11))
    observation.told(KIND, 11)
    observation.put(a_service(10))  # our apply, answered late
    assert observation.seen(MINE) == {}


def test_an_object_that_changes_hands_is_seen_in_one_place_only() -> None:
    observation = Observation()
    observation.tell(KIND, a_service(10))
    observation.tell(KIND, a_service(11, holder=OTHER))
    assert observation.seen(MINE) == {}
    assert set(observation.seen(OTHER)) == {REF}


def test_an_object_without_our_label_is_seen_nowhere() -> None:
    observation = Observation()
    observation.put(a_service(10))
    observation.put(a_service(11, holder=""))
    assert observation.seen(MINE) == {}
    assert observation.seen("") == {}


def test_a_list_does_not_hide_what_was_made_after_it() -> None:
    observation = Observation()
    observation.put(a_service(20))
    observation.put(a_service(9, name="gone"))
    observation.replace_kind(KIND, [], version=10)
    assert set(observation.seen(MINE)) == {REF}


def test_after_a_restore_of_the_server_only_the_list_counts() -> None:
    observation = Observation()
    observation.tell(KIND, a_service(20))
    observation.tell(KIND, a_service(21, name="lost"))
    observation.replace_kind(KIND, [a_service(5)], version=10)
    assert {ref: seen.version for ref, seen in observation.seen(MINE).items()} == {REF: 5}


def test_a_list_of_one_namespace_says_nothing_of_another() -> None:
    observation = Observation()
    observation.put(a_service(9))
    observation.replace_kind(KIND, [], version=10, namespace="other")
    assert set(observation.seen(MINE)) == {REF}
    observation.replace_kind(KIND, [], version=11, namespace="af")
    assert observation.seen(MINE) == {}


def test_a_restore_is_noticed_by_each_namespace_for_itself() -> None:
    observation = Observation()
    observation.tell(KIND, a_service(20), namespace="af")
    observation.replace_kind(KIND, [], version=10, namespace="other")
    assert set(observation.seen(MINE)) == {REF}
    observation.replace_kind(KIND, [], version=10, namespace="af")
    assert observation.seen(MINE) == {}


def test_what_the_watch_of_its_namespace_saw_go_does_not_come_back() -> None:
    observation = Observation()
    observation.told(KIND, 11, namespace="af")
    observation.put(a_service(10))
    assert observation.seen(MINE) == {}
    observation.told(KIND, 30, namespace="other")
    observation.put(a_service(12))
    assert set(observation.seen(MINE)) == {REF}


async def test_news_that_says_nothing_new_wakes_nobody() -> None:
    observation = Observation()
    observation.put(a_service(10))
    touched = observation.touched()
    assert await anext(touched) == MINE
    observation.tell(KIND, a_service(10))  # the watch repeats our own write
    observation.tell(KIND, a_service(11))  # something changed by which nobody decides
    observation.put(a_service(12, holder=OTHER, name="another"))
    assert await anext(touched) == OTHER


@asynccontextmanager
async def served(answer: Answer, *, silence_seconds: float = 90) -> AsyncIterator[KubeClient]:
    """A client of a server that answers everything in one way."""
    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        configuration = Configuration()
        configuration.host = f"http://127.0.0.1:{runner.addresses[0][1]}"
        connection = Connection(configuration, ssl.create_default_context())
        client = KubeClient(connection, silence_seconds=silence_seconds)
        yield client
        await client.close()
    finally:
        await runner.cleanup()


def listing(*items: Manifest, version: int = 10) -> web.Response:
    metadata = {"resourceVersion": str(version)}
    return web.json_response({"kind": "ServiceList", "metadata": metadata, "items": items})


EVENT = json.dumps({"type": "ADDED", "object": live_service(11)}).encode() + b"\n"
CUTS = {
    "within a line": EVENT + EVENT[: len(EVENT) // 2],
    "no JSON": b"<html>502</html>\n",
    "no event": b"[]\n",
    "no object": b'{"type": "ADDED"}\n',
    "no metadata": b'{"type": "ADDED", "object": {}}\n',
    "endless line": b"x" * (5 * 2**20),
}


@pytest.mark.parametrize("cut", CUTS)
async def test_a_watch_that_is_cut_or_nonsense_is_an_error_that_passes(cut: str) -> None:
    async def answer(request: web.Request) -> web.StreamResponse:  # noqa: ARG001 - the same for every request
        return web.Response(body=CUTS[cut])

    async with served(answer) as client:
        with pytest.raises(Unreachable):
            async for _ in client.watch("/api/v1/services", {}):
                pass


@pytest.mark.parametrize("body", [b"<html>sign in</html>", b"{}", b"[]", b""], ids=["html", "empty", "list", "nothing"])
async def test_an_answer_that_is_no_object_is_an_error_that_passes(body: bytes) -> None:
    async def answer(request: web.Request) -> web.StreamResponse:  # noqa: ARG001 - the same for every request
        return web.Response(body=body)

    async with served(answer) as client:
        clock, stop = StopsAtFirstWait(), asyncio.Event()
        watcher = Watcher(KIND, client, Observation(), clock)
        await watcher.run(stop)
        assert isinstance(watcher.failure, Unreachable)


class StopsAtFirstWait(StillClock):
    async def wait(self, event: asyncio.Event, *, seconds: float) -> bool:
        event.set()
        return await super().wait(event, seconds=seconds)


class Script:
    """A server that lists, and ends every watch as told; counts both."""

    def __init__(self, ended: Callable[[], web.Response]) -> None:
        self.lists = self.watches = 0
        self.enough = asyncio.Event()
        self._ended = ended

    async def answer(self, request: web.Request) -> web.StreamResponse:
        if "watch" not in request.query:
            self.lists += 1
            return listing(live_service(5))
        self.watches += 1
        if self.watches >= 5:
            self.enough.set()
        return self._ended()


def _status(code: int) -> web.Response:
    return web.json_response({"kind": "Status", "metadata": {}, "code": code, "message": "no"}, status=code)


def _error_event() -> web.Response:
    status: dict[str, Any] = {"kind": "Status", "metadata": {}, "code": 410, "message": "too old resource version"}
    return web.Response(body=json.dumps({"type": "ERROR", "object": status}).encode() + b"\n")


@pytest.mark.parametrize(
    ("ended", "lists"),
    [(web.Response, 1), (_error_event, 5), (lambda: _status(410), 5), (lambda: _status(504), 2)],
    ids=["at once", "expired inside", "expired", "a version that cannot be served"],
)
async def test_watches_that_end_at_once_are_paced(ended: Callable[[], web.Response], lists: int) -> None:
    script, clock, observation, stop = Script(ended), StillClock(), Observation(), asyncio.Event()
    async with served(script.answer) as client:
        watcher = Watcher(KIND, client, observation, clock)
        async with asyncio.TaskGroup() as group:
            running = group.create_task(watcher.run(stop))
            await script.enough.wait()
            stop.set()
            await running
    assert script.lists == lists
    assert len(clock.waits) >= script.watches - 1
    assert set(observation.seen(MINE)) == {REF}, "what cannot be watched for a while is not gone"


async def test_a_watch_that_says_nothing_is_asked_again_and_is_no_failure() -> None:
    """apache/airflow#12644: a watch that is dead without a word must not freeze its reader.

    A kind that nobody writes to is as silent: it is neither a failure nor a reason to list everything again.
    """
    script, clock, observation, stop = Script(web.Response), StillClock(), Observation(), asyncio.Event()
    never = asyncio.Event()

    async def answer(request: web.Request) -> web.StreamResponse:
        if "watch" not in request.query or script.watches >= 5:
            return await script.answer(request)
        script.watches += 1
        stream = web.StreamResponse()
        await stream.prepare(request)
        await never.wait()
        return stream

    async with served(answer, silence_seconds=0.02) as client:
        watcher = Watcher(KIND, client, observation, clock)
        async with asyncio.TaskGroup() as group:
            running = group.create_task(watcher.run(stop))
            await script.enough.wait()
            stop.set()
            await running
        assert (script.lists, watcher.failure) == (1, None)
        assert set(observation.seen(MINE)) == {REF}
        never.set()
