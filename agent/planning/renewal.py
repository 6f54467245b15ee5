"""When a certificate is to be renewed. Pure: the present and chance are arguments.

From two thirds of its life on, so that a third is left for a control plane that is away; each agent at a moment of its
own, so that a fleet that was enrolled on one day does not come back on one day. Sooner where its authority is replaced.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from agent.model.identity import Life

_SHARE: Final = 2 / 3
_SPREAD: Final = 1 / 20
"""Of the life: over so much of it the renewals of a fleet are spread."""
_SUPERSEDED_SPREAD: Final = 1 / 100_000
"""The same where the authority is replaced, which somebody waits for: a minute and a half of 90 days."""


def due_at(life: Life, *, superseded_at: datetime | None, chance: float) -> datetime:
    """When to renew. ``superseded_at`` is when another authority was found to issue; ``chance`` lies in 0 to 1."""
    span = life.not_after - life.not_before
    due = life.not_before + span * (_SHARE + _SPREAD * chance)
    if not life.superseded or superseded_at is None:
        return due
    return min(due, superseded_at + span * (_SUPERSEDED_SPREAD * chance))


def seconds_until(moment: datetime, *, now: datetime) -> float:
    """How long that is from now; 0 if it is past."""
    return max((moment - now) / timedelta(seconds=1), 0.0)
