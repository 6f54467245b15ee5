"""One fact of every kind; the words that must not become a label's value contain ``canary``."""

from __future__ import annotations

from datetime import UTC, datetime

from agent.model.changes import Action, Change
from agent.model.desired import Entry, Standing
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
from agent.model.objects import ObjectRef

EVERY_FACT: tuple[Fact, ...] = (
    PollAnswered(changed=True, took_seconds=0.1234567),
    PollFailed(reason="Unreachable", message="canary: nobody answers"),
    IndexAccepted(standing=Standing(1, 2), documents=3),
    StateRefused(subject="canary-id", reason="BadSignature", message="canary"),
    ChangeApplied(
        "canary-id",
        Change(ObjectRef("apps/v1", "Deployment", "canary", "canary"), Action.UPDATE, "canary changed"),
        0.2,
    ),
    ReconcileFinished(instance_id="canary-id", changes=1, took_seconds=0.5),
    ReconcileFailed(instance_id="canary-id", reason="Conflict", message="canary"),
    OrderBegun(order_id="canary-order", instance_id="canary-id", kind="restart"),
    OrderEnded("canary-order", "canary-id", "restart", "Done", "Restarted", "canary"),
    ReportDelivered(reports=2),
    ReportDelayed(waiting=3, dropped=1, reason="Unreachable"),
    LeadershipTaken(term=7, holder="canary", campaign_seconds=0.1),
    LeadershipLost(term=7, holder="canary", reason="Lapsed"),
    StoodBy(term=8, holder="canary"),
    LeaseFailed(reason="Unreachable", message="canary"),
    CacheFilled(took_seconds=0.25),
    RevisionAccepted(Entry("canary-id", 4, "ab" * 32, 100)),
    Enrolled("canary", datetime(2026, 1, 1, tzinfo=UTC)),
    SpoolDegraded(reason="DiskFull", message="canary"),
    AuditNotKept(reason="Conflict", message="canary"),
    CertificateRenewed(ends="canary"),
    RenewalFailed(reason="NotAuthorised", message="canary"),
    TrustFollowed(version=9),
    TrustFailed(reason="BadSignature", message="canary"),
)
