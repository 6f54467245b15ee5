"""What agents tell about themselves and their instances: counted once, kept last, its changes kept within a bound."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from agent.wire.reports import InstanceReportV1, ReportV1
from control_plane.bell import Bell
from control_plane.clock import Clock
from control_plane.faults import Forbidden
from control_plane.services.agent_trail import AgentTrail, Came
from control_plane.services.ordering import Ordering
from control_plane.settings import Limits
from control_plane.store import clusters, instances, reports
from control_plane.store.database import Database
from control_plane.store.reports import PastStatus, Position, StatusRow

_MOMENT = "observedAt"


@dataclass(frozen=True, slots=True)
class Batch:
    """One report batch from a cluster, at its place in its stream; ``certificate`` is the serial that it came with."""

    cluster: str
    stream: str
    sequence: int
    report: ReportV1
    certificate: str


@dataclass(frozen=True, slots=True)
class Takers:
    """Who takes the parts of a report that are not statuses."""

    trail: AgentTrail
    ordering: Ordering


class Reporting:
    """Takes reports in and tells what is known from them."""

    def __init__(self, database: Database, takers: Takers, *, clock: Clock, bell: Bell, limits: Limits) -> None:
        self._database = database
        self._takers = takers
        self._clock = clock
        self._bell = bell
        self._limits = limits

    async def take_in(self, batch: Batch) -> bool:
        """Count a batch; False if it was counted before. Raises Forbidden if it is told in another cluster's name.

        Statuses of instances that the cluster does not have are dropped: an agent cannot fill the store with names.
        """
        if batch.report.agent.cluster != batch.cluster:
            raise Forbidden("WrongCluster", f"the report is of another cluster than {batch.cluster}")
        now = self._clock.now()
        position = Position(cluster=batch.cluster, stream=batch.stream, sequence=batch.sequence)
        async with self._database.writing() as connection:
            if not await reports.advance(connection, position, now=now, keep=self._limits.streams):
                return False
            await self._keep_agent(connection, batch)
            await self._keep(connection, batch)
            if batch.report.audit:
                await self._takers.trail.take_in(connection, Came(batch.cluster, now, batch.report.audit))
            news = await self._takers.ordering.settle(connection, batch.cluster, batch.report.orders)
        if news:
            await self._takers.ordering.announce(batch.cluster)
        await self._bell.ring(batch.cluster)
        return True

    async def statuses(self, cluster: str) -> list[StatusRow]:
        """The last status of each instance of a cluster."""
        async with self._database.reading() as connection:
            return await reports.statuses(connection, cluster)

    async def status(self, cluster: str, instance: str) -> StatusRow | None:
        """The last status of an instance; None before the first."""
        async with self._database.reading() as connection:
            return await reports.status(connection, cluster, instance)

    async def history(self, cluster: str, instance: str, *, limit: int) -> list[PastStatus]:
        """The changes of an instance's status, newest first."""
        async with self._database.reading() as connection:
            return await reports.history(connection, cluster, instance, limit=limit)

    async def wait(
        self, cluster: str, instance: str, *, until: Callable[[InstanceReportV1], bool], seconds: float
    ) -> InstanceReportV1:
        """The first status of the instance that ``until`` accepts; raises TimeoutError when the seconds are over."""
        async with asyncio.timeout(seconds):
            while True:
                heard = self._bell.heard(cluster)
                found = await self.status(cluster, instance)
                if found is not None and until(found.report):
                    return found.report
                await self._bell.wait(cluster, after=heard, seconds=seconds)

    def _status(self, cluster: str, told: InstanceReportV1) -> StatusRow:
        now = self._clock.now()
        return StatusRow(
            cluster=cluster,
            instance=told.id,
            # A clock that runs ahead must not make its statuses beat all later ones.
            observed_at=min(told.observed_at, now),
            received_at=now,
            body=told.to_data(),
        )

    async def _keep(self, connection: AsyncConnection, batch: Batch) -> None:
        """Keep the statuses of a batch, in a few statements however many there are."""
        ids = {told.id for told in batch.report.instances}
        known = await instances.known(connection, batch.cluster, ids)
        before = {row.instance: row for row in await reports.statuses_of(connection, batch.cluster, known)}
        newest, changes = dict(before), []
        for told in (self._status(batch.cluster, one) for one in batch.report.instances if one.id in known):
            last = newest.get(told.instance)
            if last is not None and told.observed_at < last.observed_at:
                continue  # an agent that is no longer the leader empties its outbox
            newest[told.instance] = told
            if last is None or _content(told.body) != _content(last.body):
                changes.append(told)
        await reports.add_statuses(connection, [row for key, row in newest.items() if key not in before])
        await reports.replace_statuses(
            connection, [row for key, row in newest.items() if key in before and row is not before[key]]
        )
        await reports.remember(connection, batch.cluster, changes, keep=self._limits.status_history)

    async def _keep_agent(self, connection: AsyncConnection, batch: Batch) -> None:
        row = await clusters.find(connection, batch.cluster)
        assert row is not None, "a certificate was issued to it"
        now, agent = self._clock.now(), batch.report.agent
        observed_at = min(agent.observed_at, now)
        seen = replace(row, seen_at=now, told_with=batch.certificate)
        if row.agent_observed_at is None or observed_at >= row.agent_observed_at:
            seen = replace(seen, agent=agent.to_data(), agent_observed_at=observed_at)
        await clusters.reported(connection, seen)


def _content(body: Any) -> dict[str, Any]:
    return {key: value for key, value in body.items() if key != _MOMENT}
