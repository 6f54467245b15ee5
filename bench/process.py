"""The agent as users run it: ``python -m agent agent --config FILE``, a process of its own, and what it logs.

Here: starting it, reading its log as it comes, ending it by SIGTERM. Not here: what it is given to do.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from agent.loops.pace import SystemClock
from agent.settings import Settings
from bench.findings import Unmeasured

Event = Mapping[str, Any]
_KEPT_LINES = 2000
_START_SECONDS = 60


class AgentProcess:
    """A running agent; ``started`` is when its process was asked for (the monotonic clock's seconds)."""

    def __init__(self, process: asyncio.subprocess.Process, started: float) -> None:
        self._process = process
        self._clock = SystemClock()
        self._lines: deque[tuple[float, Event]] = deque(maxlen=_KEPT_LINES)
        self._news = asyncio.Condition()
        self._ended = False
        self.started = started

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    async def read(self) -> None:
        """Take in its log until it ends."""
        assert self._process.stderr is not None
        async for raw in self._process.stderr:
            async with self._news:
                self._lines.append((self._clock.monotonic(), _event(raw)))
                self._news.notify_all()
        async with self._news:
            self._ended = True
            self._news.notify_all()

    async def logged(self, enough: Callable[[list[tuple[float, Event]]], float | None]) -> float:
        """Wait until ``enough`` makes a moment of what was logged. Raises Unmeasured if the agent ends before."""
        async with asyncio.timeout(_START_SECONDS), self._news:
            while True:
                moment = enough(list(self._lines))
                if moment is not None:
                    return moment
                if self._ended:
                    last = self._lines[-1][1] if self._lines else {}
                    raise Unmeasured(f"the agent ended: {last}")
                await self._news.wait()


@asynccontextmanager
async def running(settings: Settings, directory: Path) -> AsyncIterator[AgentProcess]:
    """An agent that runs while the block does."""
    file = directory / "agent.yaml"
    written = settings.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    await asyncio.to_thread(file.write_text, json.dumps(written))
    started = SystemClock().monotonic()
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "agent", "agent", "--config", str(file), stderr=asyncio.subprocess.PIPE
    )
    agent = AgentProcess(process, started)
    async with asyncio.TaskGroup() as group:
        group.create_task(agent.read())
        try:
            yield agent
        finally:
            if process.returncode is None:
                process.terminate()
    await process.wait()


def first(name: str) -> Callable[[list[tuple[float, Event]]], float | None]:
    """The moment of the first event of that name."""
    return lambda lines: next((at for at, line in lines if line.get("event") == name), None)


def _event(raw: bytes) -> Event:
    try:
        line = json.loads(raw)
    except ValueError:
        return {"event": "text", "message": raw.decode(errors="replace").strip()}
    return line if isinstance(line, dict) else {"event": "text", "message": str(line)}
