"""The outbox of the process: on disk while the disk allows it, else in memory. Implements the port ``Spool``.

Here: the one thread that touches the file, and the way out when it is full, read-only, damaged or somebody else's: the
agent goes on in memory with the same order and a bound, and says so. Not here: what is kept (``spoolfile``).
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import shutil
import sqlite3
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar

from agent.model.facts import SpoolDegraded
from agent.model.spool import Batch, Letter, Outcome, Priority, SpoolStanding, SpoolTrouble
from agent.outgoing import Spool
from agent.ports import Telemetry
from agent.settings import SpoolSettings
from agent.uplink.spoolfile import FILE, SpoolFile

MOST_BYTES: Final = 1024**3
MEMORY_BYTES: Final = 64 * 1024**2
"""The bound of an outbox in memory, unless a smaller one is set."""
_SHARE: Final = 0.7
"""How much of its volume the outbox takes by default."""
_SET_ASIDE = ".damaged"
_SIBLINGS = ("", "-wal", "-shm", "-journal")

T = TypeVar("T")

Opening = Callable[..., SpoolFile]
"""Opens the file in a directory, or with None one in memory, with a ``bound`` in bytes."""


@dataclass(frozen=True, slots=True)
class _Kind:
    """What is wrong: the condition's reason, and words for a person."""

    reason: str
    words: str
    hint: str


_FULL = _Kind("DiskFull", "the volume is full", "give it more room or lower spool.maxBytes, then restart the agent")
_DENIED = _Kind("NotWritable", "it cannot be written", "mount a writable volume there, then restart the agent")
_TAKEN = _Kind("InUse", "another process holds it", "give each replica a directory of its own")
_DAMAGED = _Kind("Damaged", "the file is damaged", "look after the volume")
_OTHER = _Kind("DiskFailed", "the disk fails", "look after the volume, then restart the agent")
_BY_SQLITE: tuple[tuple[str, _Kind], ...] = (
    ("SQLITE_FULL", _FULL),
    ("SQLITE_READONLY", _DENIED),
    ("SQLITE_CANTOPEN", _DENIED),
    ("SQLITE_PERM", _DENIED),
    ("SQLITE_BUSY", _TAKEN),
    ("SQLITE_LOCKED", _TAKEN),
    ("SQLITE_CORRUPT", _DAMAGED),
    ("SQLITE_NOTADB", _DAMAGED),
)
_BY_ERRNO = {
    errno.ENOSPC: _FULL,
    errno.EDQUOT: _FULL,
    errno.EROFS: _DENIED,
    errno.EACCES: _DENIED,
    errno.EPERM: _DENIED,
    errno.ENOTDIR: _DENIED,
    errno.EEXIST: _DENIED,
}


_SETTLING: Mapping[Outcome, Callable[[SpoolFile, Batch], None]] = {
    Outcome.TAKEN: SpoolFile.acknowledge,
    Outcome.AGAIN: SpoolFile.release,
    Outcome.NEVER: SpoolFile.drop,
}


class DurableSpool(Spool):
    """Letters on disk or in memory, behind one thread. Made by ``opened``."""

    def __init__(self, settings: SpoolSettings, telemetry: Telemetry, *, opening: Opening) -> None:
        self._directory = settings.directory
        self._most = settings.max_bytes
        self._telemetry = telemetry
        self._opening = opening
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="outbox")
        self._file: SpoolFile | None = None
        self._trouble: SpoolTrouble | None = None
        self._untold: list[SpoolTrouble] = []

    def trouble(self) -> SpoolTrouble | None:
        """Why letters are in memory only, although a directory is set; None if they are not."""
        return self._trouble

    async def put(self, letters: Sequence[Letter], *, notes: Mapping[str, str]) -> None:
        """Add letters at the end and write notes, both or neither."""
        await self._do(lambda file: file.put(letters, notes))

    async def next(self, *, most: int) -> Batch:
        """The batch that is on its way, or a new one of at most so many letters."""
        return await self._do(lambda file: file.next(most))

    async def settle(self, batch: Batch, outcome: Outcome) -> None:
        """What became of a batch."""
        await self._do(lambda file: _SETTLING[outcome](file, batch))

    async def newest(self, priority: Priority, *, most: int, size: int) -> tuple[Letter, ...]:
        """The newest letters of a class that wait, oldest first."""
        return await self._do(lambda file: file.newest(priority, most, size))

    async def note(self, name: str) -> str:
        """A note that was written with letters; empty if there is none."""
        return await self._do(lambda file: file.note(name))

    def standing(self) -> SpoolStanding:
        """How much waits, and what was lost since the outbox began."""
        return self._file.standing() if self._file is not None else SpoolStanding()

    async def _do(self, act: Callable[[SpoolFile], T]) -> T:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, self._safely, act)
        finally:
            while self._untold:
                trouble = self._untold.pop(0)
                self._telemetry.emit(SpoolDegraded(trouble.reason, trouble.message))

    def _safely(self, act: Callable[[SpoolFile], T]) -> T:
        """Do it on disk; what fails there is done again in memory, or in a fresh file if the old one was damaged."""
        if self._file is None:
            self._file = self._opened()
        try:
            return act(self._file)
        except (sqlite3.Error, OSError) as error:
            if self._directory is None or self._trouble is not None:
                raise  # memory does not fail like a disk: this is a fault of ours
            self._close()
            self._file = self._opened(after=error)
            return act(self._file)

    def _opened(self, after: Exception | None = None) -> SpoolFile:
        """The file on disk, a fresh one where the old one is damaged, or one in memory."""
        if self._directory is None:
            return self._in_memory()
        error = after
        for _ in range(2):
            if error is not None and _kind(error) is not _DAMAGED:
                break
            try:
                if error is not None:
                    self._set_aside(self._directory)
                return self._opening(self._directory, bound=self._bound(self._directory))
            except (sqlite3.Error, OSError) as found:
                error = found
        assert error is not None, "the loop ends in no other way"
        self._degrade(_kind(error))
        return self._in_memory()

    def _in_memory(self) -> SpoolFile:
        return self._opening(None, bound=min(self._most or MEMORY_BYTES, MEMORY_BYTES))

    def _degrade(self, kind: _Kind) -> None:
        message = f"of {self._directory} {kind.words}, so what waits to be told is in memory only: {kind.hint}"
        self._trouble = SpoolTrouble(kind.reason, message)
        self._untold.append(self._trouble)

    def _bound(self, directory: Path) -> int:
        if self._most is not None:
            return self._most
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        return min(MOST_BYTES, int(shutil.disk_usage(directory).total * _SHARE))

    def _set_aside(self, directory: Path) -> None:
        """Put a damaged file out of the way for who wants to look at it; one that lies there already is replaced."""
        damaged = directory / (FILE + _SET_ASIDE)
        for suffix in _SIBLINGS:
            part = directory / (FILE + suffix)
            if part.exists():
                part.replace(f"{damaged}{suffix}")
        message = f"the outbox was damaged: it was set aside as {damaged}, and what it held is not told"
        self._untold.append(SpoolTrouble(_DAMAGED.reason, message))

    def _close(self) -> None:
        if self._file is not None:
            with contextlib.suppress(sqlite3.Error, OSError):
                self._file.close()

    async def aclose(self) -> None:
        """Let the file and the thread go."""
        await asyncio.get_running_loop().run_in_executor(self._thread, self._close)
        self._thread.shutdown(wait=False)  # it has nothing left to do


@asynccontextmanager
async def opened(
    settings: SpoolSettings, telemetry: Telemetry, *, opening: Opening = SpoolFile
) -> AsyncIterator[DurableSpool]:
    """The outbox, until the block ends."""
    spool = DurableSpool(settings, telemetry, opening=opening)
    try:
        await spool.note("stream")  # opens it
        yield spool
    finally:
        await spool.aclose()


def _kind(error: Exception) -> _Kind:
    if isinstance(error, OSError):
        return _BY_ERRNO.get(error.errno or 0, _OTHER)
    name = getattr(error, "sqlite_errorname", "")
    if not name and isinstance(error, sqlite3.DatabaseError) and type(error) is sqlite3.DatabaseError:
        return _DAMAGED  # what quick_check found, or a version that nobody knows
    return next((kind for prefix, kind in _BY_SQLITE if name.startswith(prefix)), _OTHER)
