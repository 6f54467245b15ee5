"""The agent as users run it: ``python -m agent agent --config FILE``, a process of its own, and what it logs.

Here: starting it, reading its log as it comes, ending it by SIGTERM. Not here: what it is given to do.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections import deque
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from contextlib import asynccontextmanager
from itertools import islice
from pathlib import Path
from typing import Any

from agent.loops.pace import SystemClock
from agent.settings import Settings
from bench.findings import Unmeasured

Event = Mapping[str, Any]
Judge = Callable[[Event], bool]
_KEPT_LINES = 5000
_WARNINGS = frozenset({"warning", "error", "critical"})
_PATIENCE_SECONDS = 60.0


class AgentProcess:
    """A running agent; ``started`` is when its process was asked for (the monotonic clock's seconds)."""

    def __init__(self, process: asyncio.subprocess.Process, started: float) -> None:
        self._process = process
        self._clock = SystemClock()
        self._lines: deque[tuple[float, Event]] = deque(maxlen=_KEPT_LINES)
        self._count = 0
        self._news = asyncio.Condition()
        self._ended = False
        self.started = started
        self.warning: Event | None = None
        """The last line of a level above info."""

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
                self._count += 1
                if self._lines[-1][1].get("level") in _WARNINGS:
                    self.warning = self._lines[-1][1]
                self._news.notify_all()
        async with self._news:
            self._ended = True
            self._news.notify_all()

    async def logged(self, enough: Judge, *, seconds: float = _PATIENCE_SECONDS) -> float:
        """When the line came at which ``enough``, asked of each line once and in order, first said so.

        Raises Unmeasured if the agent ends before, TimeoutError when the seconds are over.
        """
        judged = 0
        async with asyncio.timeout(seconds), self._news:
            while True:
                unseen = min(self._count - judged, len(self._lines))
                for at, line in islice(self._lines, len(self._lines) - unseen, None):
                    if enough(line):
                        return at
                judged = self._count
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
        sys.executable,
        *("-m", "agent", "agent", "--config", str(file)),
        stderr=asyncio.subprocess.PIPE,
        process_group=0,  # Ctrl-C is for the bench
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


def first(name: str) -> Judge:
    """Whether a line is an event of that name."""
    return lambda line: line.get("event") == name


def every_pass(ids: Collection[str]) -> Judge:
    """Whether each of these instances had a pass that ended well; the agent tells passes at level debug only."""
    missing = set(ids)

    def judge(line: Event) -> bool:
        if line.get("event") == "reconcile_finished":
            missing.discard(str(line["instance_id"]))
        return not missing

    return judge


def in_sync(ids: Collection[str]) -> Judge:
    """Whether each of these instances had its pass and so many statuses were delivered; at level debug only."""
    judged, told = every_pass(ids), 0

    def judge(line: Event) -> bool:
        nonlocal told
        if line.get("event") == "report_delivered":
            told += int(line["reports"])
        return judged(line) and told >= len(ids)

    return judge


def _event(raw: bytes) -> Event:
    try:
        line = json.loads(raw)
    except ValueError:
        return {"event": "text", "message": raw.decode(errors="replace").strip()}
    return line if isinstance(line, dict) else {"event": "text", "message": str(line)}
