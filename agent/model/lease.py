"""The lease under which one replica of the agent works, as it stands in the cluster, and the times that it runs by."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

WRITE_SECONDS = 3.5
"""The longest that one write to the API server may take. A leader begins no write after its renew deadline, so a write
is over before the lease runs out only if this is less than what lies between the two.
"""


@dataclass(frozen=True, slots=True)
class LeaseRecord:
    """What the Lease says. ``holder`` is empty once it was released; ``term`` is ``leaseTransitions``: it grows by one
    each time that somebody begins to lead. The two times are the writer's, for people: nobody judges by them.
    """

    holder: str
    duration_seconds: int
    term: int
    acquired: datetime | None
    renewed: datetime | None
    resource_version: str = ""


@dataclass(frozen=True, slots=True)
class LeaseTimes:
    """A lease counts for ``duration_seconds`` to those who watch it and for ``renew_deadline_seconds`` to its holder,
    who renews it every ``retry_seconds``.
    """

    duration_seconds: int
    renew_deadline_seconds: float
    retry_seconds: float


@dataclass(frozen=True, slots=True)
class Term:
    """One reign: its number and who leads."""

    number: int
    holder: str
