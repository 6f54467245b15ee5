"""Running the programs of a test cluster: started tethered to us, logged to a file, and really gone when stopped.

Here: processes. Not here: which ones and with which arguments (`control_plane`, `node`).
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from sandbox.realcluster.faults import NotServing, ProgramDied

TETHER = Path(__file__).with_name("tether.py")
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
TAIL_LINES = 12
STOP_SECONDS = 10.0
POLL_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class Command:
    """A program to run: `name` also names its log file, `program` is an absolute path."""

    name: str
    program: Path
    arguments: tuple[str, ...]


class RunningProgram:
    """One started process and its log."""

    def __init__(self, command: Command, process: asyncio.subprocess.Process, log: Path) -> None:
        self.command = command
        self.log = log
        self._process = process

    @property
    def pid(self) -> int:
        """The process id; the program's own, since the tether became it."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether it runs, as far as the event loop was told."""
        return self._process.returncode is None

    async def death(self) -> ProgramDied:
        """The error that says how it ended, with the end of its log."""
        return ProgramDied(self.command.name, self._process.returncode, await self.last_words())

    async def last_words(self, lines: int = TAIL_LINES) -> str:
        """The end of its log."""
        return await asyncio.to_thread(tail, self.log, lines)

    async def ended_within(self, seconds: float) -> bool:
        """Wait for its end, but no longer than that."""
        try:
            async with asyncio.timeout(seconds):
                await self._process.wait()
        except TimeoutError:
            return False
        return True

    async def stop(self, seconds: float = STOP_SECONDS) -> None:
        """SIGTERM, then SIGKILL after `seconds`; returns when the process is reaped."""
        for asked in (signal.SIGTERM, signal.SIGKILL):
            if not self.alive:
                return
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(asked)
            if await self.ended_within(seconds):
                return
        raise NotServing(f"{self.command.name} (process {self.pid}) did not end although it was killed")


async def start(command: Command, logs: Path) -> RunningProgram:
    """Start a program tethered to this process, its output in `logs`/<name>.log.

    It sees no environment of ours: a proxy that is set for the user must not come between the programs.
    """
    log = logs / f"{command.name}.log"
    output = await asyncio.to_thread(log.open, "ab")
    try:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-I",
            "-S",
            str(TETHER),
            str(os.getpid()),
            str(command.program),
            *command.arguments,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env={"HOME": str(logs.parent), "PATH": PATH},
            # Ctrl-C in the terminal is for us: we stop them in order.
            start_new_session=True,
        )
    finally:
        output.close()
    return RunningProgram(command, process, log)


async def stop_all(programs: Sequence[RunningProgram], seconds: float = STOP_SECONDS) -> None:
    """Stop the first of them last and all others at once, each within `seconds` of SIGTERM.

    The first is storage: the API server would wait for it. The API server in turn waits for clients that vanish without
    a word, as those of a node do whose network is gone: hence not one after the other.
    """
    storage, clients = programs[:1], programs[1:]
    for together in (clients, storage):
        stopped = await asyncio.gather(*(program.stop(seconds) for program in together), return_exceptions=True)
        failures = [failure for failure in stopped if isinstance(failure, BaseException)]
        if failures:
            raise failures[0]


async def wait_until(
    ready: Callable[[], Awaitable[bool]], programs: Sequence[RunningProgram], *, what: str, seconds: float
) -> None:
    """Ask `ready` again and again until it says yes.

    Raises ProgramDied as soon as one of `programs` has ended, NotServing when `seconds` are over while all are alive.
    """
    try:
        async with asyncio.timeout(seconds):
            while not await ready():
                await _any_death(programs)
    except TimeoutError:
        logs = "\n".join([f"[{program.command.name}]\n{await program.last_words(3)}" for program in programs])
        raise NotServing(f"{what} took longer than {seconds:g} s. The logs end with:\n{logs}") from None


async def _any_death(programs: Sequence[RunningProgram]) -> None:
    """Let a moment pass; raise if a program did not survive it."""
    await programs[-1].ended_within(POLL_SECONDS)
    for program in programs:
        if not program.alive:
            raise await program.death()


def tail(log: Path, lines: int = TAIL_LINES) -> str:
    """The last lines of a log file, empty when there is none."""
    if not log.exists():
        return ""
    return "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:])
