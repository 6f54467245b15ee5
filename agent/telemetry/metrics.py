"""Metrics, made from facts: every name is declared here once, and every label has a bounded set of values.

Here: counting and the registry that ``/metrics`` shows. Not here: serving it (``probes``). Names follow Prometheus'
conventions (base units, ``_total``, ``_timestamp_seconds``); no label carries a uid, an instance or a message.
"""

from __future__ import annotations

import platform
import re
from collections.abc import Callable, Iterator, Mapping
from functools import singledispatchmethod

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.registry import Collector

from agent.model.facts import (
    AuditNotKept,
    CacheFilled,
    CertificateRenewed,
    ChangeApplied,
    Enrolled,
    Fact,
    IndexAccepted,
    LeadershipLost,
    LeadershipTaken,
    LeaseFailed,
    OrderBegun,
    OrderEnded,
    PollAnswered,
    PollFailed,
    ReconcileFailed,
    ReconcileFinished,
    RenewalFailed,
    ReportDelayed,
    ReportDelivered,
    RevisionAccepted,
    SpoolDegraded,
    StateRefused,
    StoodBy,
    TrustFailed,
    TrustFollowed,
)
from agent.ports import Clock, Telemetry

CONTENT_TYPE = CONTENT_TYPE_LATEST
_MOST_VALUES = 64
_WORD = re.compile(r"[A-Za-z][A-Za-z0-9]{0,63}")
# A poll is held open for most of a minute; anything near zero is news, anything above the wait is trouble.
_POLL_BUCKETS = (0.05, 0.25, 1, 5, 10, 25, 50, 60, 90)


class _Bounded:
    """Keeps the values of one label to words, and to so many of them; the rest is ``Other``."""

    def __init__(self) -> None:
        self._known: set[str] = set()

    def __call__(self, value: str) -> str:
        if value not in self._known:
            if len(self._known) >= _MOST_VALUES or not _WORD.fullmatch(value):
                return "Other"
            self._known.add(value)
        return value


class _Callbacks(Collector):
    """Figures that somebody else keeps; asked for at each scrape. A figure that is None is left out."""

    def __init__(self) -> None:
        self.counters: dict[str, tuple[str, str, Callable[[], Mapping[str, float]]]] = {}
        self.gauges: dict[str, tuple[str, Callable[[], float | None]]] = {}

    def collect(self) -> Iterator[Metric]:
        for name, (meaning, label, counts) in self.counters.items():
            family = CounterMetricFamily(name, meaning, labels=[label])
            for value, count in sorted(counts().items()):
                family.add_metric([value], count)
            yield family
        for name, (meaning, figure) in self.gauges.items():
            shown = figure()
            if shown is not None:
                yield GaugeMetricFamily(name, meaning, value=shown)


class Metrics(Telemetry):
    """The sink that counts. Each has a registry of its own, so that two agents in one process do not mix."""

    def __init__(self, *, version: str, clock: Clock) -> None:
        self.registry = CollectorRegistry()
        self._clock = clock
        self._callbacks = _Callbacks()
        self._reason, self._kind = _Bounded(), _Bounded()
        self._queued = self._dropped = 0
        self._declare_uplink()
        self._declare_work()
        self._declare_lease()
        build = Gauge(
            "perigee_build_info", "Always 1; the labels say what runs.", ["version", "python"], registry=self.registry
        )
        build.labels(version, platform.python_version()).set(1)
        self.registry.register(self._callbacks)

    def _declare_uplink(self) -> None:
        into = self.registry
        self._polls = Counter("perigee_polls", "Polls of the control plane, by outcome.", ["outcome"], registry=into)
        self._poll_failures = Counter(
            "perigee_poll_failures", "Polls that brought nothing, by reason.", ["reason"], registry=into
        )
        self._poll_seconds = Histogram(
            "perigee_poll_duration_seconds", "How long a poll took.", buckets=_POLL_BUCKETS, registry=into
        )
        self._accepted_at = Gauge(
            "perigee_index_accepted_timestamp_seconds", "When an index was last verified and kept.", registry=into
        )
        self._answered_at = Gauge(
            "perigee_control_plane_answered_timestamp_seconds", "When a poll was last answered.", registry=into
        )
        self._epoch = Gauge("perigee_index_epoch", "Epoch of the index that is in force.", registry=into)
        self._version = Gauge("perigee_index_version", "Version of the index that is in force.", registry=into)
        self._documents = Gauge("perigee_index_documents", "Documents that the index lists.", registry=into)
        self._refused = Counter(
            "perigee_state_refused", "Desired state that was refused, by reason.", ["reason"], registry=into
        )
        self._revisions = Counter("perigee_revisions_accepted", "Documents that came into force.", registry=into)
        self._enrolments = Counter("perigee_enrolments", "Times that the agent enrolled.", registry=into)
        self._spool_troubles = Counter(
            "perigee_spool_troubles", "Times that the outbox on disk failed, by reason.", ["reason"], registry=into
        )
        self._audit_troubles = Counter(
            "perigee_audit_keep_failures",
            "Times that audit records could not be kept in the cluster, by reason.",
            ["reason"],
            registry=into,
        )
        self._delivered = Counter("perigee_reports_delivered", "Statuses and records delivered.", registry=into)
        self._delayed = Counter(
            "perigee_report_failures", "Batches that did not get through, by reason.", ["reason"], registry=into
        )
        self._waiting = Gauge("perigee_outbox_waiting", "Statuses and records that wait for delivery.", registry=into)
        self._renewals = Counter(
            "perigee_certificate_renewals",
            "Renewals of the agent's certificate, by outcome.",
            ["outcome"],
            registry=into,
        )
        self._trust = Gauge("perigee_trust_version", "Version of the trust bundle that was followed to.", registry=into)
        self._trust_failures = Counter(
            "perigee_trust_failures",
            "Looks for a newer trust bundle that failed, by reason.",
            ["reason"],
            registry=into,
        )
        self._lost = Counter(
            "perigee_outbox_dropped", "Statuses and records dropped from a full outbox.", registry=into
        )

    def _declare_work(self) -> None:
        into = self.registry
        self._changes = Counter(
            "perigee_changes", "Changes made to objects, by kind and action.", ["kind", "action"], registry=into
        )
        self._change_seconds = Histogram("perigee_change_duration_seconds", "How long a change took.", registry=into)
        self._passes = Counter(
            "perigee_reconciles", "Passes over one instance, by outcome.", ["outcome"], registry=into
        )
        self._pass_failures = Counter(
            "perigee_reconcile_failures", "Passes that failed, by reason.", ["reason"], registry=into
        )
        self._pass_seconds = Histogram("perigee_reconcile_duration_seconds", "How long a pass took.", registry=into)
        self._orders_begun = Counter("perigee_orders_begun", "Orders whose effect began.", registry=into)
        self._orders = Counter(
            "perigee_orders", "Orders that ended, by outcome and reason.", ["outcome", "reason"], registry=into
        )
        self._filled_seconds = Gauge(
            "perigee_cache_filled_seconds",
            "How long the first full listing took; 0 before that.",
            registry=into,
        )

    def _declare_lease(self) -> None:
        into = self.registry
        self._leader = Gauge("perigee_leader", "1 while this replica leads, else 0.", registry=into)
        self._term = Gauge("perigee_lease_transitions", "The term that this replica saw last.", registry=into)
        self._terms_ended = Counter(
            "perigee_leadership_lost", "Terms of this replica that ended, by reason.", ["reason"], registry=into
        )
        self._lease_failures = Counter(
            "perigee_lease_failures", "Times that the Lease began to fail, by reason.", ["reason"], registry=into
        )

    def tally(self, name: str, meaning: str, counts: Callable[[], Mapping[str, float]], *, label: str) -> None:
        """Show a counter whose counts somebody else keeps, by the values of one label; asked for at each scrape."""
        self._callbacks.counters[name] = (meaning, label, counts)

    def show(self, name: str, meaning: str, figure: Callable[[], float | None]) -> None:
        """Show a gauge whose value ``figure`` tells at each scrape; ``name`` begins with ``perigee_``."""
        self._callbacks.gauges[name] = (meaning, figure)

    def exposition(self) -> bytes:
        """Everything, in Prometheus' text format."""
        return generate_latest(self.registry)

    def emit(self, fact: Fact) -> None:
        """Count a fact."""
        self._count(fact)

    @singledispatchmethod
    def _count(self, fact: Fact) -> None:
        raise TypeError(f"no metric knows the fact {type(fact).__name__}")

    @_count.register
    def _(self, fact: PollAnswered) -> None:
        self._polls.labels("changed" if fact.changed else "unchanged").inc()
        self._poll_seconds.observe(fact.took_seconds)
        self._answered_at.set(self._clock.now().timestamp())

    @_count.register
    def _(self, fact: PollFailed) -> None:
        self._polls.labels("failed").inc()
        self._poll_failures.labels(self._reason(fact.reason)).inc()

    @_count.register
    def _(self, fact: IndexAccepted) -> None:
        self._accepted_at.set(self._clock.now().timestamp())
        self._epoch.set(fact.standing.epoch)
        self._version.set(fact.standing.version)
        self._documents.set(fact.documents)

    @_count.register
    def _(self, fact: RevisionAccepted) -> None:  # noqa: ARG002 - each counts as one
        self._revisions.inc()

    @_count.register
    def _(self, fact: Enrolled) -> None:  # noqa: ARG002 - as above
        self._enrolments.inc()

    @_count.register
    def _(self, fact: SpoolDegraded) -> None:
        self._spool_troubles.labels(self._reason(fact.reason)).inc()

    @_count.register
    def _(self, fact: AuditNotKept) -> None:
        self._audit_troubles.labels(self._reason(fact.reason)).inc()

    @_count.register
    def _(self, fact: StateRefused) -> None:
        self._refused.labels(self._reason(fact.reason)).inc()

    @_count.register
    def _(self, fact: ChangeApplied) -> None:
        self._changes.labels(self._kind(fact.change.ref.kind), fact.change.action.value).inc()
        self._change_seconds.observe(fact.took_seconds)

    @_count.register
    def _(self, fact: ReconcileFinished) -> None:
        self._passes.labels("finished").inc()
        self._pass_seconds.observe(fact.took_seconds)

    @_count.register
    def _(self, fact: OrderBegun) -> None:  # noqa: ARG002 - of which kind, an index says in any words
        self._orders_begun.inc()

    @_count.register
    def _(self, fact: OrderEnded) -> None:
        self._orders.labels(fact.outcome, self._reason(fact.reason)).inc()

    @_count.register
    def _(self, fact: ReconcileFailed) -> None:
        self._passes.labels("failed").inc()
        self._pass_failures.labels(self._reason(fact.reason)).inc()

    @_count.register
    def _(self, fact: ReportDelivered) -> None:
        self._delivered.inc(fact.reports)
        self._queued = max(0, self._queued - fact.reports)
        self._waiting.set(self._queued)

    @_count.register
    def _(self, fact: ReportDelayed) -> None:
        self._delayed.labels(self._reason(fact.reason)).inc()
        self._queued = fact.waiting
        self._waiting.set(self._queued)
        # The outbox counts since its start; a counter only wants what is new.
        self._lost.inc(max(0, fact.dropped - self._dropped))
        self._dropped = fact.dropped

    @_count.register
    def _(self, fact: LeadershipTaken) -> None:
        self._leader.set(1)
        self._term.set(fact.term)

    @_count.register
    def _(self, fact: LeadershipLost) -> None:
        self._leader.set(0)
        self._terms_ended.labels(self._reason(fact.reason)).inc()

    @_count.register
    def _(self, fact: StoodBy) -> None:
        self._term.set(fact.term)

    @_count.register
    def _(self, fact: LeaseFailed) -> None:
        self._lease_failures.labels(self._reason(fact.reason)).inc()

    @_count.register
    def _(self, fact: CacheFilled) -> None:
        self._filled_seconds.set(fact.took_seconds)

    @_count.register
    def _(self, _fact: CertificateRenewed) -> None:
        self._renewals.labels("renewed").inc()

    @_count.register
    def _(self, _fact: RenewalFailed) -> None:
        self._renewals.labels("failed").inc()

    @_count.register
    def _(self, fact: TrustFollowed) -> None:
        self._trust.set(fact.version)

    @_count.register
    def _(self, fact: TrustFailed) -> None:
        self._trust_failures.labels(self._reason(fact.reason)).inc()
