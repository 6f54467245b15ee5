"""When the control plane is told, and that nothing known stays untold because it once would not listen."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from agent.loops.accepted import Accepted
from agent.loops.outbox import Outbox
from agent.loops.report import ReportLoop, ReportPace, ReportPorts, Teller, Told
from agent.loops.results import OrderResults
from agent.loops.statuses import Statuses
from agent.loops.trust import Trust
from agent.model.conditions import Truth
from agent.model.errors import AgentError, Retryable, Terminal, Throttled, Unreachable
from agent.model.facts import Fact, ReportDelayed
from agent.model.lease import Term
from agent.model.orders import OrderResult
from agent.model.orders import Outcome as OrderOutcome
from agent.model.spool import Letter, Outcome, Priority
from agent.model.status import AgentStatus, InstanceStatus
from agent.settings import SpoolSettings
from agent.uplink.spool import DurableSpool
from agent.uplink.spool import opened as spool_opened
from tests.support.clock import BEGIN, StillClock

HEARTBEAT = 1000.0
STATUS = InstanceStatus("one", "hello", "af", 1, "running", (), (), (), BEGIN)


class Plane:
    """Implements what reporting needs of the control plane and of the cluster; answers as the script says."""

    def __init__(
        self, clock: StillClock, script: Sequence[Exception | None], stop: asyncio.Event, known: Statuses
    ) -> None:
        self.known = known
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
        if getattr(answer, "after_seconds", None) or isinstance(answer, Unreachable):
            for revision in (2, 5, 9):
                self.known.put(replace(STATUS, revision=revision))
        if answer is not None:
            raise answer

    def requests(self) -> Mapping[str, int]:
        return {}

    def failures(self) -> tuple[AgentError, ...]:
        return ()

    def emit(self, fact: Fact) -> None:
        self.facts.append(fact)


class Names:
    """A codec that tells ids and revisions, and ids of orders; of ``bad`` instances it can tell nothing."""

    def status(self, status: InstanceStatus) -> Letter:
        if status.id.startswith("bad"):
            raise ValueError("canary-4711")
        return Letter(Priority.HEALTH, f"{status.id}.{status.revision}".encode(), status.id)

    def report(
        self,
        *,
        agent: AgentStatus,  # noqa: ARG002 - the port's shape
        letters: Sequence[Letter],
        orders: Sequence[OrderResult] = (),
    ) -> bytes:
        return b",".join([*(letter.body for letter in letters), *(one.id.encode() for one in orders)])


@asynccontextmanager
async def reporting(
    script: Sequence[Exception | None], *statuses: InstanceStatus, results: OrderResults | None = None
) -> AsyncIterator[tuple[Plane, DurableSpool]]:
    """Run the loop until the script is over."""
    clock, stop, known = StillClock(), asyncio.Event(), Statuses()
    plane = Plane(clock, script, stop, known)
    for status in statuses:
        known.put(status)
    async with spool_opened(SpoolSettings(directory=None), plane) as spool:
        loop = ReportLoop(
            ReportPorts(plane, plane, Names(), plane, clock),  # type: ignore[arg-type]
            Told(Accepted(), known, Trust(), results or OrderResults()),
            Outbox(spool, batch_limit=10),
            pace=ReportPace(0.2, HEARTBEAT, 1, 60),
            teller=Teller("1", "c", Term(3, "pod-a")),
        )
        await loop.run(stop)
        yield plane, spool


async def reported(
    script: Sequence[Exception | None], *statuses: InstanceStatus, results: OrderResults | None = None
) -> Plane:
    async with reporting(script, *statuses, results=results) as (plane, _):
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
    plane = await reported([None, None], STATUS, replace(STATUS, id="bad"), replace(STATUS, id="two"))
    assert b",".join(body for _, body in plane.heard if body) == b"one.1,two.1"
    delayed = [fact for fact in plane.facts if isinstance(fact, ReportDelayed)]
    assert {fact.reason for fact in delayed} == {"Unforeseen"}


@pytest.mark.parametrize("refusal", [Throttled, Unreachable], ids=["429", "503"])
async def test_who_asks_for_a_pause_is_left_alone_so_long_and_then_told_what_is_newest(
    refusal: type[Retryable],
) -> None:
    """Nothing is lost meanwhile: the batch stays as it is, and what became newer goes behind it."""
    plane = await reported([refusal("later", after_seconds=120), None, None], STATUS)
    (first, body), (second, again), (third, behind) = plane.heard[:3]
    assert body == again == b"one.1"
    assert 120 <= second - first < HEARTBEAT
    assert third == second
    assert behind == b"one.9", "of those that came during the pause only the newest"


async def test_what_could_not_be_told_before_the_end_is_kept() -> None:
    async with reporting([Unreachable("nobody")], STATUS) as (plane, spool):
        assert len(plane.heard) == 1
        letters = (await spool.next(most=10)).letters
        assert [letter.body for letter in letters] == [b"one.1"]
        await spool.settle(await spool.next(most=10), Outcome.TAKEN)
        assert [letter.body for letter in (await spool.next(most=10)).letters] == [b"one.9"]


async def test_that_the_outbox_is_in_memory_only_by_accident_is_a_condition() -> None:
    plane = await reported([None], STATUS)
    assert [one.status for one in plane.known.conditions() if one.type == "OutboxDegraded"] == [Truth.FALSE]


async def test_a_result_of_an_order_rides_again_with_the_batch_that_did_not_get_through() -> None:
    results = OrderResults()
    results.put(OrderResult("an-order", OrderOutcome.DONE, "Done", "", BEGIN))
    plane = await reported([Unreachable("nobody"), None, None], STATUS, results=results)
    first, again, *later = [body for _, body in plane.heard]
    assert first == again == b"one.1,an-order"
    assert all(b"an-order" not in body for body in later)
    assert results.told() == {"an-order"}


async def test_a_batch_that_is_refused_goes_once_more_without_what_rode_with_it() -> None:
    """Else a letter would be lost for a result that nobody takes."""
    results = OrderResults()
    results.put(OrderResult("an-order", OrderOutcome.DONE, "Done", "", BEGIN))
    plane = await reported([Terminal("no"), None], STATUS, results=results)
    assert [body for _, body in plane.heard][:2] == [b"one.1,an-order", b"one.1"]
    assert results.told() == frozenset()
