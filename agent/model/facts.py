"""Facts that the loops state while they work; metrics, log lines and audit records are made from them by the sinks."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from agent.model.changes import Change
from agent.model.desired import Entry, Standing


@dataclass(frozen=True, slots=True)
class PollAnswered:
    """The control plane answered a poll: with a new index, or with nothing new."""

    changed: bool
    took_seconds: float


@dataclass(frozen=True, slots=True)
class PollFailed:
    """A poll brought nothing: ``reason`` is the error's CamelCase word."""

    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class IndexAccepted:
    """A signed index was verified and kept in the cluster."""

    standing: Standing
    documents: int


@dataclass(frozen=True, slots=True)
class RevisionAccepted:
    """A document came into force that was not in force before."""

    revision: Entry


@dataclass(frozen=True, slots=True)
class Enrolled:
    """The agent has a new identity, by a one-time token."""

    cluster: str
    not_after: datetime


@dataclass(frozen=True, slots=True)
class SpoolDegraded:
    """Something is wrong with the outbox on disk; ``reason`` is a CamelCase word."""

    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class AuditNotKept:
    """Audit records that wait could not be kept in the cluster too; they are still in the outbox."""

    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class StateRefused:
    """Desired state was refused; ``subject`` is an instance's id or ``index``."""

    subject: str
    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class ChangeApplied:
    """One object was changed in the cluster on behalf of an instance."""

    instance_id: str
    change: Change
    took_seconds: float


@dataclass(frozen=True, slots=True)
class ReconcileFinished:
    """One pass over one instance ended without an error."""

    instance_id: str
    changes: int
    took_seconds: float


@dataclass(frozen=True, slots=True)
class ReconcileFailed:
    """One pass over one instance ended with an error; it is tried again."""

    instance_id: str
    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class OrderBegun:
    """An order was written down, and its effect begins; ``kind`` is a word of the index."""

    order_id: str
    instance_id: str
    kind: str


@dataclass(frozen=True, slots=True)
class OrderEnded:
    """What became of an order was written down."""

    order_id: str
    instance_id: str
    kind: str
    outcome: str
    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class ReportDelivered:
    """A batch of reports reached the control plane; ``reports`` counts its letters."""

    reports: int


@dataclass(frozen=True, slots=True)
class ReportDelayed:
    """A batch of reports did not get through; it is kept within the outbox's bound."""

    waiting: int
    dropped: int
    reason: str


@dataclass(frozen=True, slots=True)
class LeadershipTaken:
    """This replica leads from now on; ``term`` is the Lease's leaseTransitions."""

    term: int
    holder: str
    campaign_seconds: float


@dataclass(frozen=True, slots=True)
class LeadershipLost:
    """This replica leads no longer. ``reason``: ``Released`` by us, ``Lapsed`` unrenewed, or ``Deposed`` by another."""

    term: int
    holder: str
    reason: str


@dataclass(frozen=True, slots=True)
class StoodBy:
    """Another replica leads, and this one waits for its turn."""

    term: int
    holder: str


@dataclass(frozen=True, slots=True)
class LeaseFailed:
    """The Lease could not be read or written; it is tried again soon."""

    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class CacheFilled:
    """Every watched kind was listed in full once since the start."""

    took_seconds: float


@dataclass(frozen=True, slots=True)
class CertificateRenewed:
    """The agent has a new certificate for a new key, kept and in use; ``ends`` is when it ends."""

    ends: str


@dataclass(frozen=True, slots=True)
class RenewalFailed:
    """The certificate is to be renewed and could not be; it is tried again."""

    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class TrustFollowed:
    """The agent goes by a newer trust bundle, which the one before vouches for."""

    version: int


@dataclass(frozen=True, slots=True)
class TrustFailed:
    """Whether there is a newer trust bundle could not be told, or what came is none; it is tried again."""

    reason: str
    message: str


Fact = (
    PollAnswered
    | PollFailed
    | IndexAccepted
    | RevisionAccepted
    | Enrolled
    | SpoolDegraded
    | AuditNotKept
    | StateRefused
    | ChangeApplied
    | ReconcileFinished
    | ReconcileFailed
    | OrderBegun
    | OrderEnded
    | ReportDelivered
    | ReportDelayed
    | LeadershipTaken
    | LeadershipLost
    | StoodBy
    | LeaseFailed
    | CacheFilled
    | CertificateRenewed
    | RenewalFailed
    | TrustFollowed
    | TrustFailed
)
