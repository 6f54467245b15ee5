from __future__ import annotations

import re

from prometheus_client.parser import text_string_to_metric_families

from agent.model.changes import Action, Change
from agent.model.desired import Standing
from agent.model.facts import (
    ChangeApplied,
    IndexAccepted,
    PollAnswered,
    PollFailed,
    ReconcileFailed,
    ReconcileFinished,
    ReportDelayed,
    ReportDelivered,
    StateRefused,
)
from agent.model.objects import ObjectRef
from agent.telemetry.metrics import Metrics
from tests.support.clock import BEGIN, StillClock
from tests.unit.telemetry.facts import EVERY_FACT


def metrics() -> Metrics:
    return Metrics(version="1.2.3", clock=StillClock())


def samples(counting: Metrics) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(counting.exposition().decode())
        for sample in family.samples
    }


def value(counting: Metrics, name: str, **labels: str) -> float:
    return samples(counting)[name, tuple(sorted(labels.items()))]


def test_every_fact_changes_something_that_prometheus_sees() -> None:
    for fact in EVERY_FACT:
        counting = metrics()
        before = samples(counting)
        counting.emit(fact)
        assert samples(counting) != before, type(fact).__name__


def test_polls_are_counted_by_outcome_and_failures_by_reason() -> None:
    counting = metrics()
    counting.emit(PollAnswered(changed=True, took_seconds=0.1))
    counting.emit(PollAnswered(changed=False, took_seconds=50.0))
    counting.emit(PollFailed(reason="Unreachable", message="nobody answers"))
    assert value(counting, "perigee_polls_total", outcome="changed") == 1
    assert value(counting, "perigee_polls_total", outcome="unchanged") == 1
    assert value(counting, "perigee_polls_total", outcome="failed") == 1
    assert value(counting, "perigee_poll_failures_total", reason="Unreachable") == 1
    assert value(counting, "perigee_poll_duration_seconds_bucket", le="1.0") == 1
    assert value(counting, "perigee_control_plane_answered_timestamp_seconds") == BEGIN.timestamp()


def test_the_standing_and_the_moment_of_its_acceptance_are_gauges() -> None:
    counting = metrics()
    assert value(counting, "perigee_index_accepted_timestamp_seconds") == 0
    counting.emit(IndexAccepted(standing=Standing(2, 7), documents=3))
    assert value(counting, "perigee_index_accepted_timestamp_seconds") == BEGIN.timestamp()
    assert value(counting, "perigee_index_epoch") == 2
    assert value(counting, "perigee_index_version") == 7
    assert value(counting, "perigee_index_documents") == 3


def test_changes_and_passes_are_counted_and_timed() -> None:
    counting = metrics()
    ref = ObjectRef("apps/v1", "Deployment", "ns", "scheduler")
    counting.emit(ChangeApplied("id", Change(ref, Action.REPAIR, "replicas were changed"), 0.02))
    counting.emit(ReconcileFinished("id", 1, 0.5))
    counting.emit(ReconcileFailed("id", "Conflict", "changed meanwhile"))
    assert value(counting, "perigee_changes_total", kind="Deployment", action="repair") == 1
    assert value(counting, "perigee_reconciles_total", outcome="finished") == 1
    assert value(counting, "perigee_reconciles_total", outcome="failed") == 1
    assert value(counting, "perigee_reconcile_failures_total", reason="Conflict") == 1
    assert value(counting, "perigee_reconcile_duration_seconds_count") == 1


def test_what_the_outbox_drops_is_a_counter_although_the_fact_is_a_total() -> None:
    counting = metrics()
    counting.emit(ReportDelayed(waiting=90, dropped=10, reason="Unreachable"))
    counting.emit(ReportDelayed(waiting=95, dropped=25, reason="Unreachable"))
    assert value(counting, "perigee_outbox_dropped_total") == 25
    assert value(counting, "perigee_outbox_waiting") == 95
    counting.emit(ReportDelivered(reports=60))
    assert value(counting, "perigee_outbox_waiting") == 35
    counting.emit(ReportDelivered(reports=60))
    assert value(counting, "perigee_outbox_waiting") == 0
    assert value(counting, "perigee_reports_delivered_total") == 120


def test_labels_are_bounded_in_number_and_in_form() -> None:
    counting = metrics()
    for number in range(1000):
        counting.emit(StateRefused(subject="index", reason=f"Reason{number}", message=""))
    counting.emit(StateRefused(subject="index", reason="a sentence, 0f1e-uid", message=""))
    reasons = {
        dict(labels)["reason"]
        for (name, labels), _ in samples(counting).items()
        if name == "perigee_state_refused_total"
    }
    assert len(reasons) == 65
    assert value(counting, "perigee_state_refused_total", reason="Other") == 1000 - 64 + 1


def test_no_label_value_tells_an_instance_a_message_or_an_object() -> None:
    counting = metrics()
    for fact in EVERY_FACT:
        counting.emit(fact)
    text = counting.exposition().decode()
    assert not re.search(r"canary", text)


def test_figures_of_others_are_asked_for_at_each_scrape() -> None:
    counting = metrics()
    requests = {"get": 3}
    skew: list[float | None] = [None]
    counting.tally("perigee_kubernetes_requests", "Requests.", lambda: requests, label="verb")
    counting.show("perigee_clock_skew_seconds", "How far our clock is ahead.", lambda: skew[0])
    assert value(counting, "perigee_kubernetes_requests_total", verb="get") == 3
    assert ("perigee_clock_skew_seconds", ()) not in samples(counting)
    requests["get"] = 5
    skew[0] = 1.5
    assert value(counting, "perigee_kubernetes_requests_total", verb="get") == 5
    assert value(counting, "perigee_clock_skew_seconds") == 1.5


def test_names_follow_the_conventions_of_prometheus() -> None:
    counting = metrics()
    counting.tally("perigee_kubernetes_requests", "Requests.", lambda: {"get": 1}, label="verb")
    families = list(text_string_to_metric_families(counting.exposition().decode()))
    assert len(families) > 15
    for family in families:
        assert re.fullmatch(r"perigee_[a-z_]+", family.name), family.name
        assert family.documentation.endswith("."), family.name
        if family.type == "counter":
            assert all(sample.name.endswith(("_total", "_created")) for sample in family.samples), family.name
        if family.type == "histogram":
            assert family.name.endswith("_seconds"), family.name


def test_two_agents_in_one_process_do_not_mix() -> None:
    one, other = metrics(), metrics()
    one.emit(ReportDelivered(reports=4))
    assert value(other, "perigee_reports_delivered_total") == 0
    assert value(one, "perigee_build_info", version="1.2.3", python=python()) == 1


def python() -> str:
    import platform

    return platform.python_version()
