"""What we signed, byte for byte as it went out: the newest index of each cluster, and every trust bundle."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from control_plane.store import rows
from control_plane.store.schema import BUNDLES, INDEXES


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexRow:
    """The index of a cluster as signed last; ``keyid`` is the digest of what it was signed by: keys, trust bundle."""

    cluster: str
    epoch: int
    version: int
    issued_at: datetime
    expires_at: datetime
    keyid: str
    envelope: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class BundleRow:
    """One trust bundle as signed; ``epoch`` is the one that it announces."""

    version: int
    epoch: int
    envelope: bytes


async def index(connection: AsyncConnection, cluster: str) -> IndexRow | None:
    """The cluster's index; None before its first."""
    return await rows.one(connection, select(INDEXES).where(INDEXES.c.cluster == cluster), IndexRow)


async def put_index(connection: AsyncConnection, signed: IndexRow) -> None:
    """Replace the cluster's index by a newer one."""
    values = {
        "epoch": signed.epoch,
        "version": signed.version,
        "issued_at": signed.issued_at,
        "expires_at": signed.expires_at,
        "keyid": signed.keyid,
        "envelope": signed.envelope,
    }
    known = await connection.execute(update(INDEXES).where(INDEXES.c.cluster == signed.cluster).values(**values))
    if known.rowcount == 0:
        await connection.execute(insert(INDEXES).values(cluster=signed.cluster, **values))


async def add_bundle(connection: AsyncConnection, bundle: BundleRow) -> None:
    """Keep a trust bundle; the version must be new."""
    await connection.execute(
        insert(BUNDLES).values(version=bundle.version, epoch=bundle.epoch, envelope=bundle.envelope)
    )


async def newest_bundle(connection: AsyncConnection) -> BundleRow | None:
    """The newest trust bundle; None before the first."""
    return await rows.one(connection, select(BUNDLES).order_by(BUNDLES.c.version.desc()).limit(1), BundleRow)


async def bundle(connection: AsyncConnection, version: int) -> BundleRow | None:
    """One trust bundle of the chain."""
    return await rows.one(connection, select(BUNDLES).where(BUNDLES.c.version == version), BundleRow)
