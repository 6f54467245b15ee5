"""A clock that moves only when a test says so, or when somebody waits on it."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime, timedelta
from typing import Any

import looptime

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

    def boottime(self) -> float:
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


class LoopClock(StillClock):
    """The time of the running loop: real in an ordinary loop, and as fast as can be inside ``in_loop_time``."""

    def now(self) -> datetime:
        return self.at + timedelta(seconds=self.monotonic())

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time()

    def boottime(self) -> float:
        return self.monotonic()

    async def wait(self, event: asyncio.Event, *, seconds: float) -> bool:
        try:
            async with asyncio.timeout(seconds):
                await event.wait()
        except TimeoutError:
            return False
        return True


def in_loop_time(test: Callable[[], Coroutine[Any, Any, None]]) -> Callable[[], None]:
    """A test that runs in a loop of its own, whose clock jumps to the next timer when nothing else is to be done."""

    @functools.wraps(test)
    def run() -> None:
        with asyncio.Runner(loop_factory=looptime.new_event_loop) as runner:
            runner.run(test())

    del run.__wrapped__  # else pytest-asyncio takes it for a coroutine and runs it in the session's loop
    return run
