"""A clock that moves only when a test says so, or when somebody waits on it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

BEGIN = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)


class StillClock:
    """Implements the Clock port. A wait is over at once: it moves the clock instead of the wall."""

    def __init__(self, at: datetime = BEGIN) -> None:
        self.at = at
        self.ticks = 0.0
        self.waits: list[float] = []

    def now(self) -> datetime:
        return self.at

    def monotonic(self) -> float:
        return self.ticks

    def pass_by(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)
        self.ticks += seconds

    async def wait(self, event: asyncio.Event, *, seconds: float) -> bool:
        self.waits.append(seconds)
        if not event.is_set():
            self.pass_by(seconds)
        return event.is_set()

    def later(self, seconds: float, call: Callable[[], None]) -> asyncio.TimerHandle:
        return asyncio.get_running_loop().call_later(seconds, call)
