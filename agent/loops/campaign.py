"""How a replica comes to lead: it watches the Lease, waits for its turn, and writes itself into it.

Here: looking, watching, and taking. The watch is a hint that saves time: what is taken is taken under the
resourceVersion that was seen, so that a watch which died unnoticed costs an attempt and nothing else. Not here: who may
lead (planning.leadership), and what a leader does (loops.lead).
"""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from dataclasses import dataclass

from agent.model.errors import AgentError, Conflict, Terminal
from agent.model.facts import LeaseFailed, StoodBy
from agent.model.lease import LeaseRecord, LeaseTimes
from agent.planning.leadership import Acquire, Sighting, campaign, first_sighting, sighted
from agent.ports import Clock, Leases, Telemetry


@dataclass(frozen=True, slots=True)
class LeadPorts:
    """What leading needs of the world."""

    leases: Leases
    telemetry: Telemetry
    clock: Clock


@dataclass(frozen=True, slots=True)
class Candidate:
    """Under which name a replica competes, and by which times."""

    holder: str
    times: LeaseTimes


@dataclass(frozen=True, slots=True)
class Won:
    """The lease as we wrote it, and when that was sent, by ``Clock.boottime``."""

    record: LeaseRecord
    sent_at: float


class Trouble:
    """Tells of the Lease's failures, a lasting one once."""

    def __init__(self, telemetry: Telemetry) -> None:
        self._telemetry = telemetry
        self._reason = ""

    def tell(self, error: AgentError) -> None:
        """It could not be read or written."""
        if error.reason != self._reason:
            self._telemetry.emit(LeaseFailed(error.reason, error.explain()))
        self._reason = error.reason

    def over(self) -> None:
        """It could."""
        self._reason = ""


class Campaign:
    """Competes for the lease, again and again; remembers what it saw from one time to the next."""

    def __init__(self, ports: LeadPorts, candidate: Candidate, trouble: Trouble) -> None:
        self._ports = ports
        self._candidate = candidate
        self._trouble = trouble
        self._last: Sighting | None = None
        self._seen: Sighting | None = None
        """What was seen in this campaign; ``_last`` is from the one before, perhaps."""
        self._wrote = False
        self._waits_for: StoodBy | None = None
        self.stood_by = False
        """Whether this replica ever waited for another one's term to end."""
        self._wake = asyncio.Event()

    async def win(self, stop: asyncio.Event) -> Won | None:
        """Wait for our turn and take the lease; None when told to stop.

        Raises AgentError where nothing is to be hoped for: a right is missing, or at the start nobody answers.
        """
        self._seen = self._waits_for = None
        async with asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(self._follow(), name="lease-watch"),
                group.create_task(self._wake_on(stop), name="lease-stop"),
            ]
            won = await self._compete(stop)
            for task in tasks:
                task.cancel()
        return won

    async def _compete(self, stop: asyncio.Event) -> Won | None:
        clock, candidate = self._ports.clock, self._candidate
        while True:
            self._wake.clear()
            if stop.is_set():
                return None
            if self._seen is None:
                await self._wake.wait()
                continue
            at, now = clock.boottime(), clock.now()
            step = campaign(self._seen, candidate.times, holder=candidate.holder, at=at, now=now)
            if not isinstance(step, Acquire):
                self._stand_by(self._seen)
                await clock.wait(self._wake, seconds=step.seconds)
            elif (won := await self._take(step.record)) is not None:
                return won
            else:
                await clock.wait(self._wake, seconds=candidate.times.retry_seconds)

    async def _take(self, record: LeaseRecord) -> Won | None:
        """Write ourselves into the Lease; None if somebody was faster, or if it cannot be had now."""
        sent_at = self._ports.clock.boottime()
        try:
            written = await self._ports.leases.write(record)
        except Conflict:
            await self._looked()
            return None
        except AgentError as error:
            if isinstance(error, Terminal) and not self._wrote:
                raise
            self._trouble.tell(error)
            return None
        self._wrote = True
        self._trouble.over()
        return Won(written, sent_at)

    async def _follow(self) -> None:
        """Know what becomes of the Lease: look, then watch; a watch that fails at once is not hurried."""
        clock, retry = self._ports.clock, self._candidate.times.retry_seconds
        while True:
            began = clock.monotonic()
            if not (await self._looked() and await self._watched()) or clock.monotonic() - began < retry:
                await clock.wait(asyncio.Event(), seconds=retry)

    async def _looked(self) -> bool:
        try:
            self._see(await self._ports.leases.read())
        except AgentError as error:
            if self._last is None:
                raise
            self._trouble.tell(error)
            return False
        self._trouble.over()
        return True

    async def _watched(self) -> bool:
        assert self._last is not None
        try:
            async with aclosing(self._ports.leases.changes(self._last.record)) as changes:
                async for record in changes:
                    self._see(record)
        except AgentError as error:
            self._trouble.tell(error)
            return False
        return True

    def _see(self, record: LeaseRecord | None) -> None:
        at = self._ports.clock.boottime()
        self._last = first_sighting(record, at) if self._last is None else sighted(self._last, record, at)
        self._seen = self._last
        self._wake.set()

    def _stand_by(self, seen: Sighting) -> None:
        """Say for whom we wait, once for each."""
        if seen.record is None:
            return
        present = StoodBy(seen.record.term, seen.record.holder)
        self.stood_by = True
        if present != self._waits_for:
            self._waits_for = present
            self._ports.telemetry.emit(present)

    async def _wake_on(self, stop: asyncio.Event) -> None:
        await stop.wait()
        self._wake.set()
