"""What is worth a record, and what is gathered into one."""

from __future__ import annotations

from dataclasses import replace

from agent.model.audit import AuditEvent
from agent.model.changes import Action, Change
from agent.model.desired import Entry, Standing
from agent.model.facts import (
    CertificateRenewed,
    ChangeApplied,
    Enrolled,
    IndexAccepted,
    LeadershipTaken,
    OrderBegun,
    OrderEnded,
    PollAnswered,
    ReconcileFailed,
    ReconcileFinished,
    RevisionAccepted,
    StateRefused,
    TrustFollowed,
)
from agent.model.objects import ObjectRef
from agent.telemetry.audit import MOST_WEIGHT, AuditTrail
from tests.support.clock import BEGIN, StillClock

CHANGE = Change(ObjectRef("v1", "ConfigMap", "af", "config"), Action.CREATE, "the document wants it")


def trail() -> AuditTrail:
    return AuditTrail(StillClock())


def test_the_changes_of_one_pass_are_one_entry_and_a_pass_without_any_is_none() -> None:
    sink = trail()
    for _ in range(34):
        sink.emit(ChangeApplied("one", CHANGE, 0.1))
        sink.emit(ChangeApplied("two", CHANGE, 0.1))
    assert sink.take() == ()
    sink.emit(ReconcileFinished("one", 34, 1))
    sink.emit(ReconcileFailed("two", "Conflict", "later"))
    sink.emit(ReconcileFinished("three", 0, 1))
    one, two = sink.take()
    assert (one.event, one.subject, one.reason, len(one.changes)) == (AuditEvent.CHANGED, "one", "", 34)
    assert (two.subject, two.reason, len(two.changes)) == ("two", "Conflict", 34)
    assert sink.take() == ()


def test_a_pass_that_never_ended_is_an_entry_at_the_end() -> None:
    sink = trail()
    sink.emit(ChangeApplied("one", CHANGE, 0.1))
    sink.close()
    (entry,) = sink.take()
    assert (entry.reason, entry.changes) == ("Unfinished", (CHANGE,))


def test_the_revisions_of_one_index_are_one_entry_and_an_index_without_news_is_none() -> None:
    sink = trail()
    revisions = tuple(Entry(str(number), 1, "ab" * 32, 10) for number in range(3))
    for revision in revisions:
        sink.emit(RevisionAccepted(revision))
    sink.emit(IndexAccepted(Standing(2, 7), 3))
    sink.emit(IndexAccepted(Standing(2, 8), 3))
    (entry,) = sink.take()
    assert (entry.event, entry.revisions, entry.message) == (AuditEvent.ACCEPTED, revisions, "2.7")


def test_the_same_refusal_poll_after_poll_is_one_event_until_something_else_happens() -> None:
    sink = trail()
    refused = StateRefused("index", "BadSignature", "nobody signed it")
    for _ in range(5):
        sink.emit(refused)
    sink.emit(replace(refused, reason="RolledBack"))
    sink.emit(IndexAccepted(Standing(2, 7), 0))
    sink.emit(refused)
    assert [entry.reason for entry in sink.take()] == ["BadSignature", "RolledBack", "BadSignature"]


def test_identity_is_told_and_the_everyday_is_not() -> None:
    sink = trail()
    sink.emit(PollAnswered(changed=False, took_seconds=1))
    sink.emit(LeadershipTaken(1, "pod", 1))
    assert not sink.news.is_set()
    sink.emit(Enrolled("north", BEGIN))
    assert sink.news.is_set()
    sink.emit(CertificateRenewed("2026-04-01T00:00:00+00:00"))
    sink.emit(TrustFollowed(9))
    assert [entry.event for entry in sink.take()] == [AuditEvent.ENROLLED, AuditEvent.RENEWED, AuditEvent.TRUSTED]


def test_an_order_is_told_when_it_begins_and_when_it_ends() -> None:
    sink = trail()
    sink.emit(OrderBegun("o-1", "i-1", "restart"))
    sink.emit(OrderEnded("o-1", "i-1", "restart", "Done", "Restarted", "scheduler"))
    assert [(entry.event, entry.subject, entry.reason, entry.message) for entry in sink.take()] == [
        (AuditEvent.ORDERED, "i-1", "Begun", "restart o-1"),
        (AuditEvent.ORDERED, "i-1", "Restarted", "restart o-1: Done: scheduler"),
    ]


def test_what_nobody_takes_is_bounded_and_counted() -> None:
    sink = trail()
    for number in range(MOST_WEIGHT + 3):
        sink.emit(StateRefused(str(number), "Malformed", "x"))
    gap, *entries = sink.take()
    assert (gap.event, gap.dropped) == (AuditEvent.GAP, 3)
    assert len(entries) == MOST_WEIGHT
