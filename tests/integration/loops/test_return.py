"""What one agent does while its control plane is away and when it is back."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

from agent.cluster.secrets import SecretShelf
from agent.cluster.state import ClusterState
from agent.loops.accepted import Accepted
from agent.loops.guarding import Guarding
from agent.loops.poll import Learnt, PollLoop, PollPace, PollPorts
from agent.loops.statuses import Statuses
from agent.loops.trust import Trust
from agent.model.desired import Entry
from agent.model.errors import AgentError, Throttled, Unreachable
from agent.model.facts import PollAnswered, PollFailed
from agent.model.guard import Guard
from agent.ports import IndexAnswer
from agent.wire.index import IndexVerifier
from tests.integration.loops.lives import World
from tests.support.clock import StillClock
from tests.support.journey import Facts
from tests.support.wire import CLUSTER, a_trust_bundle

AWAY = 12
ANSWERS = 5


class ReturningPlane:
    """Implements ``ports.ControlPlane``: away for these polls, then there again without news, then silent."""

    def __init__(self, *failures: AgentError) -> None:
        self.skew_seconds: float | None = None
        self.failures = list(failures)
        self.answers = ANSWERS

    async def poll(self, *, etag: str, wait_seconds: float) -> IndexAnswer | None:  # noqa: ARG002 - the port's shape
        if self.failures:
            raise self.failures.pop(0)
        if self.answers == 0:
            await asyncio.Event().wait()
        self.answers -= 1
        return None

    async def documents(self, entries: Sequence[Entry]) -> Mapping[str, bytes]:
        raise AssertionError(f"nobody has news here: {entries}")

    async def report(self, *, stream: str, sequence: int, body: bytes) -> None:
        raise AssertionError(f"nobody reports here: {stream} {sequence} {len(body)}")


async def waits_while(plane: ReturningPlane, world: World) -> list[float]:
    """The pauses that the agent made until it had been answered often enough."""
    clock, facts, stop = StillClock(), Facts(), asyncio.Event()
    store = ClusterState(SecretShelf(world.client, world.namespace))
    ports = PollPorts(plane, IndexVerifier(a_trust_bundle(), CLUSTER), store, facts, clock)
    guarding = Guarding.by(Guard())
    loop = PollLoop(ports, Learnt(Accepted(), Statuses(), Trust()), pace=PollPace(50, 1, 300), guarding=guarding)
    expected = len(plane.failures)
    async with asyncio.TaskGroup() as group:
        group.create_task(loop.run(stop))
        await facts.wait(lambda _: len([one for one in facts.stated if isinstance(one, PollAnswered)]) == ANSWERS)
        stop.set()
    assert len([one for one in facts.stated if isinstance(one, PollFailed)]) == expected
    return clock.waits


async def test_an_agent_asks_for_ever_and_polls_without_a_pause_once_it_is_answered(world: World) -> None:
    waits = await waits_while(ReturningPlane(*[Unreachable("gone")] * AWAY), world)
    assert len(waits) == AWAY
    assert all(1 <= wait <= min(300, 2.0**failures) for failures, wait in enumerate(waits))


async def test_who_failed_once_is_back_after_the_least_pause(world: World) -> None:
    assert await waits_while(ReturningPlane(Unreachable("cut")), world) == [1]


async def test_a_pause_that_the_control_plane_asks_for_is_kept(world: World) -> None:
    assert await waits_while(ReturningPlane(Throttled("slow", after_seconds=42)), world) == [42]
