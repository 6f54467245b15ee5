"""Clusters and the certificates that were issued to their agents, as rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from control_plane.store import rows
from control_plane.store.schema import CERTIFICATES, CLUSTERS


class ClusterState(StrEnum):
    """How we stand with a cluster's agent."""

    PENDING = "pending"
    """A token was made; nobody enrolled yet."""
    ACTIVE = "active"
    REVOKED = "revoked"


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterRow:
    """One cluster. ``agent`` is what its agent told last about itself, as it came over the wire; ``told_with`` is the
    serial of the certificate that it told it with; ``certificate`` (PEM) is for the identity key that signed the
    sealing key.
    """

    name: str
    state: str
    labels: Mapping[str, str]
    created_at: datetime
    sealing_key: str = ""
    sealing_key_signature: str = ""
    certificate: str = ""
    enrolled_at: datetime | None = None
    seen_at: datetime | None = None
    agent: Mapping[str, Any] | None = None
    agent_observed_at: datetime | None = None
    told_with: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateRow:
    """One client certificate; ``serial`` in hex, ``keyid`` names its key, ``authority`` who issued it, ``chain`` is
    PEM. The last three are empty of those that an older version issued.
    """

    serial: str
    cluster: str
    not_before: datetime
    not_after: datetime
    revoked_at: datetime | None = None
    keyid: str = ""
    authority: str = ""
    chain: str = ""


async def find(connection: AsyncConnection, name: str) -> ClusterRow | None:
    """The cluster of that name."""
    return await rows.one(connection, select(CLUSTERS).where(CLUSTERS.c.name == name), ClusterRow)


async def everything(connection: AsyncConnection) -> list[ClusterRow]:
    """Every cluster, by name."""
    return await rows.many(connection, select(CLUSTERS).order_by(CLUSTERS.c.name), ClusterRow)


async def add(connection: AsyncConnection, cluster: ClusterRow) -> None:
    """Keep a new cluster; the name must be free."""
    await connection.execute(
        insert(CLUSTERS).values(
            name=cluster.name,
            state=cluster.state,
            labels=dict(cluster.labels),
            created_at=cluster.created_at,
        )
    )


async def enrolled(connection: AsyncConnection, cluster: ClusterRow) -> None:
    """Write that an agent enrolled: state, labels, sealing key, moment."""
    await connection.execute(
        update(CLUSTERS)
        .where(CLUSTERS.c.name == cluster.name)
        .values(
            state=cluster.state,
            labels=dict(cluster.labels),
            sealing_key=cluster.sealing_key,
            sealing_key_signature=cluster.sealing_key_signature,
            certificate=cluster.certificate,
            enrolled_at=cluster.enrolled_at,
        )
    )


async def reported(connection: AsyncConnection, cluster: ClusterRow) -> None:
    """Write what the agent told about itself, and that it was seen."""
    await connection.execute(
        update(CLUSTERS)
        .where(CLUSTERS.c.name == cluster.name)
        .values(
            seen_at=cluster.seen_at,
            agent=None if cluster.agent is None else dict(cluster.agent),
            agent_observed_at=cluster.agent_observed_at,
            told_with=cluster.told_with,
        )
    )


async def revoke(connection: AsyncConnection, name: str, *, now: datetime) -> None:
    """Shut a cluster out: no certificate that was issued to it is accepted any more."""
    await connection.execute(update(CLUSTERS).where(CLUSTERS.c.name == name).values(state=ClusterState.REVOKED))
    await connection.execute(
        update(CERTIFICATES)
        .where(CERTIFICATES.c.cluster == name, CERTIFICATES.c.revoked_at.is_(None))
        .values(revoked_at=now)
    )


async def add_certificate(connection: AsyncConnection, certificate: CertificateRow) -> None:
    """Remember a certificate that was issued."""
    await connection.execute(
        insert(CERTIFICATES).values(
            serial=certificate.serial,
            cluster=certificate.cluster,
            not_before=certificate.not_before,
            not_after=certificate.not_after,
            keyid=certificate.keyid,
            authority=certificate.authority,
            chain=certificate.chain,
        )
    )


async def certificate(connection: AsyncConnection, serial: str) -> CertificateRow | None:
    """The certificate of that serial."""
    return await rows.one(connection, select(CERTIFICATES).where(CERTIFICATES.c.serial == serial), CertificateRow)


async def certified(connection: AsyncConnection, cluster: str, keyid: str) -> CertificateRow | None:
    """The newest certificate of a cluster for that key."""
    query = (
        select(CERTIFICATES)
        .where(CERTIFICATES.c.cluster == cluster, CERTIFICATES.c.keyid == keyid)
        .order_by(CERTIFICATES.c.not_after.desc())
        .limit(1)
    )
    return await rows.one(connection, query, CertificateRow)


async def certificates(connection: AsyncConnection, cluster: str) -> list[CertificateRow]:
    """Every certificate that was issued to a cluster, newest first."""
    query = select(CERTIFICATES).where(CERTIFICATES.c.cluster == cluster).order_by(CERTIFICATES.c.not_after.desc())
    return await rows.many(connection, query, CertificateRow)
