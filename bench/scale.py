"""How much is measured: the rounds of each row, for a full run (under four minutes) and a quick one (under one)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Scale:
    """Rounds of each measurement; ``rest_seconds`` is how long an idle agent is watched."""

    name: str
    instances: int
    changes: int
    floor: int
    kubectl: int
    helm: int
    restarts: int
    polls: int
    indexes: int
    listed: int
    rest_seconds: float


FULL = Scale(
    name="full",
    instances=5,
    changes=60,
    floor=60,
    kubectl=20,
    helm=10,
    restarts=3,
    polls=200,
    indexes=100,
    listed=200,
    rest_seconds=30,
)
QUICK = Scale(
    name="quick",
    instances=5,
    changes=10,
    floor=15,
    kubectl=3,
    helm=2,
    restarts=1,
    polls=30,
    indexes=20,
    listed=200,
    rest_seconds=10,
)
