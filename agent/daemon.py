"""Lifetimes: loops and services start together, a signal stops them in order, and the first fault stops all.

Order of the end, which matters: loops first (they finish what they do, and the last report goes out), then the
services that they need (watches, probes, connections). Turned around, the last report would find no connection.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


class Loop(Protocol):
    """Something that works until it is told to stop."""

    name: str

    async def run(self, stop: asyncio.Event) -> None:
        """Work; return soon after ``stop`` is set."""
        ...


@dataclass(frozen=True, slots=True)
class Daemon:
    """The loops, the services beneath them, and how long the loops may take to end."""

    loops: Sequence[Loop]
    services: Sequence[Loop]
    grace_seconds: float

    async def run(self, stop: asyncio.Event) -> None:
        """Run until ``stop`` is set or a loop fails; raises that loop's error."""
        services_stop = asyncio.Event()
        async with asyncio.TaskGroup() as services:
            for service in self.services:
                services.create_task(_eternal(service, services_stop), name=service.name)
            try:
                await self._run_loops(stop)
            finally:
                services_stop.set()

    async def _run_loops(self, stop: asyncio.Event) -> None:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(_eternal(loop, stop), name=loop.name) for loop in self.loops]
            await stop.wait()
            _, late = await asyncio.wait(tasks, timeout=self.grace_seconds)
            for task in late:
                task.cancel()


async def _eternal(loop: Loop, stop: asyncio.Event) -> None:
    """An eternal task that ends by itself is a fault: nobody would notice that its work is no longer done."""
    await loop.run(stop)
    if not stop.is_set():
        raise RuntimeError(f"the {loop.name} loop ended by itself")


def stop_on_signals(stop: asyncio.Event) -> None:
    """Let SIGTERM and SIGINT set ``stop``."""
    running = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        running.add_signal_handler(name, stop.set)
