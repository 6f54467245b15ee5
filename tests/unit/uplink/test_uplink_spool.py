"""What the agent does when its disk lets it down: it goes on in memory, says so, and loses nothing that it has."""

from __future__ import annotations

import errno
import os
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pytest

from agent.model.facts import SpoolDegraded
from agent.model.spool import Letter, Outcome
from agent.settings import SpoolSettings
from agent.uplink.spool import MEMORY_BYTES, MOST_BYTES, DurableSpool, opened
from agent.uplink.spoolfile import FILE, SpoolFile
from tests.support.letters import Stated, health


async def bodies(spool: DurableSpool) -> list[str]:
    batch = await spool.next(most=100)
    return [letter.body.decode() for letter in batch.letters]


def at(directory: Path | None) -> SpoolSettings:
    return SpoolSettings(directory=directory)


def reasons(stated: Stated) -> list[str]:
    return [fact.reason for fact in stated.facts if isinstance(fact, SpoolDegraded)]


class Failing(SpoolFile):
    """A file on a disk that fails at the second write."""

    error: Callable[[], Exception]

    def put(self, letters: Sequence[Letter], notes: Mapping[str, str]) -> None:
        if self._on_disk and self.standing().waiting:
            raise type(self).error()
        super().put(letters, notes)

    def __init__(self, directory: Path | None, *, bound: int) -> None:
        super().__init__(directory, bound=bound)
        self._on_disk = directory is not None


def full() -> Exception:
    error = sqlite3.OperationalError("database or disk is full")
    error.sqlite_errorname = "SQLITE_FULL"
    return error


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (full, "DiskFull"),
        (lambda: OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)), "DiskFull"),
        (lambda: OSError(errno.EROFS, os.strerror(errno.EROFS)), "NotWritable"),
        (lambda: OSError(errno.EIO, os.strerror(errno.EIO)), "DiskFailed"),
    ],
)
async def test_a_disk_that_fails_on_the_way_is_left_for_memory_and_named(
    tmp_path: Path, error: Callable[[], Exception], reason: str
) -> None:
    class OnThisDisk(Failing):
        pass

    OnThisDisk.error = staticmethod(error)
    stated = Stated()
    async with opened(at(tmp_path), stated, opening=OnThisDisk) as spool:
        await spool.put([health("a")], notes={})
        assert spool.trouble() is None
        sent = await spool.next(most=10)
        await spool.put([health("b")], notes={})
        trouble = spool.trouble()
        assert trouble is not None
        assert trouble.reason == reason
        assert str(tmp_path) in trouble.message
        assert reasons(stated) == [reason]
        # What was on its way lies on the disk for the next start; settling it now touches nothing that is in memory.
        await spool.settle(sent, Outcome.TAKEN)
        assert await bodies(spool) == ["b1"]
        assert (await spool.next(most=10)).stream != sent.stream
    async with opened(at(tmp_path), stated) as spool:
        assert await bodies(spool) == ["a1"]


@pytest.mark.parametrize(
    "damage",
    [
        lambda _: b"this was never a database" * 100,
        lambda raw: raw[:4096] + os.urandom(len(raw) - 4096),
        lambda raw: raw[: len(raw) // 2],
    ],
    ids=["foreign", "scrambled", "cut"],
)
async def test_a_damaged_file_is_set_aside_and_a_fresh_one_begun(
    tmp_path: Path, damage: Callable[[bytes], bytes]
) -> None:
    async with opened(at(tmp_path), Stated()) as spool:
        await spool.put([health(str(number), size=500) for number in range(100)], notes={})
    file = tmp_path / FILE
    damaged = damage(file.read_bytes())
    file.write_bytes(damaged)
    stated = Stated()
    async with opened(at(tmp_path), stated) as spool:
        assert spool.trouble() is None, "it is on disk again"
        assert reasons(stated) == ["Damaged"]
        await spool.put([health("a")], notes={})
    assert (tmp_path / f"{FILE}.damaged").read_bytes() == damaged
    async with opened(at(tmp_path), Stated()) as spool:
        assert await bodies(spool) == ["a1"]


async def test_a_directory_that_another_process_holds_is_left_to_it(tmp_path: Path) -> None:
    stated = Stated()
    async with opened(at(tmp_path), Stated()) as holder:
        await holder.put([health("a")], notes={})
        async with opened(at(tmp_path), stated) as second:
            trouble = second.trouble()
            assert trouble is not None
            assert trouble.reason == "InUse"
            await second.put([health("b")], notes={})
            assert await bodies(second) == ["b1"]
        assert await bodies(holder) == ["a1"]


async def test_a_directory_that_cannot_be_made_is_no_reason_to_stop(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    async with opened(at(tmp_path / "file" / "spool"), Stated()) as spool:
        trouble = spool.trouble()
        assert trouble is not None
        assert trouble.reason == "NotWritable"
        await spool.put([health("a")], notes={})
        assert await bodies(spool) == ["a1"]


async def test_in_memory_by_setting_is_no_trouble() -> None:
    stated = Stated()
    async with opened(at(None), stated) as spool:
        assert spool.trouble() is None
        await spool.put([health("a")], notes={})
        assert await bodies(spool) == ["a1"]
    assert reasons(stated) == []


@pytest.mark.parametrize("most", [None, 2 * 1024**2])
async def test_the_bound_is_the_set_one_or_a_share_of_the_volume(tmp_path: Path, most: int | None) -> None:
    bounds: dict[bool, int] = {}

    class Measured(SpoolFile):
        def __init__(self, directory: Path | None, *, bound: int) -> None:
            bounds[directory is not None] = bound
            super().__init__(directory, bound=bound)

    for directory in (tmp_path, None):
        settings = SpoolSettings(directory=directory, max_bytes=most)
        async with opened(settings, Stated(), opening=Measured):
            pass
    assert 0 < bounds[True] <= (most or MOST_BYTES)
    assert bounds[False] == (most or MEMORY_BYTES)
