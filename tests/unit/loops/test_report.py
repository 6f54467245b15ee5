"""When the control plane is told, and that nothing known stays untold because it once would not listen."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import pytest

from agent.loops.accepted import Accepted
from agent.loops.outbox import Outbox
from agent.loops.report import ReportLoop, ReportPace, ReportPorts, Teller, Told
from agent.loops.statuses import Statuses
from agent.model.errors import AgentError, Terminal, Unreachable
from agent.model.facts import Fact, ReportDelayed
from agent.model.lease import Term
from agent.model.status import AgentStatus, InstanceStatus
from tests.support.clock import BEGIN, StillClock

HEARTBEAT = 1000.0
STATUS = InstanceStatus("one", "hello", "af", 1, "running", (), (), (), BEGIN)


class Plane:
    """Implements what reporting needs of the control plane and of the cluster; answers as the script says."""

    def __init__(self, clock: StillClock, script: Sequence[Exception | None], stop: asyncio.Event) -> None:
        self._clock = clock
        self._script = list(script)
        self._stop = stop
        self.heard: list[tuple[float, bytes]] = []
        self.facts: list[Fact] = []

    async def report(self, *, stream: str, sequence: int, body: bytes) -> None:  # noqa: ARG002 - the port's shape
        self.heard.append((self._clock.monotonic(), body))
        answer = self._script.pop(0) if self._script else None
        if not self._script:
            self._stop.set()
        if answer is not None:
            raise answer

    def requests(self) -> Mapping[str, int]:
        return {}

    def failures(self) -> tuple[AgentError, ...]:
        return ()

    def emit(self, fact: Fact) -> None:
        self.facts.append(fact)


def names(*, agent: AgentStatus, instances: Sequence[InstanceStatus]) -> bytes:  # noqa: ARG001 - the port's shape
    return ",".join(f"{one.id}.{one.revision}" for one in instances).encode()


async def reported(
    script: Sequence[Exception | None], *statuses: InstanceStatus, codec: Callable[..., bytes] = names
) -> Plane:
    """Run the loop until the script is over."""
    clock, stop, known = StillClock(), asyncio.Event(), Statuses()
    plane = Plane(clock, script, stop)
    for status in statuses:
        known.put(status)
    loop = ReportLoop(
        ReportPorts(plane, plane, codec, plane, clock),  # type: ignore[arg-type]
        Told(Accepted(), known),
        Outbox(stream="s", limit=100, batch_limit=10),
        pace=ReportPace(0.2, HEARTBEAT, 1, 60),
        teller=Teller("1", "c", Term(3, "pod-a")),
    )
    await loop.run(stop)
    return plane


async def test_a_batch_that_did_not_get_through_does_not_wait_for_the_next_heartbeat() -> None:
    plane = await reported([Unreachable("nobody"), None], STATUS)
    (first, body), (second, again) = plane.heard[:2]
    assert body == again == b"one.1"
    assert second - first < HEARTBEAT


@pytest.mark.parametrize("refusal", [Terminal("no such path"), KeyError("canary-4711")], ids=["refused", "unforeseen"])
async def test_what_was_refused_once_is_told_again_with_the_next_heartbeat(refusal: Exception) -> None:
    plane = await reported([refusal, None, None], STATUS)
    assert [body for _, body in plane.heard[:2]] == [b"one.1", b"one.1"]
    assert plane.heard[1][0] - plane.heard[0][0] >= HEARTBEAT
    assert "canary" not in repr(plane.facts)


async def test_a_status_that_cannot_be_told_holds_up_no_other() -> None:
    def picky(*, agent: AgentStatus, instances: Sequence[InstanceStatus]) -> bytes:
        if any(one.id == "bad" for one in instances):
            raise ValueError("canary-4711")
        return names(agent=agent, instances=instances)

    plane = await reported([None, None], STATUS, replace(STATUS, id="bad"), replace(STATUS, id="two"), codec=picky)
    assert b",".join(body for _, body in plane.heard if body) == b"one.1,two.1"
    delayed = [fact for fact in plane.facts if isinstance(fact, ReportDelayed)]
    assert {fact.reason for fact in delayed} == {"Unforeseen"}
