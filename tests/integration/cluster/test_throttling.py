"""The client's budget against a server over HTTP that answers 429."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from time import monotonic

import pytest
from aiohttp import web
from kubernetes_asyncio.client import Configuration

from agent.cluster.budget import LEVEL_HEADER, RequestBudget
from agent.cluster.client import KubeClient, Request
from agent.cluster.connection import Connection
from agent.loops.pace import SystemClock
from agent.model.errors import NotLeading, Throttled
from agent.ports import Fence

READ = Request("get", "GET", "/api/v1/namespaces/a/secrets/b")
WRITE = Request("apply", "PATCH", "/api/v1/namespaces/a/secrets/b", body={"a": 1})
LEASE = Request("update", "PUT", "/apis/coordination.k8s.io/v1/namespaces/a/leases/b", body={"a": 1})


class Busy:
    """A server that has no room for the first requests of a method."""

    def __init__(self, *, refuses: dict[str, int], after: str = "1", levels: dict[str, str] | None = None) -> None:
        self.refuses = refuses
        self.after = after
        self.levels = levels or {}
        self.asked: list[str] = []

    async def answer(self, request: web.Request) -> web.Response:
        self.asked.append(request.method)
        headers = {LEVEL_HEADER: self.levels[request.method]} if request.method in self.levels else {}
        if self.refuses.get(request.method, 0) > 0:
            self.refuses[request.method] -= 1
            status = {"kind": "Status", "message": "too many requests", "reason": "TooManyRequests"}
            return web.json_response(status, status=429, headers={"Retry-After": self.after, **headers})
        return web.json_response({"kind": "Secret", "metadata": {"name": "b"}}, headers=headers)


@asynccontextmanager
async def talking_to(server: Busy, *, budgeted: bool = True, fence: Fence | None = None) -> AsyncIterator[KubeClient]:
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", server.answer)
    runner = web.AppRunner(application)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    configuration = Configuration()
    configuration.host = f"http://127.0.0.1:{runner.addresses[0][1]}"
    budget = RequestBudget(SystemClock(), per_second=200, burst=400) if budgeted else None
    client = KubeClient(Connection(configuration, ssl.create_default_context()), fence=fence, budget=budget)
    try:
        yield client
    finally:
        await client.close()
        await runner.cleanup()


async def test_a_write_that_was_throttled_is_made_once_more_after_the_pause() -> None:
    server = Busy(refuses={"PATCH": 1})
    async with talking_to(server) as client:
        began = monotonic()
        await client.send(WRITE)
        took = monotonic() - began
        assert 1 <= took < 3
        assert server.asked == ["PATCH", "PATCH"]
        assert client.requests() == {"apply": 2}
        assert client.throttled() == {"apply": 1}


async def test_a_server_that_stays_busy_is_told_to_who_asked() -> None:
    server = Busy(refuses={"PATCH": 9})
    async with talking_to(server) as client:
        with pytest.raises(Throttled, match="too many requests") as raised:
            await client.send(WRITE)
        assert raised.value.after_seconds == 1
        assert server.asked == ["PATCH", "PATCH"]


async def test_a_pause_that_is_too_long_to_hold_a_slot_for_is_told_at_once_and_kept() -> None:
    server = Busy(refuses={"PATCH": 1}, after="60")
    async with talking_to(server) as client:
        for _ in range(3):
            began = monotonic()
            with pytest.raises(Throttled) as raised:
                await client.send(WRITE)
            assert raised.value.after_seconds == pytest.approx(60, abs=2)
            assert monotonic() - began < 1
        assert server.asked == ["PATCH"]


async def test_only_what_the_server_counts_to_the_full_level_waits() -> None:
    server = Busy(refuses={"PATCH": 1}, after="60", levels={"PATCH": "writers", "GET": "readers"})
    async with talking_to(server) as client:
        await client.send(READ)
        with pytest.raises(Throttled):
            await client.send(WRITE)
        began = monotonic()
        await client.send(READ)
        assert monotonic() - began < 1
    server = Busy(refuses={"PATCH": 1}, after="60", levels={"PATCH": "workload-low", "GET": "workload-low"})
    async with talking_to(server) as client:
        await client.send(READ)
        for request in (WRITE, READ):
            with pytest.raises(Throttled):
                await client.send(request)
        assert server.asked == ["GET", "PATCH"]


async def test_the_lease_is_tried_once_and_does_not_wait() -> None:
    server = Busy(refuses={"PUT": 1, "PATCH": 1}, after="60")
    async with talking_to(server) as client:
        with pytest.raises(Throttled):
            await client.send(WRITE)
        with pytest.raises(Throttled):
            await client.send(LEASE)
        began = monotonic()
        await client.send(LEASE)
        assert monotonic() - began < 1
        assert server.asked == ["PATCH", "PUT", "PUT"]


async def test_a_watch_counts_as_one_request_and_its_429_as_any_other() -> None:
    server = Busy(refuses={"GET": 1}, after="60")
    async with talking_to(server) as client:
        with pytest.raises(Throttled) as raised:
            await anext(client.watch("/api/v1/pods", {}))
        assert raised.value.after_seconds == 60
        assert (client.requests(), client.throttled()) == ({"watch": 1}, {"watch": 1})


async def test_without_a_budget_a_429_is_told_at_once() -> None:
    server = Busy(refuses={"PATCH": 1})
    async with talking_to(server, budgeted=False) as client:
        with pytest.raises(Throttled) as raised:
            await client.send(WRITE)
        assert raised.value.after_seconds == 1
        assert server.asked == ["PATCH"]


class ClosesAfter:
    """A fence that closes once the first request was sent."""

    def __init__(self, server: Busy) -> None:
        self._server = server

    def check(self) -> None:
        if self._server.asked:
            raise NotLeading("closed")


async def test_who_is_deposed_during_the_pause_does_not_write_after_it() -> None:
    server = Busy(refuses={"PATCH": 1})
    async with talking_to(server, fence=ClosesAfter(server)) as client:
        with pytest.raises(NotLeading):
            await client.send(WRITE)
        assert server.asked == ["PATCH"]
