"""The audit trail's sink: facts become entries, those of one pass or of one index together.

Here: which facts are worth a record, and what is gathered into one. Not here: the chain (``wire.audit``), and writing
it down, which a loop does soon afterwards (``loops.audit``). Bounded: what nobody takes is dropped and counted.
"""

from __future__ import annotations

import asyncio
from collections import deque
from functools import singledispatchmethod
from typing import Final

from agent.model.audit import AuditEntry, AuditEvent
from agent.model.changes import Change
from agent.model.desired import Entry
from agent.model.facts import (
    CertificateRenewed,
    ChangeApplied,
    Enrolled,
    Fact,
    IndexAccepted,
    OrderBegun,
    OrderEnded,
    ReconcileFailed,
    ReconcileFinished,
    RevisionAccepted,
    StateRefused,
    TrustFollowed,
)
from agent.outgoing import AuditSource
from agent.ports import Clock, Telemetry

MOST_WEIGHT: Final = 50_000
"""So many changes, revisions and other events wait at most to be written down."""
_GATHERED: Final = 50
"""So many changes of one pass make an entry, though the pass goes on: a crash then loses few."""
_MOST_SUBJECTS: Final = 10_000


class AuditTrail(Telemetry, AuditSource):
    """Gathers facts into entries until they are taken."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._entries: deque[AuditEntry] = deque()
        self._weight = 0
        self._lost = 0
        self._changes: dict[str, list[Change]] = {}
        self._revisions: list[Entry] = []
        self._refused: dict[str, tuple[str, str]] = {}
        self.news = asyncio.Event()

    def emit(self, fact: Fact) -> None:
        """Take note of what somebody may ask about later."""
        self._note(fact)

    def take(self) -> tuple[AuditEntry, ...]:
        """The entries so far, handed out once; first of all, how many there was no room for."""
        self.news.clear()
        taken = tuple(self._entries)
        if self._lost:
            gap = AuditEntry(self._clock.now(), AuditEvent.GAP, "agent", message="too many at once", dropped=self._lost)
            taken = (gap, *taken)
        self._entries.clear()
        self._weight = self._lost = 0
        return taken

    def close(self) -> None:
        """The loops are over: what a pass did that did not come to its end is an entry as it is."""
        for instance_id in tuple(self._changes):
            self._conclude(instance_id, "Unfinished")

    @singledispatchmethod
    def _note(self, fact: Fact) -> None:
        """Nothing, for most facts."""

    @_note.register
    def _(self, fact: ChangeApplied) -> None:
        changes = self._changes.setdefault(fact.instance_id, [])
        changes.append(fact.change)
        if len(changes) >= _GATHERED:
            self._conclude(fact.instance_id, "Underway")

    @_note.register
    def _(self, fact: ReconcileFinished) -> None:
        self._conclude(fact.instance_id, "")

    @_note.register
    def _(self, fact: ReconcileFailed) -> None:
        self._conclude(fact.instance_id, fact.reason)

    @_note.register
    def _(self, fact: RevisionAccepted) -> None:
        self._revisions.append(fact.revision)
        self._refused.pop(fact.revision.id, None)

    @_note.register
    def _(self, fact: IndexAccepted) -> None:
        self._refused.pop("index", None)
        if self._revisions:
            standing = f"{fact.standing.epoch}.{fact.standing.version}"
            revisions, self._revisions = tuple(self._revisions), []
            self._add(
                AuditEntry(self._clock.now(), AuditEvent.ACCEPTED, "index", message=standing, revisions=revisions)
            )

    @_note.register
    def _(self, fact: StateRefused) -> None:
        """The same refusal is met again with each poll, and is one event."""
        told = (fact.reason, fact.message)
        if self._refused.get(fact.subject) != told:
            if len(self._refused) >= _MOST_SUBJECTS:
                self._refused.clear()
            self._refused[fact.subject] = told
            self._add(AuditEntry(self._clock.now(), AuditEvent.REFUSED, fact.subject, fact.reason, fact.message))

    @_note.register
    def _(self, fact: Enrolled) -> None:
        until = f"the certificate is good until {fact.not_after.isoformat(timespec='seconds')}"
        self._add(AuditEntry(self._clock.now(), AuditEvent.ENROLLED, fact.cluster, message=until))

    @_note.register
    def _(self, fact: CertificateRenewed) -> None:
        until = f"the certificate is good until {fact.ends}"
        self._add(AuditEntry(self._clock.now(), AuditEvent.RENEWED, "agent", message=until))

    @_note.register
    def _(self, fact: TrustFollowed) -> None:
        self._add(AuditEntry(self._clock.now(), AuditEvent.TRUSTED, "agent", message=f"trust bundle {fact.version}"))

    @_note.register
    def _(self, fact: OrderBegun) -> None:
        told = f"{fact.kind} {fact.order_id}"
        self._add(AuditEntry(self._clock.now(), AuditEvent.ORDERED, fact.instance_id, "Begun", told))

    @_note.register
    def _(self, fact: OrderEnded) -> None:
        told = f"{fact.kind} {fact.order_id}: {fact.outcome}: {fact.message}"
        self._add(AuditEntry(self._clock.now(), AuditEvent.ORDERED, fact.instance_id, fact.reason, told))

    def _conclude(self, instance_id: str, reason: str) -> None:
        changes = self._changes.pop(instance_id, [])
        if changes:
            self._add(AuditEntry(self._clock.now(), AuditEvent.CHANGED, instance_id, reason, changes=tuple(changes)))

    def _add(self, entry: AuditEntry) -> None:
        if self._weight + entry.weight > MOST_WEIGHT:
            self._lost += 1
        else:
            self._entries.append(entry)
            self._weight += entry.weight
        self.news.set()
