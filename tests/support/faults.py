"""Clusters that can have faults, and ears for what a client hears of them.

`embedded_cluster` has its knobs itself; `embedded_proxy` and `real_proxy` are the shared clusters behind a
fault proxy of this test alone; `any_faulty_cluster` is each of the three in turn. Faults are switched on inside a
`with`, so none outlives its test. Here also: a listener to one watch that tells how it ended.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import aclosing, asynccontextmanager
from enum import StrEnum

import aiohttp
import pytest

from sandbox.faults import FaultyCluster
from sandbox.faults.proxy import FaultProxy
from sandbox.testcluster import TestCluster
from tests.support.clusters import fresh_namespace
from tests.support.kube import DEADLINE_SECONDS, Json, Kube


@pytest.fixture
async def embedded_proxy(embedded_cluster: TestCluster) -> AsyncIterator[FaultProxy]:
    """A fault proxy before the embedded cluster of this file."""
    async with FaultProxy.serve(embedded_cluster) as proxy:
        yield proxy


@pytest.fixture
async def real_proxy(real_cluster: TestCluster) -> AsyncIterator[FaultProxy]:
    """A fault proxy before the real cluster of the session."""
    async with FaultProxy.serve(real_cluster) as proxy:
        yield proxy


@pytest.fixture(scope="module", params=["embedded_cluster", "embedded_proxy", "real_proxy"])
def way_to_fail(request: pytest.FixtureRequest) -> str:
    """Each way to have faults in turn; its cluster is started first, outside the guards of the test."""
    request.getfixturevalue(f"{request.param.partition('_')[0]}_cluster")
    return str(request.param)


@pytest.fixture
def any_faulty_cluster(request: pytest.FixtureRequest, way_to_fail: str) -> FaultyCluster:
    """A cluster that can have faults: what it shows in one way it must show in the others."""
    cluster: FaultyCluster = request.getfixturevalue(way_to_fail)
    return cluster


@pytest.fixture
async def any_faulty_namespace(any_faulty_cluster: FaultyCluster) -> AsyncIterator[str]:
    """A namespace of this test alone, on the cluster of this turn, which has no fault before and none after."""
    assert any_faulty_cluster.faults.running == ()
    async with fresh_namespace(any_faulty_cluster) as name:
        yield name
        assert any_faulty_cluster.faults.running == ()


class Ended(StrEnum):
    """How a stream ended, as its reader sees it."""

    CLEAN = "clean"
    WITHIN_LINE = "within a line"
    BROKEN = "broken"


class Heard:
    """What came of one watch so far."""

    def __init__(self) -> None:
        self.events: list[Json] = []
        self._ended: Ended | None = None
        self._news = asyncio.Condition()

    @property
    def told(self) -> list[tuple[str, str]]:
        """Type and name of each event."""
        return [(event["type"], event["object"]["metadata"].get("name", "")) for event in self.events]

    async def until(self, count: int) -> list[Json]:
        """So many events, as soon as they are there."""
        async with asyncio.timeout(DEADLINE_SECONDS), self._news:
            await self._news.wait_for(lambda: len(self.events) >= count)
        return self.events

    async def end(self) -> Ended:
        """How it ended, as soon as it has."""
        async with asyncio.timeout(DEADLINE_SECONDS), self._news:
            await self._news.wait_for(lambda: self._ended is not None)
        assert self._ended is not None
        return self._ended

    async def listen(self, kube: Kube, path: str, params: Mapping[str, str]) -> None:
        """Take down what comes until it ends."""
        ended = Ended.CLEAN
        try:
            async with aclosing(kube.watch(path, params)) as events:
                async for event in events:
                    await self._note(event)
        except json.JSONDecodeError:
            ended = Ended.WITHIN_LINE
        except aiohttp.ClientError:
            ended = Ended.BROKEN
        async with self._news:
            self._ended = ended
            self._news.notify_all()

    async def _note(self, event: Json) -> None:
        async with self._news:
            self.events.append(event)
            self._news.notify_all()


@asynccontextmanager
async def listening(kube: Kube, path: str, params: Mapping[str, str]) -> AsyncIterator[Heard]:
    """Listen to a watch while the context is open."""
    heard = Heard()
    async with asyncio.TaskGroup() as group:
        task = group.create_task(heard.listen(kube, path, params), name=f"listening to {path}")
        yield heard
        task.cancel()
