"""Who leads, by table; and, for any delays and failures, that no two replicas ever lead at once."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.model.lease import LeaseRecord, LeaseTimes
from agent.planning.leadership import (
    Acquire,
    Sighting,
    Wait,
    campaign,
    first_sighting,
    leads_until,
    released,
    renewed,
    sighted,
)
from tests.support.clock import BEGIN

TIMES = LeaseTimes(duration_seconds=10, renew_deadline_seconds=6, retry_seconds=2)


def a_record(holder: str = "other", *, duration: int = 10, term: int = 3, version: str = "7") -> LeaseRecord:
    return LeaseRecord(holder, duration, term, BEGIN, BEGIN, version)


def decided(seen: Sighting, at: float) -> Acquire | Wait:
    return campaign(seen, TIMES, holder="me", at=at, now=BEGIN)


@pytest.mark.parametrize(
    ("record", "stood", "wait"),
    [
        pytest.param(None, 0.0, None, id="no lease"),
        pytest.param(a_record(""), 0.0, None, id="released"),
        pytest.param(a_record("me"), 0.0, None, id="our own of a term that nobody ended"),
        pytest.param(a_record(), 0.0, 10.0, id="just seen"),
        pytest.param(a_record(), 9.5, 0.5, id="watched for almost its duration"),
        pytest.param(a_record(), 10.0, None, id="watched for its duration"),
        pytest.param(a_record(duration=60), 10.0, 50.0, id="the holder promised to come back later than we would"),
        pytest.param(a_record(duration=0), 9.0, 1.0, id="somebody wrote no duration"),
    ],
)
def test_when_a_candidate_may_take_the_lease(record: LeaseRecord | None, stood: float, wait: float | None) -> None:
    step = decided(first_sighting(record, at=100), at=100 + stood)
    if wait is None:
        assert isinstance(step, Acquire)
        assert step.record.holder == "me"
        assert step.record.resource_version == (record.resource_version if record else "")
        assert step.record.term == (record.term + 1 if record else 1)
    else:
        assert step == Wait(wait)


def test_a_renewal_begins_the_wait_anew_and_another_look_at_the_same_record_does_not() -> None:
    seen = first_sighting(a_record(version="7"), at=0)
    assert decided(sighted(seen, a_record(version="7"), at=9), at=9) == Wait(1)
    assert decided(sighted(seen, a_record(version="8"), at=9), at=9) == Wait(10)


def test_a_lease_that_is_deleted_is_no_licence_to_lead_at_once_nor_to_count_from_one() -> None:
    gone = sighted(first_sighting(a_record(term=41), at=0), None, at=5)
    assert decided(gone, at=5) == Wait(10)
    assert decided(sighted(gone, None, at=14), at=14) == Wait(1)
    step = decided(gone, at=15)
    assert isinstance(step, Acquire)
    assert (step.record.term, step.record.resource_version) == (42, "")


def test_renewing_keeps_the_term_and_releasing_leaves_nobody_in_it() -> None:
    held = a_record("me")
    again = renewed(held, TIMES, BEGIN)
    assert (again.holder, again.term, again.acquired) == ("me", 3, BEGIN)
    free = released(held, BEGIN)
    assert (free.holder, free.term, free.resource_version) == ("", 3, "7")
    assert isinstance(decided(first_sighting(free, at=0), at=0), Acquire)


@dataclass(slots=True)
class Server:
    """The Lease in the cluster: a write counts if it carries the version that is there."""

    record: LeaseRecord | None = None
    version: int = 0

    def write(self, record: LeaseRecord) -> LeaseRecord | None:
        present = self.record.resource_version if self.record is not None else ""
        if record.resource_version != present:
            return None
        self.version += 1
        self.record = replace(record, resource_version=str(self.version))
        return self.record


@dataclass(frozen=True, slots=True)
class Span:
    """From when to when a replica believes to lead, in true time."""

    holder: str
    term: int
    begin: float
    end: float


@dataclass(slots=True)
class Chance:
    """What delays requests, stops processes and loses answers, until it is used up."""

    seconds: list[float]
    losses: list[bool]

    def delay(self) -> float:
        return self.seconds.pop()

    def loses(self) -> bool:
        return self.losses.pop() if self.losses else False


@dataclass(slots=True)
class Replica:
    """One replica, whose clock is off by ``skew``."""

    name: str
    skew: float
    seen: Sighting | None = None
    held: LeaseRecord | None = None
    until: float = float("-inf")

    def life(self, server: Server, chance: Chance, spans: list[Span]) -> Generator[float, float, None]:
        """Each ``yield`` lets so many seconds pass and brings the true time."""
        now = yield chance.delay()
        while True:
            if not self.leads(now):
                yield chance.delay()
                found = server.record
                now = yield chance.delay()
                self.sees(found, now)
            sent, wanted = now, self.wanted(now)
            if wanted is not None:
                yield chance.delay()
                written = server.write(wanted)
                now = yield chance.delay()
                if not chance.loses():
                    self.learns(written, sent)
                    if self.leads(now):
                        spans.append(Span(self.name, wanted.term, now, self.until - self.skew))
            now = yield chance.delay()

    def leads(self, now: float) -> bool:
        return self.held is not None and now + self.skew < self.until

    def sees(self, found: LeaseRecord | None, now: float) -> None:
        at = now + self.skew
        self.seen = first_sighting(found, at) if self.seen is None else sighted(self.seen, found, at)

    def wanted(self, now: float) -> LeaseRecord | None:
        if self.held is not None and self.leads(now):
            return renewed(self.held, TIMES, BEGIN)
        assert self.seen is not None
        step = campaign(self.seen, TIMES, holder=self.name, at=now + self.skew, now=BEGIN)
        return step.record if isinstance(step, Acquire) else None

    def learns(self, written: LeaseRecord | None, sent: float) -> None:
        self.held = written
        self.until = leads_until(sent + self.skew, TIMES) if written is not None else float("-inf")


def lived(chance: Chance, skews: Sequence[float]) -> list[Span]:
    """Let replicas live side by side until chance is used up; returns when each believed to lead."""
    server, spans = Server(), list[Span]()
    lives = [Replica(f"replica-{n}", skew).life(server, chance, spans) for n, skew in enumerate(skews)]
    queue: list[tuple[float, int]] = []
    try:
        for number, one in enumerate(lives):
            heapq.heappush(queue, (next(one), number))
        while True:
            now, number = heapq.heappop(queue)
            heapq.heappush(queue, (now + lives[number].send(now), number))
    except IndexError:
        return spans


def overlaps(spans: list[Span]) -> list[tuple[Span, Span]]:
    return [
        (one, other)
        for one, other in itertools.combinations(spans, 2)
        if one.holder != other.holder and one.begin < other.end and other.begin < one.end
    ]


DELAYS = (0.0, 0.01, 0.1, 0.5, 1, 2, 4, 5.5, 9, 10, 16)


def some_chance(seed: int, draws: int) -> Chance:
    """Mostly quick, now and then as slow as it takes to lose a lease."""
    random = Random(seed)
    seconds = [random.choice(DELAYS[:4]) if random.random() < 0.6 else random.choice(DELAYS) for _ in range(draws)]
    return Chance(seconds, [random.random() < 0.1 for _ in range(draws)])


def test_the_simulation_changes_leaders_and_would_show_two_at_once() -> None:
    spans = lived(some_chance(1, 5000), [0, 5, -5])
    assert len({span.term for span in spans}) > 20
    assert len({span.holder for span in spans}) == 3
    assert overlaps([*spans, replace(spans[0], holder="usurper")])


@given(seed=st.integers(0, 2**32), skews=st.lists(st.floats(-1000, 1000), min_size=2, max_size=3))
def test_no_two_replicas_lead_at_once_whatever_is_delayed_stopped_or_lost(seed: int, skews: list[float]) -> None:
    spans = lived(some_chance(seed, 500), skews)
    assert overlaps(spans) == []
    for one, other in itertools.pairwise(sorted(spans, key=lambda span: span.begin)):
        assert one.term <= other.term, "terms only grow"
        assert one.term != other.term or one.holder == other.holder, "a term belongs to one replica"
