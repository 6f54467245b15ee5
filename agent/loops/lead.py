"""When this replica works: it campaigns for the lease, lives one term at a time, and campaigns again.

Here: the rhythm of renewing, and the beginning and end of a term's loops, which are made anew for each term so that no
memory of an older one survives. Not here: who may lead (planning.leadership), how the lease is won (loops.campaign),
and the fence before each write, which closes by itself when the tenure is over, whatever these tasks do.

The order of the end, which matters: the loops finish while the lease is still renewed, then nothing may be written any
more, then the lease is released. Turned around, the next leader would begin while we still write.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager

from agent.loops.campaign import Campaign, Candidate, LeadPorts, Trouble
from agent.loops.tenure import Tenure
from agent.loops.together import run_together
from agent.model.errors import AgentError, Conflict, NotLeading, Retryable
from agent.model.facts import LeadershipLost, LeadershipTaken
from agent.model.lease import LeaseRecord, Term
from agent.planning.leadership import leads_until, released, renewed
from agent.ports import Loop

Terms = Callable[[Term], AbstractAsyncContextManager[Sequence[Loop]]]
"""Makes the loops of one term and what they need; the end of the block takes it down."""


class LeadLoop:
    """Leads whenever it may."""

    name = "lead"

    def __init__(
        self, ports: LeadPorts, tenure: Tenure, terms: Terms, *, candidate: Candidate, grace_seconds: float
    ) -> None:
        self._ports = ports
        self._tenure = tenure
        self._terms = terms
        self._candidate = candidate
        self._grace_seconds = grace_seconds
        self._trouble = Trouble(ports.telemetry)
        self._campaign = Campaign(ports, candidate, self._trouble)
        self._held: LeaseRecord | None = None
        self._deposed = False
        self._began_once = False

    async def run(self, stop: asyncio.Event) -> None:
        """Campaign and lead until told to stop. Raises AgentError where it cannot even begin."""
        clock = self._ports.clock
        while not stop.is_set():
            began = clock.monotonic()
            won = await self._campaign.win(stop)
            if won is None:
                return
            term = Term(won.record.term, self._candidate.holder)
            self._tenure.extend(leads_until(won.sent_at, self._candidate.times))
            self._ports.telemetry.emit(LeadershipTaken(term.number, term.holder, clock.monotonic() - began))
            self._held, self._deposed = won.record, False
            await self._reign(term, stop)
            # Who lost it does not hurry a server that may be in trouble.
            await clock.wait(stop, seconds=self._candidate.times.retry_seconds)

    async def _reign(self, term: Term, stop: asyncio.Event) -> None:
        """Live one term, until it is lost or until we are told to stop."""
        try:
            if not stop.is_set():
                await self._live(term, stop)
        finally:
            await self._step_down(term)

    async def _live(self, term: Term, stop: asyncio.Event) -> None:
        resign, over = asyncio.Event(), asyncio.Event()
        async with asyncio.TaskGroup() as group:
            work = group.create_task(self._work(term, resign), name="term")
            renewing = group.create_task(self._renew(over), name="lease-renewal")
            lapsing = group.create_task(self._lapse(), name="lease-lapse")
            stopping = group.create_task(stop.wait(), name="lease-stop")
            await asyncio.wait([work, renewing, lapsing, stopping], return_when=asyncio.FIRST_COMPLETED)
            if stop.is_set():
                resign.set()
                await asyncio.wait([work, renewing, lapsing], return_when=asyncio.FIRST_COMPLETED)
            work.cancel()
            await asyncio.wait([work])
            over.set()  # a renewal that is on its way is awaited: else we would not know what to release
            lapsing.cancel()
            stopping.cancel()

    async def _work(self, term: Term, resign: asyncio.Event) -> None:
        """Run the loops of the term. What fails while they are made is a reason not to start, but none to end later."""
        try:
            async with self._terms(term) as loops:
                self._began_once = True
                await run_together(loops, resign, grace_seconds=self._grace_seconds)
        except NotLeading:
            return  # lost while the loops were still being made
        except Retryable as error:
            if not self._began_once and not self._campaign.stood_by:
                raise
            self._trouble.tell(error)

    async def _renew(self, over: asyncio.Event) -> None:
        """Renew in a steady rhythm until the term is over or another one leads."""
        clock, times = self._ports.clock, self._candidate.times
        wait = times.retry_seconds
        while not self._deposed and not await clock.wait(over, seconds=wait):
            sent_at = clock.boottime()
            if await self._renewed():
                self._tenure.extend(leads_until(sent_at, times))
            # Counted from the sending: an answer that is long in coming must not cost the next try.
            wait = max(0.0, sent_at + times.retry_seconds - clock.boottime())

    async def _renewed(self) -> bool:
        assert self._held is not None
        try:
            self._held = await self._ports.leases.write(
                renewed(self._held, self._candidate.times, self._ports.clock.now())
            )
        except Conflict:
            await self._look_again()
            return False
        except AgentError as error:
            self._trouble.tell(error)
            return False
        self._trouble.over()
        return True

    async def _look_again(self) -> None:
        """Somebody wrote our Lease, or deleted it: who is not in it any more leads no more, from this moment on."""
        try:
            found = await self._ports.leases.read()
        except AgentError as error:
            self._trouble.tell(error)
            return
        if found is not None and found.holder == self._candidate.holder:
            self._held = found
            return
        self._deposed = True
        self._tenure.end()

    async def _lapse(self) -> None:
        """Return when the tenure is over."""
        while (left := self._tenure.left()) > 0:
            await self._ports.clock.wait(asyncio.Event(), seconds=left)

    async def _step_down(self, term: Term) -> None:
        lapsed = self._tenure.left() <= 0
        self._tenure.end()
        reason = "Deposed" if self._deposed else "Lapsed" if lapsed else "Released"
        if reason == "Released":
            await self._release()
        self._ports.telemetry.emit(LeadershipLost(term.number, term.holder, reason))

    async def _release(self) -> None:
        """Let the next one lead at once; if this fails, it has to wait until the lease runs out."""
        try:
            await self._write_released()
        except Conflict:
            await self._look_again()  # perhaps a renewal came through of which we never got the answer
            if not self._deposed:
                await self._write_released()
        except AgentError as error:
            self._trouble.tell(error)

    async def _write_released(self) -> None:
        assert self._held is not None
        await self._ports.leases.write(released(self._held, self._ports.clock.now()))
