"""The daemon as a process: what it says in one line when it cannot start, its exit code, and its end when asked."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from agent.cluster.client import Request
from agent.model.facts import PollAnswered, ReportDelivered
from control_plane.clock import SystemClock
from control_plane.server import ControlPlane
from control_plane.settings import Ports
from control_plane.settings import Settings as PlaneSettings
from sandbox.realcluster import RealCluster
from sandbox.testcluster import TestCluster
from tests.support.journey import Facts, Journey, journey, ready
from tests.support.kube import connected
from tests.support.process import Ended, run_agent, running_agent
from tests.support.rights import until_allowed


def the_line(ended: Ended) -> str:
    """The one line that it said, without its prefix."""
    [line] = [line for line in ended.said.splitlines() if not line.startswith("{")]
    return line.removeprefix("perigee: ")


@pytest.fixture
async def here(plane: ControlPlane, embedded_cluster: TestCluster, tmp_path: Path) -> AsyncIterator[Journey]:
    async with journey(plane, embedded_cluster, tmp_path) as begun:
        yield begun


async def test_without_a_token_it_says_how_to_get_one(here: Journey, tmp_path: Path) -> None:
    await asyncio.to_thread((tmp_path / "token").unlink)
    ended = await run_agent(here.settings(), tmp_path)
    assert ended.code == 3
    assert f"uplink.tokenFile {tmp_path / 'token'} cannot be read" in the_line(ended)
    assert f"token create --cluster {here.name}" in the_line(ended)


class Hurried(SystemClock):
    """A control plane's clock that can be put forward."""

    ahead = timedelta()

    def now(self) -> datetime:
        return super().now() + self.ahead


async def test_an_expired_token_is_not_authorised(embedded_cluster: TestCluster, tmp_path: Path) -> None:
    clock = Hurried()
    settings = PlaneSettings(directory=tmp_path / "plane", ports=Ports.free())
    async with (
        ControlPlane.serve(settings, clock=clock) as plane,
        journey(plane, embedded_cluster, tmp_path) as begun,
    ):
        clock.ahead = timedelta(hours=2)
        ended = await run_agent(begun.settings(), tmp_path)
    assert ended.code == 4
    assert "expired" in the_line(ended)
    assert await asyncio.to_thread((tmp_path / "token").read_text) not in ended.said


async def test_a_used_token_is_not_authorised(here: Journey, tmp_path: Path) -> None:
    async with here.agent() as facts:
        await facts.wait(lambda fact: isinstance(fact, PollAnswered))
    for name in ("perigee-identity", "perigee-trust"):
        await here.client.send(Request("delete", "DELETE", f"/api/v1/namespaces/{here.namespace}/secrets/{name}"))
    ended = await run_agent(here.settings(), tmp_path)
    assert ended.code == 4
    assert "used" in the_line(ended)


async def test_a_wrong_pin_is_refused(here: Journey, tmp_path: Path) -> None:
    ended = await run_agent(here.settings(uplink={"root_fingerprint": f"sha256:{'0' * 64}"}), tmp_path)
    assert ended.code == 6
    assert "root" in the_line(ended)


async def test_a_control_plane_that_does_not_answer_is_unreachable(here: Journey, tmp_path: Path) -> None:
    ended = await run_agent(here.settings(uplink={"enrol_url": "https://127.0.0.1:1"}), tmp_path)
    assert ended.code == 5
    assert "https://127.0.0.1:1" in the_line(ended)


async def test_without_a_kubeconfig_and_outside_a_pod_it_names_the_setting(here: Journey, tmp_path: Path) -> None:
    for kubeconfig in (None, tmp_path / "nowhere"):
        ended = await run_agent(here.settings(cluster={"kubeconfig": kubeconfig}), tmp_path)
        assert ended.code == 3
        assert "cluster.kubeconfig" in the_line(ended)


async def test_an_api_server_that_does_not_answer_is_unreachable(here: Journey, tmp_path: Path) -> None:
    config = await asyncio.to_thread(here.cluster.kubeconfig.read_text)
    elsewhere = tmp_path / "kubeconfig"
    await asyncio.to_thread(elsewhere.write_text, config.replace(here.cluster.server, "https://127.0.0.1:1"))
    ended = await run_agent(here.settings(cluster={"kubeconfig": elsewhere}), tmp_path)
    assert ended.code == 5
    assert "Kubernetes API server https://127.0.0.1:1" in the_line(ended)


async def test_a_missing_right_at_the_start_is_not_authorised(
    plane: ControlPlane, real_cluster: RealCluster, tmp_path: Path
) -> None:
    async with journey(plane, real_cluster, tmp_path) as begun:
        powerless = await real_cluster.kubeconfig_for_service_account(begun.namespace, "default")
        ended = await run_agent(begun.settings(cluster={"kubeconfig": powerless}), tmp_path)
    assert ended.code == 4
    assert "cannot get resource" in the_line(ended)
    assert "grant this right" in the_line(ended)


async def test_it_reconciles_as_a_process_and_ends_with_success_when_asked(path: Journey, tmp_path: Path) -> None:
    instance_id = str(uuid.uuid4())
    async with running_agent(path.settings(), tmp_path) as process:
        await path.publish(instance_id)
        await path.told(instance_id, ready)
    assert process.returncode == 0


async def test_a_right_that_is_missing_while_it_runs_is_a_condition_and_is_tried_again(
    plane: ControlPlane, real_cluster: RealCluster, tmp_path: Path
) -> None:
    async with journey(plane, real_cluster, tmp_path) as begun:
        bare = await real_cluster.kubeconfig_for_service_account(begun.namespace, "default")
        await _grant(begun, ["secrets", "leases"], ["*"], cluster_wide=False)
        secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "tried", "namespace": begun.namespace}}
        async with connected(bare) as account:
            await until_allowed(account, "PATCH", secret)
        instance_id = str(uuid.uuid4())
        async with begun.agent(cluster={"kubeconfig": bare}) as facts:
            await begun.publish(instance_id)
            assert "cannot list resource" in await _agent_told(begun, facts, status="False")
            await _grant(begun, ["*"], ["*"], cluster_wide=True)
            await begun.told(instance_id, ready)
            await _agent_told(begun, facts, status="True")


async def _agent_told(begun: Journey, facts: Facts, *, status: str) -> str:
    """Wait until the agent reported this status of ``ClusterAccess``; returns the message."""
    while True:
        facts.stated.clear()
        await facts.wait(lambda fact: isinstance(fact, ReportDelivered))
        told = (await begun.plane.services.membership.cluster(begun.name)).cluster.agent or {}
        for one in told.get("conditions", []):
            if one["type"] == "ClusterAccess" and one["status"] == status:
                return str(one["message"])


async def _grant(begun: Journey, resources: list[str], verbs: list[str], *, cluster_wide: bool) -> None:
    """Give the agent's account these rights."""
    group = "rbac.authorization.k8s.io"
    scope = "clusterrole" if cluster_wide else "role"
    kind = "ClusterRole" if cluster_wide else "Role"
    place = f"/apis/{group}/v1" + ("" if cluster_wide else f"/namespaces/{begun.namespace}")
    name = f"{begun.namespace}-{scope}"
    rule = {"apiGroups": ["*"], "resources": resources, "verbs": verbs}
    role = {"apiVersion": f"{group}/v1", "kind": kind, "metadata": {"name": name}, "rules": [rule]}
    account = {"kind": "ServiceAccount", "name": "default", "namespace": begun.namespace}
    reference = {"apiGroup": group, "kind": kind, "name": name}
    binding = {**role, "kind": f"{kind}Binding", "subjects": [account], "roleRef": reference}
    del binding["rules"]
    for plural, body in ((f"{scope}s", role), (f"{scope}bindings", binding)):
        await begun.client.send(Request("create", "POST", f"{place}/{plural}", body=body))
