"""What the agent did and was told to do, as it is written down for who asks afterwards."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from agent.model.changes import Change
from agent.model.desired import Entry


class AuditEvent(StrEnum):
    """What happened."""

    ACCEPTED = "accepted"
    REFUSED = "refused"
    CHANGED = "changed"
    ENROLLED = "enrolled"
    RENEWED = "renewed"
    TRUSTED = "trusted"
    ORDERED = "ordered"
    GAP = "gap"


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One event, before it is given its place in the chain.

    ``subject`` is an instance's id, ``index``, or a cluster's name. ``dropped``: records lost before this one.
    """

    at: datetime
    event: AuditEvent
    subject: str
    reason: str = ""
    message: str = ""
    changes: tuple[Change, ...] = ()
    revisions: tuple[Entry, ...] = ()
    dropped: int = 0

    @property
    def weight(self) -> int:
        """How much it holds, for bounds."""
        return 1 + len(self.changes) + len(self.revisions)
