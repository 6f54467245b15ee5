"""The embedded cluster's time: the only module here that reads a clock or waits for one.

Here: the port that every other module takes as an argument, and its wall-clock form. Not here: what is waited for.
Controllers are woken by changes of the store, never by a timer; time serves stamps, grace periods and the small
latencies that make a demonstration look alive.
"""

from __future__ import annotations

import asyncio
import contextlib
from datetime import UTC, datetime, timedelta
from typing import Protocol


class Pace(Protocol):
    """What the cluster needs of time; a test may pass one that moves faster than the wall."""

    def now(self) -> datetime:
        """Return the present moment with its time zone."""

    async def give_way(self) -> None:
        """Let others run before going on."""

    async def wait(self, event: asyncio.Event, seconds: float | None) -> None:
        """Return when ``event`` is set, or after ``seconds``; None waits for the event alone."""


class WallPace:
    """The time of the machine."""

    def now(self) -> datetime:
        """Return the present moment in UTC."""
        return datetime.now(UTC)  # noqa: TID251 - this is the clock's home in the embedded cluster

    async def give_way(self) -> None:
        """Let others run before going on."""
        await asyncio.sleep(0)  # noqa: TID251 - this is the timed wait's home in the embedded cluster

    async def wait(self, event: asyncio.Event, seconds: float | None) -> None:
        """Return when ``event`` is set, or after ``seconds`` of the loop's time."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await event.wait()


def stamp(moment: datetime) -> str:
    """Write a moment as metav1.Time does: RFC 3339, UTC, whole seconds."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def stamp_after(moment: datetime, seconds: float) -> str:
    """Write the moment that lies ``seconds`` after ``moment``."""
    return stamp(moment + timedelta(seconds=seconds))


def micro_stamp(moment: datetime) -> str:
    """Write a moment as metav1.MicroTime does: RFC 3339, UTC, microseconds."""
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
