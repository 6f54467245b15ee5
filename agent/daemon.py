"""Lifetimes: loops and services start together, a signal stops them in order, and the first fault stops all.

Order of the end, which matters: loops first (they finish what they do, and the last report goes out), then the
services that they need (watches, probes, connections). Turned around, the last report would find no connection.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Sequence
from dataclasses import dataclass

from agent.loops.together import eternal, run_together
from agent.ports import Loop


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
                services.create_task(eternal(service, services_stop), name=service.name)
            try:
                await run_together(self.loops, stop, grace_seconds=self.grace_seconds)
            finally:
                services_stop.set()


def stop_on_signals(stop: asyncio.Event) -> None:
    """Let SIGTERM and SIGINT set ``stop``."""
    running = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        running.add_signal_handler(name, stop.set)
