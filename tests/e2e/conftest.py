"""A control plane for each test, and a journey on each kind of cluster in turn.

A cluster is watched shortly unless asked for more: ``make e2e ARGS=--watch-seconds=300``.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from control_plane.server import ControlPlane
from control_plane.settings import Ports, Settings
from sandbox.testcluster import TestCluster
from tests.support.journey import Journey, journey

SHORTLY = 30


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--watch-seconds", type=int, default=SHORTLY, help="how long no write may be made")


@pytest.fixture
def watch_seconds(request: pytest.FixtureRequest) -> int:
    return int(request.config.getoption("--watch-seconds", SHORTLY))


@pytest.fixture
async def plane(tmp_path: Path) -> AsyncIterator[ControlPlane]:
    async with ControlPlane.serve(Settings(directory=tmp_path / "plane", ports=Ports.free())) as serving:
        yield serving


@pytest.fixture
async def path(plane: ControlPlane, any_cluster: TestCluster, tmp_path: Path) -> AsyncIterator[Journey]:
    async with journey(plane, any_cluster, tmp_path) as begun:
        yield begun
