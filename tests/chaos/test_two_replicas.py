"""Two replicas of which the leader is stopped or killed at any moment: one history, and nothing by who was deposed."""

from __future__ import annotations

import asyncio
import random
import statistics
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from control_plane.server import ControlPlane
from control_plane.settings import Ports, Settings
from sandbox.testcluster import AuditedRequest, AuditLog, AuditMark, TestCluster
from tests.chaos.conftest import Plan
from tests.chaos.judge import Reign, reigns, strays
from tests.chaos.replicas import Pair, a_pair
from tests.integration.loops.lives import World
from tests.support.figures import Figure
from tests.support.journey import journey

MOST_PAIRS = 8
MOST_SECONDS_WITHOUT_A_LEADER = 13.0
"""Ten seconds of lease from the last renewal, two until the next try, and one for a busy machine."""


@pytest.fixture
async def plane(tmp_path: Path) -> AsyncIterator[ControlPlane]:
    async with ControlPlane.serve(Settings(directory=tmp_path / "plane", ports=Ports.free())) as serving:
        yield serving


@dataclass(frozen=True, slots=True)
class Judged:
    """What one pair came to, by the audit log."""

    led: Sequence[Reign]
    writes: Sequence[AuditedRequest]
    takeovers: Sequence[float]


def shares(points: int) -> list[int]:
    """So many faults for each pair."""
    pairs = min(MOST_PAIRS, max(1, points // 2))
    return [points // pairs + (number < points % pairs) for number in range(pairs)]


async def judged(pair: Pair, log: AuditLog, mark: AuditMark) -> Judged:
    requests = await log.read(mark)
    led = reigns(requests, pair.path.namespace)
    agents = {reign.agent for reign in led}
    writes = [write for write in requests.writes() if write.user_agent in agents]
    takeovers = [
        min((reign.begin - fault.at).total_seconds() for reign in led if reign.begin > fault.at)
        for fault in pair.faults
    ]
    return Judged(led, writes, takeovers)


async def record_is_true(pair: Pair) -> None:
    """What the record says was made is what is there: of two histories, at most one could be true."""
    world = World(pair.path.granted, pair.path.namespace, pair.path.client, pair.instance_id)
    inventory, applied = await world.inventory(), await world.applied()
    assert inventory is not None
    owned = {owned.ref.name: owned.uid for owned in inventory.owned if owned.ref.kind == "Deployment"}
    there = {
        name.partition("/")[2]: item["metadata"]["uid"]
        for name, item in applied.items()
        if name.startswith("deployments/")
    }
    assert owned == there
    assert all(owned.uid for owned in inventory.owned)


@pytest.mark.timeout(1800)
async def test_whoever_is_stopped_or_killed_one_history_is_written(
    plane: ControlPlane, any_cluster: TestCluster, tmp_path: Path, plan: Plan, figure: Figure
) -> None:
    """Where deposed leaders went on writing: kyverno/kyverno#14984 and cilium/cilium#42920."""
    log = AuditLog(any_cluster.audit_log)
    mark = await log.mark()
    async with AsyncExitStack() as stack:
        pairs = []
        for number, _ in enumerate(shares(plan.points)):
            home = tmp_path / str(number)
            await asyncio.to_thread(home.mkdir)
            path = await stack.enter_async_context(journey(plane, any_cluster, home))
            pairs.append(await stack.enter_async_context(a_pair(path, random.Random(f"{plan.seed}/{number}"))))
        async with asyncio.TaskGroup() as group:
            for pair, share in zip(pairs, shares(plan.points), strict=True):
                group.create_task(pair.live(share))
        for pair in pairs:
            await pair.end()
            await record_is_true(pair)
        found = [await judged(pair, log, mark) for pair in pairs]
    faults = [fault.kind for pair in pairs for fault in pair.faults]
    takeovers = [seconds for one in found for seconds in one.takeovers]
    writes = [write for one in found for write in one.writes]
    tell(figure, any_cluster.name, faults, takeovers, writes)
    for one in found:
        assert strays(one.writes, one.led) == []
    assert len(faults) == plan.points
    assert max(takeovers) <= MOST_SECONDS_WITHOUT_A_LEADER


def tell(
    figure: Figure, cluster: str, faults: Sequence[str], takeovers: Sequence[float], writes: Sequence[AuditedRequest]
) -> None:
    def count(matches: Callable[[AuditedRequest], bool]) -> int:
        return sum(matches(write) for write in writes)

    deletes = count(lambda write: write.verb == "delete")
    scaled = count(lambda write: write.verb == "patch" and write.resource in {"deployments.apps", "statefulsets.apps"})
    figure(
        f"{cluster}: {faults.count('stop')} times stopped, {faults.count('kill')} times killed; take-over "
        f"{min(takeovers):.1f} / {statistics.median(takeovers):.1f} / {max(takeovers):.1f} s (least, median, most); "
        f"{len(writes)} writes, among them {deletes} deletes and {scaled} of sets' replicas"
    )
