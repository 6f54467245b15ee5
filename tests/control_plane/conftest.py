"""A control plane on loopback, with real TLS and a clock that a test may move."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from control_plane.clock import SystemClock
from control_plane.server import ControlPlane
from control_plane.settings import Ports, Settings
from tests.support.clock import StillClock

HERE = Path(__file__).parent
SECONDS = 60


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(HERE) and item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(SECONDS))


@pytest.fixture
def clock() -> StillClock:
    """It stands still at the real present, since TLS goes by the real one."""
    return StillClock(SystemClock().now())


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(directory=tmp_path / "state", hostnames=("127.0.0.1",), ports=Ports.free())


@pytest.fixture
async def plane(settings: Settings, clock: StillClock) -> AsyncIterator[ControlPlane]:
    async with ControlPlane.serve(settings, clock=clock) as serving:
        yield serving
