"""The agent's process behind a proxy that lets it through to the control plane and to nobody else."""

from __future__ import annotations

import asyncio
import base64
import signal
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from control_plane.server import ControlPlane
from sandbox.testcluster import TestCluster
from tests.support.journey import Journey, condition, journey
from tests.support.process import start_agent
from tests.support.tinyproxy import tinyproxy

LOGIN = "agent:canary-4711"
LOGIN_ENCODED = base64.b64encode(LOGIN.encode()).decode()


@pytest.fixture
async def here(plane: ControlPlane, embedded_cluster: TestCluster, tmp_path: Path) -> AsyncIterator[Journey]:
    async with journey(plane, embedded_cluster, tmp_path) as begun:
        yield begun


async def test_the_whole_way_leads_through_the_environments_proxy_except_to_kubernetes(
    here: Journey, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    allowed = {urlsplit(url).netloc for url in (here.plane.agents_url, here.plane.enrol_url)}
    ports = tuple(int(place.rpartition(":")[2]) for place in allowed)
    (tmp_path / "login").write_text(LOGIN)
    uplink = {"proxy": {"from_environment": True, "credentials_file": tmp_path / "login"}}
    instance_id = str(uuid.uuid4())
    async with tinyproxy(tmp_path, login=LOGIN, connect_ports=ports) as proxy:
        with monkeypatch.context() as environment:  # for the agent's process alone
            for name in ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
                environment.setenv(name, proxy.url)
            environment.delenv("NO_PROXY", raising=False)
            environment.delenv("no_proxy", raising=False)
            process = await start_agent(here.settings(uplink=uplink), tmp_path)
        speaking = asyncio.ensure_future(process.communicate())  # noqa: TID251 - awaited below
        try:
            await here.publish(instance_id, state="hibernated")
            report = await here.told(instance_id, lambda _: True)
        finally:
            process.send_signal(signal.SIGTERM)
            _, said = await speaking
    assert condition(report, "Accepted").status == "True"
    assert process.returncode == 0
    assert set(proxy.tunnels()) == allowed
    assert "canary" not in said.decode()
    assert LOGIN_ENCODED not in said.decode()
