from __future__ import annotations

import aiohttp
import pytest

from agent.model.desired import Standing
from agent.model.errors import Misconfigured
from agent.model.facts import (
    CacheFilled,
    IndexAccepted,
    LeadershipLost,
    LeadershipTaken,
    PollFailed,
    StoodBy,
)
from agent.telemetry.metrics import Metrics
from agent.telemetry.probes import Readiness, Verdict, serving_metrics, serving_probes
from tests.support.clock import StillClock

HOST = "127.0.0.1"


async def test_alive_while_offline_and_ready_only_in_step() -> None:
    clock = StillClock()
    readiness = Readiness(clock=clock, stale_seconds=60)
    async with (
        serving_probes(host=HOST, port=0, verdict=readiness.verdict) as port,
        aiohttp.ClientSession(f"http://{HOST}:{port}") as http,
    ):

        async def status(path: str) -> int:
            async with http.get(path) as answer:
                return answer.status

        assert (await status("/livez"), await status("/readyz")) == (200, 503)
        readiness.emit(LeadershipTaken(term=1, holder="pod-a", campaign_seconds=0))
        assert (await status("/livez"), await status("/readyz")) == (200, 503)
        readiness.emit(IndexAccepted(standing=Standing(1, 1), documents=0))
        assert (await status("/livez"), await status("/readyz")) == (200, 200)
        readiness.emit(PollFailed(reason="Unreachable", message=""))
        clock.pass_by(3600)
        assert (await status("/livez"), await status("/readyz")) == (200, 503)
        async with http.get("/readyz") as answer:
            assert await answer.json() == {
                "ready": False,
                "why": "last in step with the control plane at 2026-01-01T12:00:00+00:00",
                "age_seconds": 3600.0,
            }
        assert await status("/metrics") == 404


def test_a_standby_is_ready_once_its_cache_is_filled_and_says_for_whom_it_stands_by() -> None:
    readiness = Readiness(clock=StillClock(), stale_seconds=60)
    assert readiness.verdict() == Verdict(ready=False, why="campaigning for the lease", age_seconds=None)
    readiness.emit(StoodBy(term=4, holder="pod-b"))
    assert not readiness.verdict().ready
    readiness.emit(CacheFilled(took_seconds=1))
    assert readiness.verdict() == Verdict(ready=True, why="standby: pod-b leads", age_seconds=None)


def test_what_an_earlier_term_knew_makes_no_new_leader_ready() -> None:
    readiness = Readiness(clock=StillClock(), stale_seconds=60)
    for fact in (
        CacheFilled(took_seconds=1),
        LeadershipTaken(term=1, holder="pod-a", campaign_seconds=0),
        IndexAccepted(standing=Standing(1, 1), documents=0),
    ):
        readiness.emit(fact)
    assert readiness.verdict().ready
    readiness.emit(LeadershipLost(term=1, holder="pod-a", reason="Lapsed"))
    assert readiness.verdict().why == "campaigning for the lease"
    readiness.emit(LeadershipTaken(term=3, holder="pod-a", campaign_seconds=12))
    assert readiness.verdict().why == "no answer of the control plane has been accepted yet"


async def test_metrics_are_scraped_in_prometheus_text() -> None:
    metrics = Metrics(version="1", clock=StillClock())
    async with (
        serving_metrics(metrics, host=HOST, port=0) as port,
        aiohttp.ClientSession() as http,
        http.get(f"http://{HOST}:{port}/metrics") as answer,
    ):
        assert answer.headers["Content-Type"].startswith("text/plain; version=")
        assert b"perigee_build_info{" in await answer.read()


async def test_a_port_that_is_taken_is_a_setting_to_correct() -> None:
    readiness = Readiness(clock=StillClock(), stale_seconds=60)
    async with serving_probes(host=HOST, port=0, verdict=readiness.verdict) as port:
        with pytest.raises(Misconfigured, match=f"cannot listen on {HOST}:{port}") as raised:
            async with serving_probes(host=HOST, port=port, verdict=readiness.verdict):
                pass
        assert "probes.port" in raised.value.hint
