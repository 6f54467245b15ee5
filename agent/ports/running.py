"""What every loop has: the time, being run, and a place for facts."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime
from typing import Protocol

from agent.model.facts import Fact


class Clock(Protocol):
    """Time as the loops see it."""

    def now(self) -> datetime:
        """The present wall-clock time, in UTC."""
        ...

    def monotonic(self) -> float:
        """Seconds that never go back, for durations."""
        ...

    def boottime(self) -> float:
        """Seconds that never go back and go on while the machine sleeps: what a lease runs by."""
        ...

    async def wait(self, event: asyncio.Event, *, seconds: float) -> bool:
        """Wait until the event is set (True) or the seconds are over (False)."""
        ...

    def later(self, seconds: float, call: Callable[[], None]) -> asyncio.TimerHandle:
        """Call once after so many seconds, unless the handle is cancelled."""
        ...


class Loop(Protocol):
    """Something that works until it is told to stop."""

    name: str

    async def run(self, stop: asyncio.Event) -> None:
        """Work; return soon after ``stop`` is set."""
        ...


class Telemetry(Protocol):
    """Where facts go."""

    def emit(self, fact: Fact) -> None:
        """State a fact; never blocks, never raises."""
        ...
