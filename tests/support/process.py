"""The agent as a process of its own: started, asked to end, and what it said and with which code it ended."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agent.settings import Settings


@dataclass(frozen=True, slots=True)
class Ended:
    """How a process ended."""

    code: int
    said: str


@dataclass(frozen=True, slots=True)
class Answer:
    """How a command ended and what it said."""

    code: int
    out: str
    err: str


async def run_perigee(*arguments: str, typed: str = "") -> Answer:
    """Run a command with nothing else in its environment, and this on its standard input."""
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "agent", *arguments, stdin=pipe, stdout=pipe, stderr=pipe, env={"HOME": "/nonexistent"}
    )
    async with asyncio.timeout(60):
        out, err = await process.communicate(typed.encode())
    return Answer(process.returncode or 0, out.decode(), err.decode())


async def run_agent(settings: Settings, directory: Path, *, seconds: float = 30) -> Ended:
    """Run the agent until it ends by itself."""
    process = await start_agent(settings, directory)
    async with asyncio.timeout(seconds):
        _, errors = await process.communicate()
    return Ended(process.returncode or 0, errors.decode())


@asynccontextmanager
async def running_agent(settings: Settings, directory: Path) -> AsyncIterator[asyncio.subprocess.Process]:
    """An agent that runs while the block does, and is asked to end by SIGTERM."""
    process = await start_agent(settings, directory)
    reading = asyncio.ensure_future(process.communicate())  # noqa: TID251 - awaited below; keeps the pipe empty
    try:
        yield process
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
        await reading


async def start_agent(settings: Settings, directory: Path) -> asyncio.subprocess.Process:
    """Start the agent; what it says on standard error has to be read, or it stops when the pipe is full."""
    file = directory / "agent.yaml"
    await asyncio.to_thread(file.write_text, json.dumps(_plain(settings)))
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "agent", "agent", "--config", str(file), stderr=asyncio.subprocess.PIPE
    )


def _plain(settings: Settings) -> dict[str, Any]:
    return settings.model_dump(mode="json", by_alias=True, exclude_defaults=True)
