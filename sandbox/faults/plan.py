"""The faults that are switched on, what each has done, and the streams that are open meanwhile.

Here: switching, counting, chance, waiting until something was struck. Not here: what a fault does to a request
(``strikes``) or to a stream (``streams``). Nothing here reads a clock: a plan with its faults decides the same each
time it sees the same requests.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from random import Random
from typing import Protocol

from sandbox.faults.asked import Sought
from sandbox.faults.values import Fault

DEADLINE_SECONDS = 20.0


class Pace(Protocol):
    """The one thing that faults need of time."""

    async def wait(self, event: asyncio.Event, seconds: float | None) -> None:
        """Return when ``event`` is set, or after ``seconds``."""


class LoopPace:
    """The time of the event loop, which a test may drive."""

    async def wait(self, event: asyncio.Event, seconds: float | None) -> None:
        """Return when ``event`` is set, or after ``seconds``."""
        try:
            async with asyncio.timeout(seconds):
                await event.wait()
        except TimeoutError:
            return


class Running:
    """A fault that is, or was, switched on. ``lifted`` is set when it is switched off."""

    def __init__(self, fault: Fault) -> None:
        self.fault = fault
        self.lifted = asyncio.Event()
        self._requests: list[Sought] = []
        self._seen = 0
        self._claimed = 0
        self._chance = Random(fault.seed)
        self._more = asyncio.Event()

    @property
    def requests(self) -> tuple[Sought, ...]:
        """What was struck, in order."""
        return tuple(self._requests)

    @property
    def count(self) -> int:
        """How often it has struck."""
        return len(self._requests)

    async def struck(self, times: int = 1, *, seconds: float = DEADLINE_SECONDS) -> None:
        """Return as soon as it has struck so many times.

        Raises:
            TimeoutError: it had not within ``seconds``; says how often it had.
        """
        try:
            async with asyncio.timeout(seconds):
                while self.count < times:
                    self._more.clear()
                    await self._more.wait()
        except TimeoutError as late:
            raise TimeoutError(f"{self.fault} struck {self.count} of {times} times in {seconds:g} s") from late

    def claim(self, sought: Sought) -> bool:
        """Whether it takes a request; each one asked about counts for ``skip``, ``share`` and ``times``."""
        fault = self.fault
        if self.lifted.is_set() or not fault.where.covers(sought) or self._claimed == fault.times:
            return False
        self._seen += 1
        if self._seen <= fault.skip or self._chance.random() >= fault.share:
            return False
        self._claimed += 1
        return True

    def mark(self, sought: Sought) -> None:
        """Note that it struck."""
        self._requests.append(sought)
        self._more.set()


class Listener(Protocol):
    """Who wants to know when a fault is switched on: an open stream."""

    def meet(self, running: Running) -> None:
        """Take notice of a fault."""


class FaultPlan:
    """The faults of one API server."""

    def __init__(self, pace: Pace | None = None) -> None:
        self.pace: Pace = pace or LoopPace()
        self._running: list[Running] = []
        self._listeners: set[Listener] = set()

    @property
    def running(self) -> tuple[Running, ...]:
        """What is switched on, in the order of switching: what came first meets a request first."""
        return tuple(self._running)

    @contextmanager
    def on(self, fault: Fault) -> Iterator[Running]:
        """Have a fault while the context is open; streams that are open already meet it, too."""
        running = Running(fault)
        self._running.append(running)
        for listener in tuple(self._listeners):
            listener.meet(running)
        try:
            yield running
        finally:
            self._lift(running)

    def clear(self) -> None:
        """Switch everything off."""
        for running in self.running:
            self._lift(running)

    @contextmanager
    def heard_by(self, listener: Listener) -> Iterator[None]:
        """Tell a stream of every fault, of those that run already first."""
        self._listeners.add(listener)
        try:
            for running in self.running:
                listener.meet(running)
            yield
        finally:
            self._listeners.discard(listener)

    def _lift(self, running: Running) -> None:
        running.lifted.set()
        if running in self._running:
            self._running.remove(running)
