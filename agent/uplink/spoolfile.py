"""The outbox as one SQLite file (WAL), or as the same tables in memory: bounded, ordered, kept until acknowledged.

Here: what is kept, in which order it leaves, and what goes when there is no room. Not here: threads, and what happens
when the disk fails (``spool``). Every call is one transaction: after a crash each of them happened or did not.
"""

from __future__ import annotations

import sqlite3
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from agent.model.spool import Batch, Letter, Priority, SpoolStanding

FILE: Final = "outbox.db"
BATCH_BYTES: Final = 400 * 1024
"""The letters of one batch have at most so many bytes, unless it is one alone: a report must hold them, escaped."""
_VERSION = 1
_OVERHEAD = 120
"""What a row costs beside its body, about."""
_RESERVED = 1000
"""So many sequences are taken at once: a heartbeat without letters then writes nothing to the disk."""
_CACHE_KIB = 2048
# The totals are kept by triggers: counting a full outbox would read all of it.
_TABLES = (
    """CREATE TABLE letters (
    id INTEGER PRIMARY KEY AUTOINCREMENT, priority INTEGER NOT NULL, subject TEXT NOT NULL,
    size INTEGER NOT NULL, sequence INTEGER, body BLOB NOT NULL)""",
    "CREATE INDEX letters_leaving ON letters (sequence, id)",
    "CREATE INDEX letters_about ON letters (priority, subject, id)",
    "CREATE TABLE notes (name TEXT PRIMARY KEY, value TEXT NOT NULL)",
    "CREATE TABLE dropped (priority INTEGER PRIMARY KEY, letters INTEGER NOT NULL)",
    "CREATE TABLE totals (waiting INTEGER NOT NULL, size INTEGER NOT NULL)",
    "INSERT INTO totals VALUES (0, 0)",
    """CREATE TRIGGER letter_came AFTER INSERT ON letters BEGIN
    UPDATE totals SET waiting = waiting + 1, size = size + new.size; END""",
    """CREATE TRIGGER letter_left AFTER DELETE ON letters BEGIN
    UPDATE totals SET waiting = waiting - 1, size = size - old.size; END""",
)
_SUPERSEDED = """
SELECT id, size FROM letters AS old WHERE priority = ? AND sequence IS NULL AND subject != '' AND EXISTS (
  SELECT 1 FROM letters AS new WHERE new.priority = old.priority AND new.subject = old.subject AND new.id > old.id)
ORDER BY id
"""
_OLDEST = "SELECT id, size FROM letters WHERE priority = ? AND sequence IS NULL ORDER BY id"


class SpoolFile:
    """A bounded queue of letters. Raises sqlite3.Error and OSError as they come; used by one thread at a time."""

    def __init__(self, directory: Path | None, *, bound: int) -> None:
        """Open the file in this directory, which is made where it is missing; None: in memory."""
        self._bound = bound
        if directory is not None:
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        where = ":memory:" if directory is None else str(directory / FILE)
        self._sql = sqlite3.connect(where, isolation_level=None, check_same_thread=False, timeout=0)
        try:
            self._prepare()
            self.stream = self.note("stream")
            self._sequence = self._reserved = int(self.note("sequence") or 0)
            self._standing = self._counted()
        except BaseException:
            self._sql.close()
            raise

    def _prepare(self) -> None:
        # One process alone may hold it, and WAL then needs no shared memory, which some volumes do not have.
        self._sql.execute("PRAGMA locking_mode = EXCLUSIVE")
        self._sql.execute("PRAGMA journal_mode = WAL")
        # FULL: a sequence that was used and forgotten in a power failure would be used again, for something else.
        self._sql.execute("PRAGMA synchronous = FULL")
        self._sql.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
        self._sql.execute(f"PRAGMA journal_size_limit = {4 * 1024 * 1024}")
        with self._writing():
            version = self._one("PRAGMA user_version")
            if version not in {0, _VERSION}:
                raise sqlite3.DatabaseError(f"it has version {version}, and this agent knows {_VERSION}")
            if version == 0:
                for statement in _TABLES:
                    self._sql.execute(statement)
                self._sql.execute(f"PRAGMA user_version = {_VERSION}")
                self._write_note("stream", str(uuid.uuid4()))
        if (found := self._one("PRAGMA quick_check(1)")) != "ok":
            raise sqlite3.DatabaseError(str(found))

    def close(self) -> None:
        """Let the file go."""
        self._sql.close()

    def put(self, letters: Sequence[Letter], notes: Mapping[str, str]) -> None:
        """Add letters at the end and write notes, both or neither; what there is no room for then goes."""
        with self._writing():
            self._sql.executemany(
                "INSERT INTO letters (priority, subject, size, body) VALUES (?, ?, ?, ?)",
                [
                    (one.priority, one.subject, len(one.body) + len(one.subject) + _OVERHEAD, one.body)
                    for one in letters
                ],
            )
            for name, value in notes.items():
                self._write_note(name, value)
            self._standing = self._counted()
            self._make_room()

    def next(self, most: int) -> Batch:
        """The batch that is on its way; if there is none, a new one, perhaps without letters."""
        again = self._letters("WHERE sequence IS NOT NULL ORDER BY id")
        if again:
            sequence = self._one("SELECT MIN(sequence) FROM letters WHERE sequence IS NOT NULL")
            return self._batch(sequence, [letter for _, letter in again], again=True)
        with self._writing():
            chosen = self._letters(f"WHERE sequence IS NULL ORDER BY id LIMIT {int(most)}")
            sequence = self._draw()
            self._sql.executemany(
                "UPDATE letters SET sequence = ? WHERE id = ?", [(sequence, number) for number, _ in chosen]
            )
        return self._batch(sequence, [letter for _, letter in chosen], again=False)

    def acknowledge(self, batch: Batch) -> None:
        """The control plane has it. A batch of another stream changes nothing."""
        self._settle(batch, "DELETE FROM letters WHERE sequence = ?")

    def release(self, batch: Batch) -> None:
        """Its letters wait again, in their old places."""
        self._settle(batch, "UPDATE letters SET sequence = NULL WHERE sequence = ?")

    def drop(self, batch: Batch) -> None:
        """Its letters will never be taken: they are gone, and counted."""
        if batch.stream == self.stream and batch.letters:
            with self._writing():
                for letter in batch.letters:
                    self._count_dropped(letter.priority, 1)
                self._sql.execute("DELETE FROM letters WHERE sequence = ?", (batch.sequence,))
                self._standing = self._counted()

    def newest(self, priority: Priority, most: int, size: int) -> tuple[Letter, ...]:
        """The newest letters of a class, oldest first; at most so many, with so many bytes."""
        found: list[Letter] = []
        query = "SELECT body, subject FROM letters WHERE priority = ? ORDER BY id DESC LIMIT ?"
        for body, subject in self._sql.execute(query, (priority, most)):
            size -= len(body)
            if size < 0:
                break
            found.append(Letter(priority, body, subject))
        return tuple(reversed(found))

    def note(self, name: str) -> str:
        """A note that was written; empty if there is none."""
        return self._one("SELECT value FROM notes WHERE name = ?", name) or ""

    def standing(self) -> SpoolStanding:
        """How much waits, and what was lost."""
        return self._standing

    def _settle(self, batch: Batch, statement: str) -> None:
        if batch.stream == self.stream and batch.letters:
            with self._writing():
                self._sql.execute(statement, (batch.sequence,))
                self._standing = self._counted()

    def _batch(self, sequence: int, letters: Sequence[Letter], *, again: bool) -> Batch:
        return Batch(self.stream, sequence, tuple(letters), again, self._standing.waiting - len(letters))

    def _letters(self, where: str) -> list[tuple[int, Letter]]:
        """Letters up to the bytes of one batch; what is beyond is not even read. What is on its way fitted before."""
        found: list[tuple[int, Letter]] = []
        room = BATCH_BYTES
        query = f"SELECT id, priority, subject, body FROM letters {where}"  # noqa: S608 - our own words only
        for number, priority, subject, body in self._sql.execute(query):
            room -= len(body)
            if room < 0 and found:
                break
            found.append((number, Letter(Priority(priority), body, subject)))
        return found

    def _draw(self) -> int:
        self._sequence += 1
        if self._sequence > self._reserved:
            self._write_note("sequence", str(self._sequence + _RESERVED))
            self._reserved = self._sequence + _RESERVED
        return self._sequence

    def _make_room(self) -> None:
        for priority in Priority:
            for query in (_SUPERSEDED, _OLDEST):
                excess = self._standing.size - self._bound
                if excess <= 0:
                    return
                self._thin(priority, query, excess)

    def _thin(self, priority: Priority, query: str, excess: int) -> None:
        doomed: list[tuple[int]] = []
        for number, size in self._sql.execute(query, (priority,)):
            doomed.append((number,))
            excess -= size
            if excess <= 0:
                break
        if doomed:
            self._sql.executemany("DELETE FROM letters WHERE id = ?", doomed)
            self._count_dropped(priority, len(doomed))
            self._standing = self._counted()

    def _count_dropped(self, priority: Priority, letters: int) -> None:
        self._sql.execute(
            "INSERT INTO dropped VALUES (?, ?) ON CONFLICT DO UPDATE SET letters = letters + excluded.letters",
            (priority, letters),
        )

    def _write_note(self, name: str, value: str) -> None:
        self._sql.execute("INSERT OR REPLACE INTO notes VALUES (?, ?)", (name, value))

    def _counted(self) -> SpoolStanding:
        waiting, size = self._sql.execute("SELECT waiting, size FROM totals").fetchone()
        lost = dict(self._sql.execute("SELECT priority, letters FROM dropped"))
        return SpoolStanding(waiting, size, {one.word: lost.get(one, 0) for one in Priority})

    def _one(self, query: str, *values: object) -> Any:
        row = self._sql.execute(query, values).fetchone()
        return row[0] if row is not None else None

    @contextmanager
    def _writing(self) -> Iterator[None]:
        self._sql.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._sql.execute("COMMIT")
        except BaseException:
            if self._sql.in_transaction:
                self._sql.execute("ROLLBACK")
            raise
