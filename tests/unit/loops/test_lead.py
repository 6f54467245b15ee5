"""One replica leads, the others wait: how terms begin and end, in a time that jumps from timer to timer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from agent.loops.campaign import Candidate, LeadPorts
from agent.loops.lead import LeadLoop
from agent.loops.tenure import Tenure
from agent.model.errors import AgentError, Misconfigured, NotAuthorised, NotLeading, Unreachable
from agent.model.facts import Fact, LeadershipLost, LeadershipTaken, LeaseFailed, StoodBy
from agent.model.lease import LeaseTimes, Term
from agent.ports import Loop
from tests.support.clock import LoopClock, in_loop_time
from tests.support.leases import LeaseServer, MemoryLeases

TIMES = LeaseTimes(duration_seconds=10, renew_deadline_seconds=6, retry_seconds=2)
GRACE = 20.0
NOBODY = Unreachable("nobody answers")


class Work:
    """The only loop of a term: writes down when it began, was asked to stop, and ended."""

    name = "work"

    def __init__(self, replica: Replica) -> None:
        self._replica = replica

    async def run(self, stop: asyncio.Event) -> None:
        replica = self._replica
        if replica.fault is not None:
            raise replica.fault
        try:
            await stop.wait()
            await replica.clock.wait(asyncio.Event(), seconds=replica.takes_to_stop)
        finally:
            replica.ended.append((replica.clock.monotonic(), replica.writes_now()))


class Replica:
    """A lead loop and what it lives on."""

    def __init__(self, server: LeaseServer, name: str) -> None:
        self.name, self.clock, self.leases = name, LoopClock(), MemoryLeases(server)
        self.tenure, self.stop = Tenure(self.clock), asyncio.Event()
        self.facts: list[Fact] = []
        self.terms: list[Term] = []
        self.ended: list[tuple[float, bool]] = []
        self.takes_to_stop = 0.0
        self.obstacle: AgentError | None = None
        self.fault: Exception | None = None
        ports = LeadPorts(self.leases, self, self.clock)
        self.loop = LeadLoop(ports, self.tenure, self._term, candidate=Candidate(name, TIMES), grace_seconds=GRACE)

    def emit(self, fact: Fact) -> None:
        self.facts.append(fact)

    def stated(self, kind: type[Fact]) -> list[Fact]:
        return [fact for fact in self.facts if isinstance(fact, kind)]

    def writes_now(self) -> bool:
        """Whether the fence lets a write pass."""
        try:
            self.tenure.check()
        except NotLeading:
            return False
        return True

    @asynccontextmanager
    async def _term(self, term: Term) -> AsyncIterator[Sequence[Loop]]:
        if self.obstacle is not None:
            raise self.obstacle
        self.terms.append(term)
        yield (Work(self),)

    async def until(self, holds: Callable[[], bool], *, seconds: float = 60) -> float:
        """Wait until it holds, a twentieth of a second at a time; returns how long that took."""
        began = self.clock.monotonic()
        while not holds():
            assert self.clock.monotonic() - began < seconds, self.facts
            await self.clock.wait(asyncio.Event(), seconds=0.05)
        return self.clock.monotonic() - began

    async def lets_pass(self, seconds: float) -> None:
        await self.clock.wait(asyncio.Event(), seconds=seconds)


@asynccontextmanager
async def competing(*replicas: Replica) -> AsyncIterator[None]:
    async with asyncio.TaskGroup() as group:
        for replica in replicas:
            group.create_task(replica.loop.run(replica.stop))
        yield
        for replica in replicas:
            replica.stop.set()


@in_loop_time
async def test_who_is_alone_leads_at_once_and_for_as_long_as_it_lives() -> None:
    one = Replica(LeaseServer(), "one")
    async with competing(one):
        assert await one.until(one.writes_now) < 0.1
        for _ in range(150):
            await one.lets_pass(6.1)
            assert one.writes_now()
    assert one.terms == [Term(1, "one")]
    assert one.stated(LeadershipLost) == [LeadershipLost(1, "one", "Released")]


@in_loop_time
async def test_a_standby_makes_no_term_and_writes_nothing() -> None:
    server = LeaseServer()
    one, two = Replica(server, "one"), Replica(server, "two")
    async with competing(one):
        await one.until(one.writes_now)
        async with competing(two):
            for _ in range(100):
                await two.lets_pass(9.7)
                assert not two.writes_now()
        assert two.terms == []
        assert two.stated(StoodBy) == [StoodBy(1, "one")]
        assert {record.holder for record in server.history if record} == {"one"}


@in_loop_time
async def test_a_graceful_stop_lets_the_loops_finish_under_the_lease_and_hands_over_at_once() -> None:
    server = LeaseServer()
    one, two = Replica(server, "one"), Replica(server, "two")
    one.takes_to_stop = 15  # longer than the lease lasts: it has to be renewed meanwhile
    async with competing(one):
        await one.until(one.writes_now)
        async with competing(two):
            await two.until(lambda: bool(two.stated(StoodBy)))
            one.stop.set()
            await one.until(lambda: bool(one.ended), seconds=16)
            assert one.ended[0][1], "a loop that finishes may still write"
            assert await two.until(two.writes_now) < 0.1
            assert not one.writes_now()
            assert two.terms == [Term(2, "two")]


@in_loop_time
async def test_who_cannot_renew_writes_nothing_after_the_deadline_and_its_loops_end() -> None:
    server = LeaseServer()
    one, two = Replica(server, "one"), Replica(server, "two")
    async with competing(one):
        await one.until(one.writes_now)
        async with competing(two):
            await two.until(lambda: bool(two.stated(StoodBy)))
            one.leases.fails, one.leases.fails_after_seconds = NOBODY, 2
            closes = await one.until(lambda: not one.writes_now())
            assert 4 <= closes <= 6.1
            await one.until(lambda: bool(one.ended), seconds=0.1)
            taken = await two.until(two.writes_now)
            assert taken > 3.5
            assert closes + taken <= 13
            one.leases.fails = None
            two.stop.set()
            await one.until(one.writes_now)
    assert one.terms == [Term(1, "one"), Term(3, "one")]
    assert one.stated(LeadershipLost)[0] == LeadershipLost(1, "one", "Lapsed")
    assert len(one.stated(LeaseFailed)) == 1


@in_loop_time
async def test_one_answer_that_does_not_come_ends_no_term() -> None:
    one = Replica(LeaseServer(), "one")
    async with competing(one):
        await one.until(one.writes_now)
        for _ in range(20):
            one.leases.fails, one.leases.fails_after_seconds = NOBODY, 2
            await one.lets_pass(3)
            one.leases.fails = None
            await one.lets_pass(3)
            assert one.writes_now()
    assert one.terms == [Term(1, "one")]


@in_loop_time
async def test_whose_lease_somebody_took_leads_no_more_from_the_next_renewal_on() -> None:
    server = LeaseServer()
    one = Replica(server, "one")
    async with competing(one):
        await one.until(one.writes_now)
        assert server.record is not None
        server.put(replace(server.record, holder="somebody", term=9))
        assert await one.until(lambda: not one.writes_now()) <= 2.1
        await one.until(lambda: bool(one.ended), seconds=0.1)
        await one.until(one.writes_now)
    assert one.stated(LeadershipLost)[0] == LeadershipLost(1, "one", "Deposed")
    assert one.terms[1] == Term(10, "one")


@in_loop_time
async def test_a_lease_that_was_only_touched_stays_ours_and_one_that_was_deleted_does_not() -> None:
    server = LeaseServer()
    one = Replica(server, "one")
    async with competing(one):
        await one.until(one.writes_now)
        server.put(server.record)  # an annotation, perhaps
        await one.lets_pass(20)
        assert one.terms == [Term(1, "one")]
        server.put(None)
        assert await one.until(lambda: not one.writes_now()) <= 2.1
        assert await one.until(one.writes_now) >= 9
    assert [term.number for term in one.terms] == [1, 2]


@in_loop_time
async def test_at_the_start_what_is_missing_is_raised_and_later_it_is_tried_again() -> None:
    for error in (NotAuthorised("no right"), NOBODY):
        one = Replica(LeaseServer(), "one")
        one.leases.fails = error
        with pytest.raises(ExceptionGroup) as raised:
            await one.loop.run(one.stop)
        assert raised.value.exceptions == (error,)
    one = Replica(LeaseServer(), "one")
    async with competing(one):
        await one.until(one.writes_now)
        one.leases.fails = NotAuthorised("no right")
        await one.lets_pass(60)
        assert not one.writes_now()
        one.leases.fails = None
        await one.until(one.writes_now)


@in_loop_time
async def test_a_first_term_that_cannot_begin_says_so_and_leaves_the_lease_to_others() -> None:
    for error in (Misconfigured("no token"), NOBODY):
        server = LeaseServer()
        one = Replica(server, "one")
        one.obstacle = error
        with pytest.raises(ExceptionGroup) as raised:
            await one.loop.run(one.stop)
        assert raised.value.exceptions == (error,)
        assert server.record is not None
        assert server.record.holder == ""


@in_loop_time
async def test_a_later_term_that_cannot_begin_for_a_while_begins_after_it() -> None:
    server = LeaseServer()
    one, two = Replica(server, "one"), Replica(server, "two")
    async with competing(one):
        await one.until(one.writes_now)
        async with competing(two):
            await two.until(lambda: bool(two.stated(StoodBy)))
            two.obstacle = NOBODY
            one.stop.set()
            await two.until(lambda: len(two.stated(LeadershipTaken)) >= 3)
            assert two.terms == []
            two.obstacle = None
            await two.until(lambda: bool(two.terms))


@in_loop_time
async def test_a_loop_that_fails_ends_the_replica_and_leaves_the_lease_to_others() -> None:
    server = LeaseServer()
    one = Replica(server, "one")
    one.fault = RuntimeError("a fault of ours")
    with pytest.raises(ExceptionGroup) as raised:
        await one.loop.run(one.stop)
    assert raised.group_contains(RuntimeError, match="a fault of ours")
    assert server.record is not None
    assert server.record.holder == ""


@in_loop_time
async def test_who_is_told_to_stop_while_it_stands_by_stops_at_once() -> None:
    server = LeaseServer()
    one, two = Replica(server, "one"), Replica(server, "two")
    async with competing(one):
        await one.until(one.writes_now)
        async with competing(two):
            await two.until(lambda: bool(two.stated(StoodBy)))
            began = two.clock.monotonic()
        assert two.clock.monotonic() - began < 0.1
