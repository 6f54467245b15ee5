"""Who leads among an agent's replicas, as the Lease in the agent's namespace says."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Lead:
    """The lease as it stands. ``holder`` is empty where it was given up; ``renewed`` is by the holder's clock."""

    holder: str
    term: int
    renewed: datetime | None
    duration_seconds: int

    def age_seconds(self, now: datetime) -> float | None:
        """How long ago it was renewed; None where it never was."""
        return max((now - self.renewed).total_seconds(), 0.0) if self.renewed is not None else None

    def is_held(self, now: datetime) -> bool:
        """Whether somebody leads, as far as the two clocks agree."""
        age = self.age_seconds(now)
        return bool(self.holder) and age is not None and age <= self.duration_seconds
