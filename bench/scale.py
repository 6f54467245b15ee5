"""How much is measured: which parts, and the rounds of each row, for a full run and a quick one."""

from __future__ import annotations

from dataclasses import dataclass

PARTS = ("protocol", "rendering", "changes", "many", "whole", "rest", "fleet", "soak")
"""What a run consists of, in this order; ``many``, ``whole`` and ``fleet`` on one cluster only: the real one if it is
asked for.
"""


@dataclass(frozen=True, slots=True)
class Scale:
    """Rounds of each measurement; ``rest_seconds`` and ``fleet_rest_seconds`` are how long an idle agent is watched."""

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
    renders: int
    pairs: int
    pair_instances: int
    whole: int
    fleet: int
    fleet_changes: int
    fleet_rest_seconds: float
    fleet_restarts: int
    soak_changes: int


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
    renders=500,
    pairs=5,
    pair_instances=20,
    whole=20,
    fleet=1000,
    fleet_changes=200,
    # As long as the agent waits at most before it looks at each instance again: nothing that it does now and then is
    # missed.
    fleet_rest_seconds=600,
    fleet_restarts=2,
    soak_changes=20_000,
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
    renders=100,
    pairs=2,
    pair_instances=10,
    whole=5,
    fleet=100,
    fleet_changes=30,
    fleet_rest_seconds=30,
    fleet_restarts=1,
    soak_changes=400,
)
