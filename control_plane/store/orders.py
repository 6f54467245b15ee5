"""Orders and what became of them, as rows: one that has its result, or whose time is over, waits no more."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, delete, func, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from control_plane.store import rows
from control_plane.store.schema import ORDERS


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderRow:
    """One order; ``outcome`` and what belongs to it are None until a result was reported."""

    id: str
    cluster: str
    instance: str
    kind: str
    args: Mapping[str, str]
    author: str
    created_at: datetime
    not_after: datetime
    outcome: str | None = None
    reason: str | None = None
    message: str | None = None
    ended_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultRow:
    """What became of an order."""

    id: str
    outcome: str
    reason: str
    message: str
    ended_at: datetime


async def add(connection: AsyncConnection, order: OrderRow) -> None:
    """Keep a new order."""
    await connection.execute(
        insert(ORDERS).values(
            id=order.id,
            cluster=order.cluster,
            instance=order.instance,
            kind=order.kind,
            args=dict(order.args),
            author=order.author,
            created_at=order.created_at,
            not_after=order.not_after,
        )
    )


async def waiting(connection: AsyncConnection, cluster: str, *, now: datetime) -> list[OrderRow]:
    """The orders that an index lists, oldest first."""
    query = select(ORDERS).where(ORDERS.c.cluster == cluster, ORDERS.c.outcome.is_(None), ORDERS.c.not_after > now)
    return await rows.many(connection, query.order_by(ORDERS.c.created_at, ORDERS.c.id), OrderRow)


async def over_since(connection: AsyncConnection, cluster: str, *, since: datetime, now: datetime) -> bool:
    """Whether the time of some order without a result ended between the two moments."""
    query = select(func.count()).where(
        ORDERS.c.cluster == cluster,
        ORDERS.c.outcome.is_(None),
        ORDERS.c.not_after > since,
        ORDERS.c.not_after <= now,
    )
    return bool((await connection.execute(query)).scalar_one())


async def unsettled(connection: AsyncConnection, cluster: str, ids: Iterable[str]) -> frozenset[str]:
    """Those of the ids that are orders of the cluster and have no result yet."""
    query = select(ORDERS.c.id).where(
        ORDERS.c.cluster == cluster, ORDERS.c.outcome.is_(None), ORDERS.c.id.in_(tuple(ids))
    )
    return frozenset((await connection.execute(query)).scalars())


async def settle(connection: AsyncConnection, result: ResultRow) -> None:
    """Keep the result of an order."""
    await connection.execute(
        update(ORDERS)
        .where(ORDERS.c.id == result.id)
        .values(outcome=result.outcome, reason=result.reason, message=result.message, ended_at=result.ended_at)
    )


async def of_instance(connection: AsyncConnection, cluster: str, instance: str) -> list[OrderRow]:
    """The orders of an instance that are kept, newest first."""
    query = select(ORDERS).where(*_of(cluster, instance)).order_by(ORDERS.c.created_at.desc(), ORDERS.c.id.desc())
    return await rows.many(connection, query, OrderRow)


async def forget(connection: AsyncConnection, cluster: str, instance: str, *, keep: int, now: datetime) -> None:
    """Drop the oldest of the instance's orders that wait no more, beyond so many."""
    spent = (*_of(cluster, instance), or_(ORDERS.c.outcome.is_not(None), ORDERS.c.not_after <= now))
    newest = select(ORDERS.c.id).where(*spent).order_by(ORDERS.c.created_at.desc(), ORDERS.c.id.desc()).limit(keep)
    await connection.execute(delete(ORDERS).where(*spent, ORDERS.c.id.not_in(newest.scalar_subquery())))


def _of(cluster: str, instance: str) -> tuple[ColumnElement[bool], ...]:
    return ORDERS.c.cluster == cluster, ORDERS.c.instance == instance
