"""The admin API's calls about clusters and the tokens that let them in."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Literal

from agent.wire.problems import Code
from agent.wire.reports import AgentReportV1
from agent.wire.sealing_key import SealingKeyV1
from control_plane.faults import NotFound
from control_plane.services.accounts import Role
from control_plane.services.membership import TokenWish
from control_plane.store.clusters import ClusterRow
from control_plane.store.tokens import TokenRow
from control_plane.web.admin.frames import (
    AgentRecordsPageV1,
    AgentRecordsV1,
    AgentRecordV1,
    CertificateV1,
    ClusterDetailV1,
    ClustersV1,
    ClusterV1,
    NewTokenV1,
    NothingV1,
    TokensV1,
    TokenV1,
    TokenWishV1,
)
from control_plane.web.admin.route import Answer, Call, Route


async def clusters(call: Call) -> Answer:
    """Every cluster."""
    rows = await call.services.membership.clusters()
    return Answer(ClustersV1(clusters=tuple(_cluster(row) for row in rows)))


async def cluster(call: Call) -> Answer:
    """One cluster with its certificates."""
    member = await call.services.membership.cluster(call.path["cluster"])
    certificates = (
        CertificateV1(serial=one.serial, not_before=one.not_before, not_after=one.not_after, revoked_at=one.revoked_at)
        for one in member.certificates
    )
    return Answer(ClusterDetailV1(cluster=_cluster(member.cluster), certificates=tuple(certificates)))


async def sealing_key(call: Call) -> Answer:
    """What secret values for a cluster are sealed to, with the proof whose key it is."""
    row = (await call.services.membership.cluster(call.path["cluster"])).cluster
    if not row.sealing_key_signature:
        raise NotFound(
            Code.NOT_FOUND,
            f"the cluster {row.name} has told no sealing key",
            hint="its agent tells it when it enrols; let it enrol again if it did before this was kept",
        )
    card = SealingKeyV1(
        cluster=row.name,
        sealing_key=row.sealing_key,
        sealing_key_signature=row.sealing_key_signature,
        certificate=row.certificate,
    )
    return Answer(card)


async def revoke(call: Call) -> Answer:
    """Shut a cluster's agent out."""
    await call.services.membership.revoke(call.path["cluster"])
    return await cluster(call)


async def records(call: Call) -> Answer:
    """What a cluster's agent did."""
    page = call.asked(AgentRecordsPageV1)
    rows = await call.services.agent_trail.page(call.path["cluster"], after=page.after, limit=page.limit)
    return Answer(
        AgentRecordsV1(
            records=tuple(
                AgentRecordV1(id=row.id, received_at=row.received_at, text=row.text, fault=row.fault) for row in rows
            )
        )
    )


async def tokens(call: Call) -> Answer:
    """Every enrolment token."""
    now = call.services.clock.now()
    rows = await call.services.membership.tokens()
    return Answer(TokensV1(tokens=tuple(_token(row, now=now) for row in rows)))


async def create_token(call: Call) -> Answer:
    """A one-time token for a cluster."""
    wish = call.read(TokenWishV1)
    made = await call.services.membership.create_token(
        TokenWish(wish.cluster, wish.labels, timedelta(seconds=wish.ttl_seconds), call.caller.name)
    )
    frame = NewTokenV1(
        token=_token(made.row, now=made.row.created_at),
        secret=made.bearer.reveal(),
        root_fingerprint=call.services.root_fingerprint,
    )
    return Answer(frame, about=f"{wish.cluster}/{made.row.id}")


async def revoke_token(call: Call) -> Answer:
    """Make an unused token worthless."""
    await call.services.membership.revoke_token(call.path["token"])
    return Answer(NothingV1())


def _cluster(row: ClusterRow) -> ClusterV1:
    return ClusterV1(
        name=row.name,
        state=row.state,
        labels=row.labels,
        created_at=row.created_at,
        enrolled_at=row.enrolled_at,
        seen_at=row.seen_at,
        agent=_agent(row.agent) if row.agent else None,
    )


def _agent(body: Any) -> AgentReportV1:
    return AgentReportV1.model_validate(body, extra="ignore", by_alias=True, by_name=False)


def _token(row: TokenRow, *, now: datetime) -> TokenV1:
    return TokenV1(
        id=row.id,
        cluster=row.cluster,
        labels=row.labels,
        state=_token_state(row, now=now),
        created_by=row.created_by,
        created_at=row.created_at,
        expires_at=row.expires_at,
        used_at=row.used_at,
        revoked_at=row.revoked_at,
    )


def _token_state(row: TokenRow, *, now: datetime) -> Literal["open", "used", "revoked", "expired"]:
    if row.used_at is not None:
        return "used"
    if row.revoked_at is not None:
        return "revoked"
    return "expired" if row.expires_at <= now else "open"


ROUTES = (
    Route(method="GET", path="/clusters", name="listClusters", summary="List clusters", tag="clusters",
          needs=Role.VIEWER, handler=clusters, answer=ClustersV1),
    Route(method="GET", path="/clusters/{cluster}", name="readCluster", summary="Read a cluster", tag="clusters",
          needs=Role.VIEWER, handler=cluster, answer=ClusterDetailV1, faults=(404,)),
    Route(method="GET", path="/clusters/{cluster}/sealing-key", name="readSealingKey",
          summary="Read what secret values for a cluster are sealed to", tag="clusters", needs=Role.VIEWER,
          handler=sealing_key, answer=SealingKeyV1, faults=(404,)),
    Route(method="POST", path="/clusters/{cluster}/revoke", name="revokeCluster",
          summary="Shut a cluster's agent out", tag="clusters", needs=Role.ADMIN, handler=revoke,
          answer=ClusterDetailV1, faults=(404,)),
    Route(method="GET", path="/clusters/{cluster}/audit", name="readAgentAudit",
          summary="Read what a cluster's agent did", tag="audit", needs=Role.ADMIN, handler=records,
          query=AgentRecordsPageV1, answer=AgentRecordsV1, faults=(404,)),
    Route(method="GET", path="/tokens", name="listTokens", summary="List enrolment tokens", tag="tokens",
          needs=Role.ADMIN, handler=tokens, answer=TokensV1),
    Route(method="POST", path="/tokens", name="createToken", summary="Create a one-time enrolment token",
          tag="tokens", needs=Role.ADMIN, handler=create_token, body=TokenWishV1, answer=NewTokenV1, status=201,
          faults=(422,)),
    Route(method="DELETE", path="/tokens/{token}", name="revokeToken", summary="Revoke an unused token",
          tag="tokens", needs=Role.ADMIN, handler=revoke_token, answer=NothingV1, faults=(404, 409)),
)  # fmt: skip
