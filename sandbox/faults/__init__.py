"""Faults of a Kubernetes API, one language for the embedded cluster's knobs and for a proxy before any other.

Here: what can go wrong, for whom, how often; switched on and off while a test runs. Not here: knowledge of what any
client does about it.
"""

from sandbox.faults.asked import Sought
from sandbox.faults.door import Door
from sandbox.faults.faulty import FaultyCluster
from sandbox.faults.plan import FaultPlan, Pace, Running
from sandbox.faults.values import (
    LOST_ANSWER,
    READS,
    WRITES,
    Broken,
    Conflicting,
    Cut,
    End,
    Fault,
    Gone,
    Halved,
    Late,
    Mute,
    Refused,
    Slow,
    Stale,
    Unanswered,
    Where,
    failing,
    throttled,
    unavailable,
)

__all__ = [
    "LOST_ANSWER",
    "READS",
    "WRITES",
    "Broken",
    "Conflicting",
    "Cut",
    "Door",
    "End",
    "Fault",
    "FaultPlan",
    "FaultyCluster",
    "Gone",
    "Halved",
    "Late",
    "Mute",
    "Pace",
    "Refused",
    "Running",
    "Slow",
    "Sought",
    "Stale",
    "Unanswered",
    "Where",
    "failing",
    "throttled",
    "unavailable",
]
