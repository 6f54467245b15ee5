"""Loops that live and end together: one that fails cancels the others, and all of them get the same time to finish."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from agent.ports import Loop


async def run_together(loops: Sequence[Loop], stop: asyncio.Event, *, grace_seconds: float) -> None:
    """Run until ``stop`` is set or a loop fails, which raises that loop's error; who is late is cancelled."""
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(eternal(loop, stop), name=loop.name) for loop in loops]
        await stop.wait()
        _, late = await asyncio.wait(tasks, timeout=grace_seconds) if tasks else (tasks, [])
        for task in late:
            task.cancel()


async def eternal(loop: Loop, stop: asyncio.Event) -> None:
    """An eternal task that ends by itself is a fault: nobody would notice that its work is no longer done."""
    await loop.run(stop)
    if not stop.is_set():
        raise RuntimeError(f"the {loop.name} loop ended by itself")
