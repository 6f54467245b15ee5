"""Watches and followed logs under faults: what is open can be cut, muted, held back or told that its history is gone.

Here: passing on the events of one stream while faults come and go. Not here: where events come from. A stream without
faults costs one look per piece; a fault that is switched on interrupts a stream that waits for its next event.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing

from sandbox.faults import answers
from sandbox.faults.asked import Asked, Sought, sought_by
from sandbox.faults.plan import FaultPlan, Running
from sandbox.faults.values import Cut, End, Gone, Late, Mute

Write = Callable[[bytes], Awaitable[None]]
_BEGINNING = b'{"type":"MODIFIED","object":{"kind":"'
"""Of an event whose rest never comes."""


async def relay(plan: FaultPlan, asked: Asked, chunks: AsyncGenerator[bytes, None], write: Write) -> None:
    """Pass on a stream until it ends by itself or a fault ends it."""
    stream = _Stream(asked, sought_by(asked))
    with plan.heard_by(stream):
        await stream.run(chunks, write)


class _Ending:
    """A fault that ends a stream after so many events."""

    def __init__(self, running: Running, what: Cut | Mute | Gone) -> None:
        self.running = running
        self.what = what
        self.left = what.events


class _Stream:
    def __init__(self, asked: Asked, sought: Sought) -> None:
        self._asked = asked
        self._sought = sought
        self._endings: list[_Ending] = []
        self._holds: list[Running] = []
        self._due: _Ending | None = None
        self._limit = asyncio.timeout(None)
        self._interruptible = False
        self._begun = False
        self._rest = b""

    def meet(self, running: Running) -> None:
        """Take notice of a fault; one that ends the stream at once interrupts it."""
        what = running.fault.what
        if not isinstance(what, Cut | Mute | Gone | Late) or not self._concerns(what):
            return
        if not running.claim(self._sought):
            return
        if isinstance(what, Late):
            self._holds.append(running)
            return
        ending = _Ending(running, what)
        self._endings.append(ending)
        if not ending.left:
            self._end_with(ending)

    def _concerns(self, what: Cut | Mute | Gone | Late) -> bool:
        return not isinstance(what, Gone) or (self._sought.verb == "watch" and not what.as_status)

    def _end_with(self, ending: _Ending) -> None:
        self._due = self._due or ending
        if self._interruptible:
            self._limit.reschedule(asyncio.get_running_loop().time())

    async def run(self, chunks: AsyncGenerator[bytes, None], write: Write) -> None:
        """Pass on what comes; a fault may have met the stream before it began."""
        try:
            if self._due is None:
                async with aclosing(chunks), self._limit:
                    await self._pass_on(chunks, write)
        except TimeoutError:
            if self._due is None:
                raise
        finally:
            await chunks.aclose()
        if self._due is not None:
            await self._end(self._due, write)

    async def _pass_on(self, chunks: AsyncGenerator[bytes, None], write: Write) -> None:
        self._interruptible = True
        try:
            async for chunk in chunks:
                if self._holds or self._endings or self._rest:
                    await self._pass_carefully(chunk, write)
                elif chunk:
                    self._begun = True
                    await write(chunk)
                if self._due is not None:
                    return
            if self._rest:
                await write(self._rest)
        finally:
            self._interruptible = False

    async def _pass_carefully(self, chunk: bytes, write: Write) -> None:
        """Pass on whole lines, so that they can be counted."""
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        for line in lines:
            await self._wait_for_release()
            await write(line + b"\n")
            self._begun = True
            self._count()
            if self._due is not None:
                return

    async def _wait_for_release(self) -> None:
        while self._holds:
            held = self._holds[0]
            if not held.lifted.is_set():
                held.mark(self._sought)
                await held.lifted.wait()
            self._holds.remove(held)

    def _count(self) -> None:
        self._endings = [ending for ending in self._endings if not ending.running.lifted.is_set()]
        for ending in self._endings:
            ending.left -= 1
            if not ending.left:
                self._due = self._due or ending

    async def _end(self, ending: _Ending, write: Write) -> None:
        what, running = ending.what, ending.running
        running.mark(self._sought)
        if isinstance(what, Gone):
            await write(answers.event(answers.expired_watch(self._asked, begun=self._begun)))
        elif isinstance(what, Mute):
            await running.lifted.wait()
            self._asked.hang_up()
        elif what.end is End.WITHIN_LINE:
            await write(_BEGINNING)
        elif what.end is End.BROKEN:
            self._asked.hang_up()
