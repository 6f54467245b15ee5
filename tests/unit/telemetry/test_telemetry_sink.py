from __future__ import annotations

import logging

import pytest

from agent.model.facts import Fact, LeadershipTaken, PollAnswered, PollFailed, ReportDelivered
from agent.telemetry.probes import Readiness
from agent.telemetry.sink import Sinks
from tests.support.clock import StillClock


class Kept:
    def __init__(self) -> None:
        self.facts: list[Fact] = []

    def emit(self, fact: Fact) -> None:
        self.facts.append(fact)


class Broken:
    def emit(self, fact: Fact) -> None:
        raise RuntimeError(f"canary {fact}")


def test_every_sink_is_told_in_order() -> None:
    one, other = Kept(), Kept()
    Sinks([one, other]).emit(ReportDelivered(reports=1))
    assert one.facts == other.facts == [ReportDelivered(reports=1)]


def test_a_broken_sink_is_named_once_and_stops_nobody(caplog: pytest.LogCaptureFixture) -> None:
    kept = Kept()
    sinks = Sinks([Broken(), kept])
    with caplog.at_level(logging.ERROR):
        sinks.emit(ReportDelivered(reports=1))
        sinks.emit(ReportDelivered(reports=2))
    assert len(kept.facts) == 2
    assert [record.getMessage() for record in caplog.records] == ["telemetry_failed"]
    assert caplog.records[0].__dict__["fields"] == {"sink": "Broken", "error": "RuntimeError"}


def a_leaders_readiness(clock: StillClock) -> Readiness:
    readiness = Readiness(clock=clock, stale_seconds=300)
    readiness.emit(LeadershipTaken(term=1, holder="pod-a", campaign_seconds=0))
    return readiness


def test_not_ready_before_the_first_sync_and_again_when_it_is_too_long_ago() -> None:
    clock = StillClock()
    readiness = a_leaders_readiness(clock)
    assert not readiness.verdict().ready
    readiness.emit(PollFailed(reason="Unreachable", message=""))
    assert readiness.verdict().age_seconds is None
    readiness.emit(PollAnswered(changed=False, took_seconds=1))
    clock.pass_by(300)
    assert readiness.verdict().ready
    clock.pass_by(1)
    verdict = readiness.verdict()
    assert not verdict.ready
    assert verdict.age_seconds == 301
    assert "2026-01-01T12:00:00" in verdict.why


def test_an_answer_that_was_not_accepted_does_not_make_ready() -> None:
    readiness = a_leaders_readiness(StillClock())
    readiness.emit(PollAnswered(changed=True, took_seconds=1))
    assert not readiness.verdict().ready


def test_a_corrected_wall_clock_changes_no_verdict() -> None:
    clock = StillClock()
    readiness = a_leaders_readiness(clock)
    readiness.emit(PollAnswered(changed=False, took_seconds=1))
    clock.at = clock.at.replace(year=2036)
    assert readiness.verdict().ready
