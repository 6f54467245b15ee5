"""When the control plane is told: soon after something changed, batched, and as a heartbeat when nothing did.

A batch that does not get through is sent again under the same sequence, so that it counts once; what waits meanwhile
is bounded by the outbox.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from agent.loops.accepted import Accepted
from agent.loops.outbox import Batch, Outbox
from agent.loops.pace import Backoff
from agent.loops.statuses import Statuses
from agent.loops.unforeseen import unforeseen
from agent.model.conditions import Condition, Truth
from agent.model.errors import AgentError, NotAuthorised, Retryable, Terminal
from agent.model.facts import ReportDelayed, ReportDelivered
from agent.model.lease import Term
from agent.model.status import AgentStatus
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
    least_backoff_seconds: float
    most_backoff_seconds: float


@dataclass(frozen=True, slots=True)
class Told:
    """What there is to tell."""

    accepted: Accepted
    statuses: Statuses


@dataclass(frozen=True, slots=True)
class Teller:
    """Who reports: the agent's version, its cluster's name, and the term that it does so in."""

    version: str
    cluster: str
    term: Term


class ReportLoop:
    """Tells the control plane how the instances and the agent fare."""

    name = "report"

    def __init__(self, ports: ReportPorts, told: Told, outbox: Outbox, *, pace: ReportPace, teller: Teller) -> None:
        self._ports = ports
        self._told = told
        self._outbox = outbox
        self._pace = pace
        self._teller = teller
        self._backoff = Backoff(pace.least_backoff_seconds, pace.most_backoff_seconds)

    async def run(self, stop: asyncio.Event) -> None:
        """Report until told to stop, then once more so that nothing known stays untold."""
        clock, delivered = self._ports.clock, True
        while not stop.is_set():
            if delivered:
                await self._either(stop)
            if not stop.is_set():
                await clock.wait(stop, seconds=self._pace.gather_seconds)
            delivered = await self._tell()
            if not delivered:
                await clock.wait(stop, seconds=self._backoff.next())

    async def _either(self, stop: asyncio.Event) -> None:
        """Wait for news, for the heartbeat's time or for the stop."""
        async with asyncio.TaskGroup() as group:
            waits = [
                group.create_task(self._ports.clock.wait(stop, seconds=self._pace.heartbeat_seconds)),
                group.create_task(self._told.statuses.news.wait()),
            ]
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            for wait in waits:
                wait.cancel()

    async def _tell(self) -> bool:
        """Send everything untold, batch by batch; False if the control plane cannot take it now."""
        self._claim_access()
        self._claim_leading()
        untold = self._told.statuses.untold()
        self._outbox.put(agent=self._agent(), instances=untold)
        self._told.statuses.told(untold)
        while (batch := self._outbox.next()) is not None:
            try:
                await self._send(batch)
            except (Retryable, NotAuthorised) as error:
                self._ports.telemetry.emit(ReportDelayed(self._outbox.waiting, self._outbox.dropped, error.reason))
                return False
            except Terminal as error:
                self._reject(batch, error)
            except Exception as error:  # noqa: BLE001 - what nobody foresaw of a batch must not stop the agent
                self._reject(batch, unforeseen(error))
        self._backoff.reset()
        return True

    def _reject(self, batch: Batch, error: AgentError) -> None:
        """This batch will not be taken; the others are none the worse for it. What is dropped alone comes again with
        the next heartbeat: who refuses everything, as a misled proxy does, may be himself again by then.
        """
        self._told.statuses.retell(self._outbox.reject(batch.sequence))
        self._ports.telemetry.emit(ReportDelayed(self._outbox.waiting, self._outbox.dropped, error.reason))

    async def _send(self, batch: Batch) -> None:
        body = self._ports.codec(agent=batch.agent, instances=batch.instances)
        await self._ports.control_plane.report(stream=self._outbox.stream, sequence=batch.sequence, body=body)
        self._outbox.acknowledge(batch.sequence)
        self._ports.telemetry.emit(ReportDelivered(len(batch.instances)))

    def _agent(self) -> AgentStatus:
        return AgentStatus(
            version=self._teller.version,
            cluster=self._teller.cluster,
            standing=self._told.accepted.desired.standing,
            conditions=self._told.statuses.conditions(),
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
        self._told.statuses.claim(condition)

    def _claim_leading(self) -> None:
        term = self._teller.term
        message = f"{term.holder} leads, in term {term.number}"
        self._told.statuses.claim(Condition("Leading", Truth.TRUE, "LeaseHeld", message, self._ports.clock.now()))
