"""The audit trail as rows, bounded: strangers' rows have a bound of their own and cannot wash out the others'."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from control_plane.store import rows
from control_plane.store.schema import AUDIT

STRANGER = ""
"""The ``who`` of a caller that nobody knows."""
_TRIM_EVERY = 64
"""Old rows are looked for at every so many inserts: the bound may be passed by this many rows, and is cheap."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditRow:
    """One call: when, who, as what, what was called, about what, how it ended, from where. Never a body or a secret."""

    at: datetime
    listener: str
    who: str
    role: str
    method: str
    path: str
    object: str
    outcome: str
    remote: str
    id: int = 0


@dataclass(frozen=True, slots=True)
class Bounds:
    """How many rows are kept of known callers and of strangers."""

    known: int
    strangers: int


async def add(connection: AsyncConnection, record: AuditRow, *, bounds: Bounds) -> int:
    """Keep a record; returns its id. Now and then drops the oldest beyond the bounds."""
    inserted = await connection.execute(
        insert(AUDIT).values(
            at=record.at,
            listener=record.listener,
            who=record.who,
            role=record.role,
            method=record.method,
            path=record.path,
            object=record.object,
            outcome=record.outcome,
            remote=record.remote,
        )
    )
    key = inserted.inserted_primary_key
    assert key is not None, "an inserted row has a key"
    if key[0] % _TRIM_EVERY == 0:
        await _trim(connection, AUDIT.c.who == STRANGER, keep=bounds.strangers)
        await _trim(connection, AUDIT.c.who != STRANGER, keep=bounds.known)
    return int(key[0])


async def finish(connection: AsyncConnection, record_id: int, *, outcome: str, about: str) -> None:
    """Write how a call that was recorded before its effect has ended, and what it was about."""
    await connection.execute(update(AUDIT).where(AUDIT.c.id == record_id).values(outcome=outcome, object=about))


async def page(connection: AsyncConnection, *, before: int | None, limit: int) -> list[AuditRow]:
    """The newest records first; ``before`` an id, to page on from there."""
    query = select(AUDIT).order_by(AUDIT.c.id.desc()).limit(limit)
    if before is not None:
        query = query.where(AUDIT.c.id < before)
    return await rows.many(connection, query, AuditRow)


async def _trim(connection: AsyncConnection, group: ColumnElement[bool], *, keep: int) -> None:
    oldest_kept = (
        await connection.execute(select(AUDIT.c.id).where(group).order_by(AUDIT.c.id.desc()).limit(1).offset(keep))
    ).scalar_one_or_none()
    if oldest_kept is not None:
        await connection.execute(delete(AUDIT).where(group, AUDIT.c.id <= oldest_kept))
