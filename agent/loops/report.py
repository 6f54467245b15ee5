"""When the control plane is told: soon after something changed, batched, and as a heartbeat when nothing did.

A report that does not get through is sent again under the same sequence; meanwhile newer statuses replace older ones,
so that what waits is bounded by the number of instances.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from agent.loops.accepted import Accepted
from agent.loops.pace import Backoff
from agent.loops.statuses import Statuses
from agent.model.conditions import Condition, Truth
from agent.model.errors import AgentError
from agent.model.facts import ReportDelayed, ReportDelivered
from agent.model.status import AgentStatus, InstanceStatus
from agent.ports import Clock, Cluster, ControlPlane, ReportCodec, Telemetry


@dataclass(frozen=True, slots=True)
class ReportPorts:
    """What reporting needs of the world."""

    control_plane: ControlPlane
    cluster: Cluster
    codec: ReportCodec
    telemetry: Telemetry
    clock: Clock


@dataclass(frozen=True, slots=True)
class ReportPace:
    """The rhythm: ``gather_seconds`` collects changes into one batch, ``heartbeat_seconds`` is the longest silence."""

    gather_seconds: float
    heartbeat_seconds: float
    batch_limit: int
    least_backoff_seconds: float
    most_backoff_seconds: float


@dataclass(frozen=True, slots=True)
class Teller:
    """Who reports: the agent's version, its cluster's name, and the stream that its batches are numbered in."""

    version: str
    cluster: str
    stream: str


class ReportLoop:
    """Tells the control plane how the instances and the agent fare."""

    name = "report"

    def __init__(
        self, ports: ReportPorts, accepted: Accepted, statuses: Statuses, *, pace: ReportPace, teller: Teller
    ) -> None:
        self._ports = ports
        self._accepted = accepted
        self._statuses = statuses
        self._pace = pace
        self._teller = teller
        self._sequence = 0
        self._backoff = Backoff(pace.least_backoff_seconds, pace.most_backoff_seconds)

    async def run(self, stop: asyncio.Event) -> None:
        """Report until told to stop, then once more so that nothing known stays untold."""
        clock = self._ports.clock
        while not stop.is_set():
            await self._either(stop)
            if not stop.is_set():
                await clock.wait(stop, seconds=self._pace.gather_seconds)
            if not await self._tell():
                await clock.wait(stop, seconds=self._backoff.next())

    async def _either(self, stop: asyncio.Event) -> None:
        """Wait for news, for the heartbeat's time or for the stop."""
        async with asyncio.TaskGroup() as group:
            waits = [
                group.create_task(self._ports.clock.wait(stop, seconds=self._pace.heartbeat_seconds)),
                group.create_task(self._statuses.news.wait()),
            ]
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            for wait in waits:
                wait.cancel()

    async def _tell(self) -> bool:
        """Send everything untold, batch by batch; False if the control plane did not take it."""
        self._claim_access()
        untold = self._statuses.untold()
        batches = [untold[at : at + self._pace.batch_limit] for at in range(0, len(untold), self._pace.batch_limit)]
        for batch in batches or [()]:
            try:
                await self._send(batch)
            except AgentError as error:
                self._ports.telemetry.emit(ReportDelayed(len(untold), 0, error.reason))
                self._statuses.news.set()
                return False
            self._statuses.told(batch)
        self._backoff.reset()
        return True

    async def _send(self, batch: Sequence[InstanceStatus]) -> None:
        self._sequence += 1
        body = self._ports.codec(agent=self._agent(), instances=batch)
        await self._ports.control_plane.report(stream=self._teller.stream, sequence=self._sequence, body=body)
        self._ports.telemetry.emit(ReportDelivered(len(batch)))

    def _agent(self) -> AgentStatus:
        return AgentStatus(
            version=self._teller.version,
            cluster=self._teller.cluster,
            standing=self._accepted.desired.standing,
            conditions=self._statuses.conditions(),
            requests=self._ports.cluster.requests(),
            observed_at=self._ports.clock.now(),
        )

    def _claim_access(self) -> None:
        failures = self._ports.cluster.failures()
        now = self._ports.clock.now()
        if failures:
            condition = Condition("ClusterAccess", Truth.FALSE, failures[0].reason, failures[0].explain(), now)
        else:
            condition = Condition("ClusterAccess", Truth.TRUE, "Watching", "every watched kind is observed", now)
        self._statuses.claim(condition)
