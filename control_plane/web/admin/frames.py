"""What the admin API takes and gives, as versioned frames; the OpenAPI document is made from these."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Literal

from pydantic import Field

from agent.model.instance import Retain
from agent.wire.frames import Frame
from agent.wire.reports import AgentReportV1, InstanceReportV1
from agent.wire.scalars import DnsLabel, LabelKey, LabelValue, Moment, Ordinal
from control_plane.ring import Kind
from control_plane.services.accounts import Role

_DAY = int(timedelta(days=1).total_seconds())


class InstanceV1(Frame):
    """An instance as it stands. ``listed`` False: its agent leaves it as it is."""

    id: str
    cluster: str
    name: str
    namespace: str
    state: str
    revision: int
    listed: bool
    updated_at: Moment


class InstancesV1(Frame):
    """Instances, by cluster and name."""

    instances: tuple[InstanceV1, ...]


class InstancesOfV1(Frame):
    """Of which cluster; absent: of all."""

    cluster: DnsLabel | None = None


class InstanceDocumentV1(Frame):
    """An instance with its present document and that document's SHA-256."""

    instance: InstanceV1
    digest: str
    document: dict[str, Any]


class PublishedV1(Frame):
    """What came of a change. ``unknown_fields``: they are kept, and this control plane does not know them."""

    instance: InstanceV1
    digest: str
    changed: bool
    unknown_fields: tuple[str, ...] = ()


class DeleteV1(Frame):
    """What outlives the deletion. Absent: everything; ``none``: nothing, so data is removed."""

    retain: tuple[Retain | Literal["none"], ...] = ()


class RollbackV1(Frame):
    """Which revision comes back."""

    revision: Ordinal


class RevisionV1(Frame):
    """One revision; ``restored``: the older one that a rollback brought back."""

    revision: int
    digest: str
    action: str
    author: str
    at: Moment
    restored: int | None = None


class HistoryV1(Frame):
    """Revisions, newest first."""

    revisions: tuple[RevisionV1, ...]


class PastStatusV1(Frame):
    """A status that the instance had."""

    observed_at: Moment
    status: InstanceReportV1


class StatusV1(Frame):
    """How an instance fares. ``applied``: its agent has applied the present revision."""

    instance: InstanceV1
    applied: bool
    received_at: Moment | None = None
    status: InstanceReportV1 | None = None
    history: tuple[PastStatusV1, ...] = ()


class ClusterV1(Frame):
    """A cluster and what its agent told last about itself."""

    name: str
    state: str
    labels: Mapping[str, str]
    created_at: Moment
    enrolled_at: Moment | None = None
    seen_at: Moment | None = None
    agent: AgentReportV1 | None = None


class ClustersV1(Frame):
    """Clusters, by name."""

    clusters: tuple[ClusterV1, ...]


class CertificateV1(Frame):
    """A certificate that was issued to a cluster's agent."""

    serial: str
    not_before: Moment
    not_after: Moment
    revoked_at: Moment | None = None


class ClusterDetailV1(Frame):
    """A cluster with every certificate that was issued to it."""

    cluster: ClusterV1
    certificates: tuple[CertificateV1, ...]


class TokenV1(Frame):
    """An enrolment token, without its secret."""

    id: str
    cluster: str
    labels: Mapping[str, str]
    state: Literal["open", "used", "revoked", "expired"]
    created_by: str
    created_at: Moment
    expires_at: Moment
    used_at: Moment | None = None
    revoked_at: Moment | None = None


class TokensV1(Frame):
    """Tokens, newest first."""

    tokens: tuple[TokenV1, ...]


class TokenWishV1(Frame):
    """The token to be made: for which cluster, with which labels, and for how many seconds."""

    cluster: DnsLabel
    labels: dict[LabelKey, LabelValue] = Field(default={}, max_length=32)
    ttl_seconds: int = Field(default=3600, strict=True, ge=1, le=366 * _DAY)


class NewTokenV1(Frame):
    """A token with its secret: the only time that it is shown. An agent also needs the fingerprint."""

    token: TokenV1
    secret: str = Field(repr=False)
    root_fingerprint: str


class UserV1(Frame):
    """Somebody with access to this API."""

    name: str
    role: Role
    created_at: Moment
    rotated_at: Moment


class UsersV1(Frame):
    """Users, by name."""

    users: tuple[UserV1, ...]


class UserWishV1(Frame):
    """The user to be made."""

    name: str = Field(min_length=1, max_length=63)
    role: Role


class NewAccessV1(Frame):
    """A user and the new bearer token: the only time that it is shown."""

    user: UserV1
    secret: str = Field(repr=False)


class CallerV1(Frame):
    """Who is calling, as we know them."""

    name: str
    role: Role


class AuditRecordV1(Frame):
    """One call: when, on which listener, who, as what, what, about what, how it ended, from where."""

    id: int
    at: Moment
    listener: str
    who: str
    role: str
    method: str
    path: str
    object: str
    outcome: str
    remote: str


class AuditV1(Frame):
    """Audit records, newest first."""

    records: tuple[AuditRecordV1, ...]


class AuditPageV1(Frame):
    """Which part of the trail: at most ``limit`` records, older than the record ``before``."""

    before: int | None = Field(default=None, ge=1)
    limit: int = Field(default=100, ge=1, le=1000)


class AgentRecordV1(Frame):
    """A record of what an agent did, its exact text; ``fault``: what was wrong with its place when it came."""

    id: int
    received_at: Moment
    text: str
    fault: str


class AgentRecordsV1(Frame):
    """An agent's records, in the order in which they came."""

    records: tuple[AgentRecordV1, ...]


class AgentRecordsPageV1(Frame):
    """Which part of them: at most ``limit``, after the one with the id ``after``."""

    after: int = Field(default=0, ge=0)
    limit: int = Field(default=100, ge=1, le=1000)


class RotationV1(Frame):
    """A rotation in progress: the first trust bundle that names the new key, and the clusters that it waits for."""

    kind: Kind
    version: int
    behind: tuple[str, ...]


class RotationWishV1(Frame):
    """What shall be rotated."""

    kind: Kind


class BegunV1(Frame):
    """The version of the trust bundle that names the new key beside the old one."""

    version: int


class FinishWishV1(Frame):
    """Whether to proceed although clusters have not acknowledged."""

    force: bool = Field(default=False, strict=True)


class FinishedV1(Frame):
    """What ended, and the clusters that were left behind."""

    finished: tuple[Kind, ...]
    left_behind: tuple[str, ...]


class TrustV1(Frame):
    """What agents pin, the newest trust bundle and its version, and the rotations that are in progress."""

    root_fingerprint: str
    version: int
    rotations: tuple[RotationV1, ...]
    trust_bundle: dict[str, Any]


class EpochV1(Frame):
    """The epoch that began."""

    epoch: int


class NothingV1(Frame):
    """The call is done and has nothing to tell."""
