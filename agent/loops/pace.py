"""Time for the loops: the only home of the present moment, of timed waits and of jitter."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime


class SystemClock:
    """Implements ``ports.Clock`` with the machine's own clocks."""

    def now(self) -> datetime:
        """The present wall-clock time, in UTC."""
        return datetime.now(UTC)  # noqa: TID251 - the one home of now()

    def monotonic(self) -> float:
        """Seconds that never go back, for durations."""
        return time.monotonic()

    def boottime(self) -> float:
        """Seconds that never go back and go on while the machine sleeps."""
        return time.clock_gettime(_BOOTTIME)

    async def wait(self, event: asyncio.Event, *, seconds: float) -> bool:
        """Wait until the event is set (True) or the seconds are over (False)."""
        try:
            async with asyncio.timeout(seconds):
                await event.wait()
        except TimeoutError:
            return False
        return True

    def later(self, seconds: float, call: Callable[[], None]) -> asyncio.TimerHandle:
        """Call once after so many seconds, unless the handle is cancelled."""
        return asyncio.get_running_loop().call_later(seconds, call)


_BOOTTIME: int = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
"""Linux stops CLOCK_MONOTONIC while it is suspended; elsewhere, as on macOS, CLOCK_MONOTONIC goes on."""


async def give_way() -> None:
    """Let everybody else have a turn, in the middle of long work."""
    await asyncio.sleep(0)  # noqa: TID251 - the one home of it


def chance() -> float:
    """A number from 0 to 1: this agent's place among others that would do the same at the same time."""
    return random.random()  # noqa: S311 - jitter


@dataclass(slots=True)
class Backoff:
    """Waits that double from ``least`` to ``most`` seconds with full jitter, until a success resets them.

    Full jitter (a wait anywhere between the least and the doubled bound) keeps a fleet from coming back in step.
    """

    least: float
    most: float
    failures: int = 0

    def next(self) -> float:
        """The seconds to wait after one more failure."""
        bound = min(self.most, self.least * 2.0**self.failures)
        self.failures = min(self.failures + 1, 30)
        return random.uniform(self.least, bound) if bound > self.least else self.least  # noqa: S311 - jitter

    def reset(self) -> None:
        """Forget the failures after a success."""
        self.failures = 0
