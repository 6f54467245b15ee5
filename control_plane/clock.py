"""Time, as the control plane sees it: one reading, handed to everybody who judges by it. No waiting here."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """Where the present comes from; tests hand in one that they move."""

    def now(self) -> datetime:
        """The present wall-clock time, in UTC."""
        ...


class SystemClock:
    """The machine's own clock."""

    def now(self) -> datetime:
        """The present wall-clock time, in UTC."""
        return datetime.now(UTC)  # noqa: TID251 - the control plane's one home of the present
