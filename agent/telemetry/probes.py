"""What the kubelet and Prometheus ask over HTTP: ``/livez``, ``/readyz``, ``/metrics``.

Here: the answers and the listening sockets, the only ones that the agent has. Not here: counting (``metrics``).
Readiness of the leader tells how long ago the control plane's state was last known to be in force here; a standby is
ready when it could take over. Liveness does not look at the control plane at all, since a restart would not bring it
back and instances run on without it.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from datetime import datetime

from aiohttp import web

from agent.model.errors import Misconfigured
from agent.model.facts import (
    CacheFilled,
    Fact,
    IndexAccepted,
    LeadershipLost,
    LeadershipTaken,
    PollAnswered,
    StoodBy,
)
from agent.ports import Clock, Telemetry
from agent.telemetry.metrics import CONTENT_TYPE, Metrics


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether the agent is ready, and why or why not. ``age_seconds`` is None before the first sync."""

    ready: bool
    why: str
    age_seconds: float | None


class Readiness(Telemetry):
    """The sink that remembers when the agent was last in step with the control plane.

    In step means that an index was accepted, or that a poll found nothing newer than the accepted one. An answer whose
    index was refused does not count, however lively the connection is.
    """

    def __init__(self, *, clock: Clock, stale_seconds: float) -> None:
        self._clock = clock
        self._stale_seconds = stale_seconds
        self._synced_at: datetime | None = None
        self._synced_monotonic = 0.0
        self._leads = self._filled = False
        self._leader = ""

    def emit(self, fact: Fact) -> None:
        """Take note of what shows that we are in step, and of who leads."""
        match fact:
            case IndexAccepted() | PollAnswered(changed=False):
                self._synced_at = self._clock.now()
                self._synced_monotonic = self._clock.monotonic()
            case LeadershipTaken():
                self._leads, self._synced_at = True, None
            case LeadershipLost():
                self._leads, self._leader = False, ""
            case StoodBy():
                self._leader = fact.holder
            case CacheFilled():
                self._filled = True
            case _:
                pass

    def verdict(self) -> Verdict:
        """Ready or not, as of now; measured on the monotonic clock, so that a corrected clock changes nothing."""
        if not self._leads:
            return self._standby()
        if self._synced_at is None:
            return Verdict(ready=False, why="no answer of the control plane has been accepted yet", age_seconds=None)
        age = round(self._clock.monotonic() - self._synced_monotonic, 1)
        since = self._synced_at.isoformat(timespec="seconds")
        if age > self._stale_seconds:
            return Verdict(ready=False, why=f"last in step with the control plane at {since}", age_seconds=age)
        return Verdict(ready=True, why=f"in step with the control plane at {since}", age_seconds=age)

    def _standby(self) -> Verdict:
        if not self._leader:
            return Verdict(ready=False, why="campaigning for the lease", age_seconds=None)
        if not self._filled:
            return Verdict(ready=False, why="standby, whose cache is not filled yet", age_seconds=None)
        return Verdict(ready=True, why=f"standby: {self._leader} leads", age_seconds=None)


@asynccontextmanager
async def serving_probes(*, host: str, port: int, verdict: Callable[[], Verdict]) -> AsyncIterator[int]:
    """Answer the kubelet while the block runs; yields the port. Raises Misconfigured if the port cannot be had."""

    async def live(_: web.Request) -> web.Response:
        return web.json_response({"alive": True})

    async def ready(_: web.Request) -> web.Response:
        found = verdict()
        return web.json_response(asdict(found), status=200 if found.ready else 503, dumps=json.dumps)

    routes = [web.get("/livez", live), web.get("/readyz", ready)]
    async with _listening(routes, host, port, knob="probes.port") as bound:
        yield bound


@asynccontextmanager
async def serving_metrics(metrics: Metrics, *, host: str, port: int) -> AsyncIterator[int]:
    """Answer Prometheus while the block runs; yields the port. Raises Misconfigured if the port cannot be had."""

    async def scrape(_: web.Request) -> web.Response:
        return web.Response(body=metrics.exposition(), headers={"Content-Type": CONTENT_TYPE})

    async with _listening([web.get("/metrics", scrape)], host, port, knob="metrics.port") as bound:
        yield bound


@asynccontextmanager
async def _listening(routes: list[web.RouteDef], host: str, port: int, *, knob: str) -> AsyncIterator[int]:
    # No request of ours has a body, and nobody may hold a connection for long.
    app = web.Application(client_max_size=1024)
    app.add_routes(routes)
    runner = web.AppRunner(app, access_log=None, keepalive_timeout=15, shutdown_timeout=1)
    await runner.setup()
    try:
        try:
            await web.TCPSite(runner, host, port).start()
        except OSError as error:
            hint = f"set {knob} or free the port"
            raise Misconfigured(f"cannot listen on {host}:{port}: {error.strerror}", hint=hint) from None
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()
