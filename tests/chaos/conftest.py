"""How many faults are made: few unless asked for more, with ``make chaos ARGS=--points=200``."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

FEW = 6


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--points", type=int, default=FEW, help="how many faults each test of this suite makes")
    parser.addoption("--seed", type=int, default=1, help="which faults, and when")


@dataclass(frozen=True, slots=True)
class Plan:
    """How many faults there shall be, and by which seed."""

    points: int
    seed: int


@pytest.fixture
def plan(request: pytest.FixtureRequest) -> Plan:
    return Plan(int(request.config.getoption("--points", FEW)), int(request.config.getoption("--seed", 1)))
