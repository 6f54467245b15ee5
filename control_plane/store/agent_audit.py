"""Agents' audit records as rows: the exact text of each, once, and what was wrong with its place when it came."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

from sqlalchemy import delete, func, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from control_plane.store import rows
from control_plane.store.schema import AGENT_AUDIT

_TRIM_EVERY = 256
"""Old rows are looked for at every so many inserts: the bound may be passed by as many, and is cheap."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordRow:
    """One record. ``fault``: what was wrong with its place in the chain; empty if nothing was."""

    cluster: str
    chain: str
    number: int
    digest: str
    received_at: datetime
    text: str
    fault: str
    id: int = 0


async def before(connection: AsyncConnection, cluster: str, chain: str, number: int) -> RecordRow | None:
    """The last record of a chain that is held before this number."""
    query = (
        select(AGENT_AUDIT)
        .where(AGENT_AUDIT.c.cluster == cluster, AGENT_AUDIT.c.chain == chain, AGENT_AUDIT.c.number < number)
        .order_by(AGENT_AUDIT.c.number.desc())
        .limit(1)
    )
    return await rows.one(connection, query, RecordRow)


async def held(connection: AsyncConnection, cluster: str, chain: str, numbers: Collection[int]) -> dict[int, RecordRow]:
    """Those of these records that are held already, by number."""
    query = select(AGENT_AUDIT).where(
        AGENT_AUDIT.c.cluster == cluster, AGENT_AUDIT.c.chain == chain, AGENT_AUDIT.c.number.in_(tuple(numbers))
    )
    return {row.number: row for row in await rows.many(connection, query, RecordRow)}


async def add(connection: AsyncConnection, records: Sequence[RecordRow], *, keep: int) -> None:
    """Keep records of one cluster, and now and then drop its oldest beyond the bound."""
    if not records:
        return
    await connection.execute(
        insert(AGENT_AUDIT),
        [{name: value for name, value in asdict(one).items() if name != "id"} for one in records],
    )
    last = (await connection.execute(select(func.max(AGENT_AUDIT.c.id)))).scalar_one()
    if last % _TRIM_EVERY < len(records):
        await _trim(connection, records[0].cluster, keep=keep)


async def page(connection: AsyncConnection, cluster: str, *, after: int, limit: int) -> list[RecordRow]:
    """Records of a cluster in the order in which they came, after the one with this id."""
    query = (
        select(AGENT_AUDIT)
        .where(AGENT_AUDIT.c.cluster == cluster, AGENT_AUDIT.c.id > after)
        .order_by(AGENT_AUDIT.c.id)
        .limit(limit)
    )
    return await rows.many(connection, query, RecordRow)


async def _trim(connection: AsyncConnection, cluster: str, *, keep: int) -> None:
    mine = AGENT_AUDIT.c.cluster == cluster
    oldest = select(AGENT_AUDIT.c.id).where(mine).order_by(AGENT_AUDIT.c.id.desc()).limit(1).offset(keep)
    found = (await connection.execute(oldest)).scalar_one_or_none()
    if found is not None:
        await connection.execute(delete(AGENT_AUDIT).where(mine, AGENT_AUDIT.c.id <= found))
