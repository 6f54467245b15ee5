"""`perigee status`, `diff` and `explain` as processes on a cluster: what they say, their exit codes, and no write."""

from __future__ import annotations

import asyncio
import json
import sys
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from agent.cluster.client import MERGE, Request
from control_plane.server import ControlPlane
from sandbox.realcluster import RealCluster
from sandbox.testcluster import AuditLog
from tests.support.builders import document_bytes
from tests.support.journey import Journey, journey, ready

USER_AGENT = "perigee-agent/"
CANARY = "canary-4711"


@dataclass(frozen=True, slots=True)
class Answer:
    """How a command ended and what it said."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """What it said, for programs."""
        return json.loads(self.out)


async def perigee(*arguments: str, variables: dict[str, str] | None = None) -> Answer:
    """Run a command with nothing else in its environment."""
    pipe, environment = asyncio.subprocess.PIPE, {"HOME": "/nonexistent", **(variables or {})}
    command = (sys.executable, "-m", "agent", *arguments)
    process = await asyncio.create_subprocess_exec(*command, stdout=pipe, stderr=pipe, env=environment)
    async with asyncio.timeout(60):
        out, err = await process.communicate()
    return Answer(process.returncode or 0, out.decode(), err.decode())


def at(path: Journey) -> tuple[str, ...]:
    return "--kubeconfig", str(path.cluster.kubeconfig), "--namespace", path.namespace


async def born(path: Journey, instance_id: str) -> None:
    async with path.agent():
        airflow = {"version": "3.3.2", "env": {"TOKEN": CANARY}}
        await path.publish(instance_id, name="sales", airflow=airflow)
        await path.told(instance_id, ready)


async def test_they_answer_without_an_agent_and_write_nothing(path: Journey) -> None:
    instance_id = str(uuid.uuid4())
    await born(path, instance_id)
    log = AuditLog(path.cluster.audit_log)
    mark = await log.mark()
    status = await perigee("status", *at(path))
    assert (status.code, status.err) == (0, "")
    assert "Ready" in status.out
    told = await perigee("status", "sales", *at(path), "--output", "json")
    (one,) = told.json["instances"]
    assert (one["id"], one["revision"]["applied"], one["state"]) == (instance_id, 1, "running")
    assert told.json["cluster"] == path.name
    same = await perigee("diff", *at(path))
    assert (same.code, same.err) == (0, "")
    assert "nothing differs" in same.out
    explained = await perigee("explain", instance_id, *at(path))
    assert (explained.code, explained.err) == (0, "")
    made = (await log.read(mark)).by(user_agent=USER_AGENT)
    assert len(made) > 0
    assert [f"{write.verb} {write.uri}" for write in made.writes()] == []


async def test_another_document_is_compared_beside_a_running_agent_and_shows_no_value(
    path: Journey, tmp_path: Path
) -> None:
    instance_id = str(uuid.uuid4())
    file = tmp_path / "other.json"
    other = document_bytes(
        instance_id,
        name="sales",
        namespace=f"af-{instance_id[:8]}",
        airflow={"version": "3.3.2", "env": {"TOKEN": f"{CANARY}-2"}},
        components={"apiServer": {"replicas": 2}},
    )
    await asyncio.to_thread(file.write_bytes, other)
    async with path.agent():
        await path.publish(instance_id, name="sales", airflow={"version": "3.3.2", "env": {"TOKEN": CANARY}})
        await path.told(instance_id, ready)
        told = await perigee("diff", "sales", "--file", str(file), *at(path))
        as_data = await perigee("diff", "--file", str(file), *at(path), "-o", "json")
    assert (told.code, as_data.code) == (1, 1)
    assert "+ spec.replicas: 2" in told.out
    assert "Deployment" in {change["object"]["kind"] for change in as_data.json["instances"][0]["changes"]}
    assert CANARY not in told.out + as_data.out + told.err + as_data.err


async def test_drift_is_1_and_names_who_it_was(path: Journey) -> None:
    instance_id = str(uuid.uuid4())
    await born(path, instance_id)
    scheduler = f"/apis/apps/v1/namespaces/af-{instance_id[:8]}/deployments/airflow-scheduler"
    by = {"fieldManager": "kubectl-edit"}
    await path.client.send(Request("patch", "PATCH", scheduler, by, {"spec": {"revisionHistoryLimit": 9}}, MERGE))
    for quick in ((), ("--quick",)):
        told = await perigee("diff", "sales", *at(path), *quick)
        assert told.code == 1
        assert "kubectl-edit" in told.out
    one = await perigee("explain", "sales", "Deployment/airflow-scheduler", *at(path))
    assert one.code == 0
    assert ".spec.revisionHistoryLimit was ours and is held by kubectl-edit now" in one.out


async def test_the_agents_own_settings_and_rights_are_enough_and_options_count_more(
    path: Journey, tmp_path: Path
) -> None:
    instance_id = str(uuid.uuid4())
    await born(path, instance_id)
    file = tmp_path / "agent.yaml"
    settings = path.settings().model_dump(mode="json", by_alias=True, exclude_defaults=True)
    await asyncio.to_thread(file.write_text, json.dumps(settings))
    for more in ((), ("--config", str(file))):
        told = await perigee("status", *more, variables={} if more else {"PERIGEE_CONFIG": str(file)})
        assert (told.code, told.err) == (0, "")
        assert "sales" in told.out
    same = await perigee("diff", "--config", str(file))
    assert (same.code, same.err) == (0, "")
    administrator = ("--kubeconfig", str(path.cluster.kubeconfig))
    elsewhere = await perigee("status", "--config", str(file), "--namespace", "default", *administrator)
    assert elsewhere.code == 3
    settings["cluster"]["name"] = "another"
    await asyncio.to_thread(file.write_text, json.dumps(settings))
    wrong = await perigee("status", "--config", str(file))
    assert wrong.code == 6
    assert "not believed" in wrong.out


@pytest.fixture
async def nearby(plane: ControlPlane, embedded_cluster: Any, tmp_path: Path) -> Any:
    async with journey(plane, embedded_cluster, tmp_path) as begun:
        yield begun


async def test_every_failure_has_its_code_and_one_line(nearby: Journey, tmp_path: Path) -> None:
    await born(nearby, str(uuid.uuid4()))
    config = await asyncio.to_thread(nearby.cluster.kubeconfig.read_text)
    closed = tmp_path / "kubeconfig"
    await asyncio.to_thread(closed.write_text, config.replace(nearby.cluster.server, "https://127.0.0.1:1"))
    bad = tmp_path / "bad.yaml"
    await asyncio.to_thread(bad.write_text, "kind: [")
    asked = [
        (2, ("status", "nobody", *at(nearby)), "no instance has the name or id nobody"),
        (2, ("explain", "sales", "Deployment/nothing", *at(nearby)), "no object Deployment/nothing"),
        (2, ("explain", *at(nearby)), "Missing argument"),
        (3, ("status", "--kubeconfig", str(tmp_path / "none")), "cannot be used"),
        (3, ("diff", *at(nearby)[:2], "--namespace", "nowhere"), "no agent keeps anything"),
        (3, ("diff", "--file", str(tmp_path / "none"), *at(nearby)), "cannot be read"),
        (5, ("status", "--kubeconfig", str(closed)), "https://127.0.0.1:1"),
        (6, ("diff", "--file", str(bad), *at(nearby)), "is not valid YAML"),
    ]
    for code, arguments, words in asked:
        told = await perigee(*arguments)
        assert (told.code, told.out) == (code, ""), told
        assert words in told.err
        assert "Traceback" not in told.err


async def test_a_missing_right_is_4_and_names_what_needs_less(
    plane: ControlPlane, real_cluster: RealCluster, tmp_path: Path
) -> None:
    async with journey(plane, real_cluster, tmp_path) as begun:
        await born(begun, str(uuid.uuid4()))
        bare = await real_cluster.kubeconfig_for_service_account(begun.namespace, "default")
        told = await perigee("status", "--kubeconfig", str(bare), "--namespace", begun.namespace)
        assert told.code == 4
        assert "cannot get resource" in told.err
        await _may_read(begun)
        looked = await perigee("status", "--kubeconfig", str(bare), "--namespace", begun.namespace)
        assert (looked.code, looked.err) == (0, "")
        tried = await perigee("diff", "--kubeconfig", str(bare), "--namespace", begun.namespace)
        assert tried.code == 4
        assert "--quick" in tried.err
        quick = await perigee("diff", "--quick", "--kubeconfig", str(bare), "--namespace", begun.namespace)
        assert (quick.code, quick.err) == (0, "")


async def _may_read(begun: Journey) -> None:
    """Let the namespace's default account read everything, and no more."""
    group = "rbac.authorization.k8s.io"
    name = f"{begun.namespace}-reader"
    role = {
        "apiVersion": f"{group}/v1",
        "kind": "ClusterRole",
        "metadata": {"name": name},
        "rules": [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["get", "list"]}],
    }
    binding = {
        "apiVersion": f"{group}/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": name},
        "subjects": [{"kind": "ServiceAccount", "name": "default", "namespace": begun.namespace}],
        "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": name},
    }
    for plural, body in (("clusterroles", role), ("clusterrolebindings", binding)):
        await begun.client.send(Request("create", "POST", f"/apis/{group}/v1/{plural}", body=body))
