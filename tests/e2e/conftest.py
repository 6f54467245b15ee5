"""A control plane for each test, and a journey on each kind of cluster in turn."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from control_plane.server import ControlPlane
from control_plane.settings import Ports, Settings
from sandbox.testcluster import TestCluster
from tests.support.journey import Journey, journey


@pytest.fixture
async def plane(tmp_path: Path) -> AsyncIterator[ControlPlane]:
    async with ControlPlane.serve(Settings(directory=tmp_path / "plane", ports=Ports.free())) as serving:
        yield serving


@pytest.fixture
async def path(plane: ControlPlane, any_cluster: TestCluster, tmp_path: Path) -> AsyncIterator[Journey]:
    async with journey(plane, any_cluster, tmp_path) as begun:
        yield begun
