"""The audit trail: every admin call and every enrolment, the refused ones too. Never a body, a query or a secret.

A call that changes something is recorded before its effect and finished after it, so that a crash in between leaves a
trace: the outcome ``unfinished``.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from control_plane.clock import Clock
from control_plane.store import audit
from control_plane.store.audit import STRANGER, AuditRow, Bounds
from control_plane.store.database import Database

UNFINISHED = "unfinished"
_LONGEST = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A call as it came in. ``path`` is the route's pattern, never what the caller typed: that may hold anything."""

    listener: str
    method: str
    path: str
    object: str = ""
    who: str = STRANGER
    role: str = ""
    remote: str = ""

    def row(self, outcome: str, *, at: datetime) -> AuditRow:
        """The row that this becomes."""
        return AuditRow(
            at=at,
            listener=self.listener,
            who=self.who,
            role=self.role,
            method=self.method[:_LONGEST],
            path=self.path[:_LONGEST],
            object=self.object[:_LONGEST],
            outcome=outcome,
            remote=self.remote,
        )


@dataclass(frozen=True, slots=True)
class Trail:
    """Writes and reads the audit trail."""

    database: Database
    clock: Clock
    bounds: Bounds

    async def record(self, entry: Entry, *, outcome: str) -> None:
        """Record a call that is over."""
        await self._add(entry, outcome)

    async def begin(self, entry: Entry) -> int:
        """Record a call before its effect; returns the id to finish it by."""
        return await self._add(entry, UNFINISHED)

    async def finish(self, record_id: int, entry: Entry, *, outcome: str) -> None:
        """Write how the call ended, and what it was about if only its effect could tell."""
        async with self.database.writing() as connection:
            await audit.finish(connection, record_id, outcome=outcome, about=entry.object[:_LONGEST])

    async def page(self, *, before: int | None, limit: int) -> list[AuditRow]:
        """The newest records first; ``before`` an id, to page on from there."""
        async with self.database.reading() as connection:
            return await audit.page(connection, before=before, limit=limit)

    async def _add(self, entry: Entry, outcome: str) -> int:
        async with self.database.writing() as connection:
            return await audit.add(connection, entry.row(outcome, at=self.clock.now()), bounds=self.bounds)
