"""What agents told: streams (for counting each batch once), the last status per instance, and its bounded history."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from agent.wire.reports import InstanceReportV1
from control_plane.store import rows
from control_plane.store.schema import STATUS_HISTORY, STATUSES, STREAMS


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusRow:
    """An instance's status as its agent told it; ``body`` is the wire's form."""

    cluster: str
    instance: str
    observed_at: datetime
    received_at: datetime
    body: Mapping[str, Any]

    @property
    def report(self) -> InstanceReportV1:
        """The status as a value."""
        return _report(self.body)


@dataclass(frozen=True, slots=True, kw_only=True)
class PastStatus:
    """One entry of an instance's bounded history of statuses."""

    observed_at: datetime
    body: Mapping[str, Any]

    @property
    def report(self) -> InstanceReportV1:
        """The status as a value."""
        return _report(self.body)


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """How far a stream came: the highest sequence that was taken in."""

    cluster: str
    stream: str
    sequence: int


async def advance(connection: AsyncConnection, to: Position, *, now: datetime, keep: int) -> bool:
    """Move a stream forward; False if it is there already, so that batch was counted. Drops the oldest streams."""
    here = (STREAMS.c.cluster == to.cluster) & (STREAMS.c.stream == to.stream)
    present = (await connection.execute(select(STREAMS.c.sequence).where(here))).scalar_one_or_none()
    if present is not None:
        if to.sequence <= present:
            return False
        await connection.execute(update(STREAMS).where(here).values(sequence=to.sequence, seen_at=now))
        return True
    await connection.execute(
        insert(STREAMS).values(cluster=to.cluster, stream=to.stream, sequence=to.sequence, seen_at=now)
    )
    newest = (
        select(STREAMS.c.stream)
        .where(STREAMS.c.cluster == to.cluster)
        .order_by(STREAMS.c.seen_at.desc(), STREAMS.c.stream)
        .limit(keep)
        .scalar_subquery()
    )
    await connection.execute(delete(STREAMS).where(STREAMS.c.cluster == to.cluster, STREAMS.c.stream.not_in(newest)))
    return True


async def status(connection: AsyncConnection, cluster: str, instance: str) -> StatusRow | None:
    """The last status of an instance."""
    query = select(STATUSES).where(STATUSES.c.cluster == cluster, STATUSES.c.instance == instance)
    return await rows.one(connection, query, StatusRow)


async def statuses(connection: AsyncConnection, cluster: str) -> list[StatusRow]:
    """The last status of each instance of a cluster, by instance id."""
    query = select(STATUSES).where(STATUSES.c.cluster == cluster).order_by(STATUSES.c.instance)
    return await rows.many(connection, query, StatusRow)


async def statuses_of(connection: AsyncConnection, cluster: str, ids: Iterable[str]) -> list[StatusRow]:
    """The last status of each of these instances, as far as there is one."""
    query = select(STATUSES).where(STATUSES.c.cluster == cluster, STATUSES.c.instance.in_(tuple(ids)))
    return await rows.many(connection, query, StatusRow)


async def add_statuses(connection: AsyncConnection, told: Sequence[StatusRow]) -> None:
    """Keep the first status of instances."""
    if told:
        await connection.execute(insert(STATUSES), [_columns(one) for one in told])


async def replace_statuses(connection: AsyncConnection, told: Sequence[StatusRow]) -> None:
    """Replace the last status of instances that have one."""
    query = (
        update(STATUSES)
        .where(STATUSES.c.cluster == bindparam("of_cluster"), STATUSES.c.instance == bindparam("of_instance"))
        .values(observed_at=bindparam("observed_at"), received_at=bindparam("received_at"), body=bindparam("body"))
    )
    if told:
        renamed = {"cluster": "of_cluster", "instance": "of_instance"}
        lines = [{renamed.get(name, name): value for name, value in _columns(one).items()} for one in told]
        await connection.execute(query, lines)


async def remember(connection: AsyncConnection, cluster: str, told: Sequence[StatusRow], *, keep: int) -> None:
    """Append to the history of the cluster's instances, and drop their oldest entries beyond the bound."""
    if not told:
        return
    names = ("cluster", "instance", "observed_at", "body")
    lines = [{name: value for name, value in _columns(one).items() if name in names} for one in told]
    await connection.execute(insert(STATUS_HISTORY), lines)
    newest_first = func.row_number().over(partition_by=STATUS_HISTORY.c.instance, order_by=STATUS_HISTORY.c.id.desc())
    numbered = (
        select(STATUS_HISTORY.c.id, newest_first.label("place"))
        .where(STATUS_HISTORY.c.cluster == cluster, STATUS_HISTORY.c.instance.in_({one.instance for one in told}))
        .subquery()
    )
    oldest = select(numbered.c.id).where(numbered.c.place > keep)
    await connection.execute(delete(STATUS_HISTORY).where(STATUS_HISTORY.c.id.in_(oldest)))


def _columns(told: StatusRow) -> dict[str, Any]:
    return {
        "cluster": told.cluster,
        "instance": told.instance,
        "observed_at": told.observed_at,
        "received_at": told.received_at,
        "body": dict(told.body),
    }


async def history(connection: AsyncConnection, cluster: str, instance: str, *, limit: int) -> list[PastStatus]:
    """The changes of an instance's status, newest first."""
    query = (
        select(STATUS_HISTORY.c.observed_at, STATUS_HISTORY.c.body)
        .where(STATUS_HISTORY.c.cluster == cluster, STATUS_HISTORY.c.instance == instance)
        .order_by(STATUS_HISTORY.c.id.desc())
        .limit(limit)
    )
    return await rows.many(connection, query, PastStatus)


def _report(body: Mapping[str, Any]) -> InstanceReportV1:
    # It was valid when it came in; an older control plane may have kept fields that this one does not know.
    return InstanceReportV1.model_validate(body, extra="ignore", by_alias=True, by_name=False)
