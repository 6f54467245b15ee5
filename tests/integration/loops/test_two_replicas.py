"""Two agents over one cluster, as the wiring connects them: one works, the other stands by, and takes over."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from time import monotonic

import pytest

from agent.model.facts import CacheFilled, IndexAccepted, LeadershipLost, LeadershipTaken, StoodBy
from control_plane.server import ControlPlane
from control_plane.settings import Ports, Settings
from sandbox.testcluster import AuditLog, TestCluster
from tests.support.figures import Figure
from tests.support.journey import USER_AGENT, Facts, Journey, journey, ready
from tests.support.process import running_agent

QUICK = {"duration_seconds": 5, "renew_deadline_seconds": 1.4, "retry_seconds": 0.4}
"""As quick as the longest write allows."""


@pytest.fixture
async def path(embedded_cluster: TestCluster, tmp_path: Path) -> AsyncIterator[Journey]:
    settings = Settings(directory=tmp_path / "plane", ports=Ports.free())
    async with ControlPlane.serve(settings) as plane, journey(plane, embedded_cluster, tmp_path) as begun:
        yield begun


async def leads(facts: Facts, *, seconds: float = 20) -> LeadershipTaken:
    fact = await facts.wait(lambda fact: isinstance(fact, LeadershipTaken), seconds=seconds)
    assert isinstance(fact, LeadershipTaken)
    return fact


async def seconds_until_it_leads(facts: Facts, since: float) -> float:
    await leads(facts)
    return monotonic() - since


async def test_a_standby_only_watches_and_takes_over_at_once_from_one_that_stops(path: Journey, figure: Figure) -> None:
    """The leader stops as SIGTERM would stop it. Where leadership ended and the work went on: kyverno/kyverno#14984."""
    instance_id, log = str(uuid.uuid4()), AuditLog(path.cluster.audit_log)
    async with AsyncExitStack() as first_life:
        first = await first_life.enter_async_context(path.agent())
        before = await leads(first)
        async with path.agent(spool={"directory": path.directory / "second"}) as second:
            await second.wait(lambda fact: isinstance(fact, StoodBy))
            await path.publish(instance_id)
            await path.told(instance_id, ready)
            idle = [fact for fact in second.stated if not isinstance(fact, StoodBy | CacheFilled)]
            mark, asked = await log.mark(), monotonic()
            async with asyncio.TaskGroup() as group:
                took = group.create_task(seconds_until_it_leads(second, asked))
                await first_life.aclose()
            after = await leads(second)
            await second.wait(lambda fact: isinstance(fact, IndexAccepted))
            made = await log.read(mark)
            requests = (await log.read()).by(user_agent=USER_AGENT)
    assert idle == []
    assert first.stated[-1] == LeadershipLost(before.term, before.holder, "Released")
    assert after.term == before.term + 1
    figure(f"hand-over when the leader is asked to stop: {took.result() * 1000:.0f} ms")
    assert took.result() < 2
    assert {f"({before.holder})", f"({after.holder})"} <= {one.user_agent.partition(" ")[2] for one in requests}
    assert [f"{write.verb} {write.uri}" for write in made.writes(user_agent=USER_AGENT)] == []


async def test_a_leader_that_is_killed_is_replaced_when_its_lease_runs_out(
    path: Journey, tmp_path: Path, figure: Figure
) -> None:
    instance_id = str(uuid.uuid4())
    async with running_agent(path.settings(lease=QUICK), tmp_path) as process:
        await path.publish(instance_id)
        await path.told(instance_id, ready)
        async with path.agent(lease=QUICK) as second:
            await second.wait(lambda fact: isinstance(fact, StoodBy))
            process.kill()
            killed = monotonic()
            after = await leads(second)
            took = monotonic() - killed
            revision = await path.publish(instance_id, team="another")
            await path.told(instance_id, lambda told: told.revision == revision and ready(told))
    figure(f"take-over from a leader that was killed: {took:.1f} s, with a lease of {QUICK['duration_seconds']} s")
    assert QUICK["duration_seconds"] - QUICK["retry_seconds"] - 1 < took < QUICK["duration_seconds"] + 5
    assert after.term == 2
