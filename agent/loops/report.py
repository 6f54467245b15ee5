"""When the control plane is told: soon after something changed, batched, and as a heartbeat when nothing did.

A batch that does not get through is sent again under the same sequence, so that it counts once, and not before the time
that the control plane asked for; what becomes newer meanwhile merges. What waits is bounded by the spool.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from agent.loops.accepted import Accepted
from agent.loops.outbox import Outbox, Parcel
from agent.loops.pace import Backoff
from agent.loops.results import OrderResults
from agent.loops.statuses import Statuses
from agent.loops.trust import Trust
from agent.loops.unforeseen import unforeseen
from agent.model.conditions import Condition, Truth
from agent.model.errors import AgentError, NotAuthorised, Retryable, Terminal
from agent.model.facts import ReportDelayed, ReportDelivered
from agent.model.lease import Term
from agent.model.status import AgentStatus
from agent.outgoing import ReportCodec
from agent.ports import Clock, Cluster, ControlPlane, Telemetry


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
    trust: Trust
    orders: OrderResults


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
        """Report until told to stop, then once more so that nothing known stays untold, or at least not unkept."""
        clock, pause = self._ports.clock, 0.0
        while not stop.is_set():
            if not pause:
                await self._either(stop)
            if not stop.is_set():
                await clock.wait(stop, seconds=self._pace.gather_seconds)
            pause = await self._tell()
            if pause:
                await clock.wait(stop, seconds=pause)
        await self._keep()

    async def _either(self, stop: asyncio.Event) -> None:
        """Wait for news, for the heartbeat's time or for the stop."""
        async with asyncio.TaskGroup() as group:
            waits = [
                group.create_task(self._ports.clock.wait(stop, seconds=self._pace.heartbeat_seconds)),
                group.create_task(self._told.statuses.news.wait()),
                group.create_task(self._told.orders.news.wait()),
            ]
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            for wait in waits:
                wait.cancel()

    async def _tell(self) -> float:
        """Send everything untold, batch by batch; returns for how long to leave it alone then, 0 if it listens."""
        self._claim_access()
        self._claim_leading()
        self._claim_outbox()
        self._told.orders.begin()
        await self._keep()
        self._outbox.tell(self._agent())
        while (parcel := await self._outbox.next()) is not None:
            try:
                await self._send(parcel)
            except (Retryable, NotAuthorised) as error:
                self._delayed(error)
                asked = error.after_seconds if isinstance(error, Retryable) else None
                return max(self._backoff.next(), asked or 0.0)
            except Terminal as error:
                await self._reject(parcel, error)
            except Exception as error:  # noqa: BLE001 - what nobody foresaw of a batch must not stop the agent
                await self._reject(parcel, unforeseen(error))
        self._backoff.reset()
        return 0.0

    async def _keep(self) -> None:
        """Hand what is untold to the outbox. A status that cannot be told is none the others have to wait for."""
        untold = self._told.statuses.untold()
        letters, failed = [], []
        for status in untold:
            try:
                letters.append(self._ports.codec.status(status))
            except Exception as error:  # noqa: BLE001 - as above
                failed.append((status.id, error if isinstance(error, AgentError) else unforeseen(error)))
        await self._outbox.put(letters)
        self._told.statuses.told(untold)
        self._told.statuses.retell(instance_id for instance_id, _ in failed)
        for _, why in failed:
            self._delayed(why)

    async def _reject(self, parcel: Parcel, error: AgentError) -> None:
        """This batch will not be taken; the others are none the worse for it. What is dropped alone comes again with
        the next heartbeat: who refuses everything, as a misled proxy does, may be himself again by then.
        """
        if self._told.orders.rejected():
            await self._outbox.again(parcel)
        else:
            self._told.statuses.retell(await self._outbox.reject(parcel))
        self._delayed(error)

    def _delayed(self, error: AgentError) -> None:
        standing = self._outbox.spool.standing()
        self._ports.telemetry.emit(ReportDelayed(standing.waiting, standing.lost, error.reason))

    async def _send(self, parcel: Parcel) -> None:
        batch = parcel.batch
        aboard = self._told.orders.aboard(batch)
        body = self._ports.codec.report(agent=parcel.agent, letters=batch.letters, orders=aboard)
        await self._ports.control_plane.report(stream=batch.stream, sequence=batch.sequence, body=body)
        await self._outbox.acknowledge(parcel)
        self._told.orders.delivered()
        self._ports.telemetry.emit(ReportDelivered(len(batch.letters)))

    def _agent(self) -> AgentStatus:
        return AgentStatus(
            version=self._teller.version,
            cluster=self._teller.cluster,
            standing=self._told.accepted.desired.standing,
            conditions=self._told.statuses.conditions(),
            requests=self._ports.cluster.requests(),
            observed_at=self._ports.clock.now(),
            outbox=self._outbox.spool.standing(),
            trust=self._told.trust.version,
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

    def _claim_outbox(self) -> None:
        trouble, now = self._outbox.spool.trouble(), self._ports.clock.now()
        if trouble is None:
            condition = Condition(
                "OutboxDegraded", Truth.FALSE, "KeptAsSet", "what waits is kept where it shall be", now
            )
        else:
            condition = Condition("OutboxDegraded", Truth.TRUE, trouble.reason, trouble.message, now)
        self._told.statuses.claim(condition)
