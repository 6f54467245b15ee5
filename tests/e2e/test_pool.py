"""An agent with a fixed pool of namespaces on a real API server, under exactly what the chart grants it there.

It has no right outside of namespaces, makes none and deletes none, and does all the rest.
"""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from agent.cluster.client import APPLY, Request
from agent.model.facts import Fact, IndexAccepted, ReconcileFinished, ReportDelivered
from agent.wire.reports import InstanceReportV1
from control_plane.server import ControlPlane
from sandbox.realcluster import RealCluster
from sandbox.testcluster import AuditLog, TestCluster
from tests.support.helm import pool_account
from tests.support.journey import Facts, Journey, condition, journey, ready, settled
from tests.support.rights import ACCOUNT, Granted

DATABASE = "data-airflow-database-0"


@dataclass(frozen=True)
class Pool:
    """A journey of an agent that was given two namespaces."""

    way: Journey
    first: str
    second: str

    @property
    def user(self) -> str:
        return f"system:serviceaccount:{self.way.namespace}:{ACCOUNT}"

    def agent(self, *namespaces: str) -> AbstractAsyncContextManager[Facts]:
        return self.way.agent(cluster={"namespaces": namespaces or (self.first, self.second)})

    async def becomes(self, reason: str, instance_id: str, **spec: object) -> InstanceReportV1:
        revision = await self.way.publish(instance_id, **{"namespace": self.first, **spec})
        return await self.way.told(instance_id, lambda told: told.revision == revision and settled(reason)(told))

    async def becomes_ready(self, instance_id: str, **spec: object) -> InstanceReportV1:
        revision = await self.way.publish(instance_id, **{"namespace": self.first, **spec})
        return await self.way.told(instance_id, lambda told: told.revision == revision and ready(told))

    async def is_refused(self, reason: str, instance_id: str, **spec: object) -> str:
        """Publish what cannot be; returns why."""
        await self.way.publish(instance_id, **spec)
        told = await self.way.told(instance_id, lambda told: condition(told, "Stalled").reason == reason)
        return condition(told, "Stalled").message

    async def there(self, namespace: str) -> set[str]:
        """What is there of an instance."""
        kinds = ("services", "configmaps", "secrets", "serviceaccounts", "persistentvolumeclaims", "resourcequotas")
        paths = [f"/api/v1/namespaces/{namespace}/{kind}" for kind in kinds]
        paths += [f"/apis/apps/v1/namespaces/{namespace}/{kind}" for kind in ("deployments", "statefulsets")]
        listed = [await self.way.objects(path) for path in paths]
        return {
            name for found in listed for name, item in found.items()
            if "deletionTimestamp" not in item["metadata"] and name not in {"default", "kube-root-ca.crt"}
        }  # fmt: skip


@pytest.fixture
async def pool(plane: ControlPlane, real_cluster: RealCluster, tmp_path: Path) -> AsyncIterator[Pool]:
    name = uuid.uuid4().hex[:8]
    first, second = f"pool-{name}-1", f"pool-{name}-2"

    @asynccontextmanager
    async def granting(cluster: TestCluster, namespace: str) -> AsyncIterator[Granted]:
        assert isinstance(cluster, RealCluster)
        async with pool_account(cluster, namespace, first, second) as kubeconfig:
            yield Granted(kubeconfig, None)

    async with journey(plane, real_cluster, tmp_path, granting=granting) as begun:
        yield Pool(begun, first, second)


async def test_an_instance_is_made_changed_repaired_and_taken_away(pool: Pool) -> None:
    log, instance_id = AuditLog(pool.way.cluster.audit_log), str(uuid.uuid4())
    mark = await log.mark()
    async with pool.agent():
        report = await pool.becomes_ready(instance_id)
        assert {component.name for component in report.components} >= {"api-server", "scheduler", "worker/default"}
        report = await pool.becomes_ready(instance_id, components={"apiServer": {"replicas": 2}})
        assert "spec.replicas: 1 → 2" in [change.why for change in report.changes]

        await pool.becomes("Hibernated", instance_id, state="hibernated")
        await pool.becomes("Deleted", instance_id, state="deleted")
        assert await pool.there(pool.first) == {DATABASE, "data-airflow-broker-0"}
        await pool.becomes("Deleted", instance_id, state="deleted", retain=[])
        assert await pool.there(pool.first) == set()

    assert await pool.way.exists(f"/api/v1/namespaces/{pool.first}")
    made = (await log.read(mark)).by(user=pool.user)
    assert len(made.writes()) > 20
    assert {each.uri for each in made if not each.namespace} == set()
    assert {each.namespace for each in made} <= {pool.first, pool.second, pool.way.namespace}
    assert [f"{each.verb} {each.uri}" for each in made if each.code == 403] == []


async def test_a_restart_writes_nothing(pool: Pool) -> None:
    instance_id = str(uuid.uuid4())
    async with pool.agent():
        await pool.becomes_ready(instance_id)
    log = AuditLog(pool.way.cluster.audit_log)
    mark = await log.mark()
    async with pool.agent() as facts:
        await facts.wait(lambda fact: isinstance(fact, IndexAccepted))
        await facts.wait(lambda fact: isinstance(fact, ReconcileFinished) and fact.instance_id == instance_id)
        await facts.wait(lambda fact: isinstance(fact, ReportDelivered) and fact.reports > 0)
    made = (await log.read(mark)).by(user=pool.user)
    assert len(made) > 0
    assert [f"{write.verb} {write.uri}" for write in made.writes()] == []


async def test_drift_is_repaired(pool: Pool) -> None:
    instance_id = str(uuid.uuid4())
    path = f"/apis/apps/v1/namespaces/{pool.first}/deployments/airflow-scheduler"
    async with pool.agent() as facts:
        await pool.becomes_ready(instance_id)
        body = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "airflow-scheduler"}}
        body["spec"] = {"template": {"spec": {"containers": [{"name": "scheduler", "image": "localhost/other:1"}]}}}
        params = {"fieldManager": "somebody", "force": "true"}
        await pool.way.client.send(Request("apply", "PATCH", path, params, body=body, content_type=APPLY))
        await facts.wait(lambda fact: is_repair(fact, instance_id))
        live = await pool.way.client.send(Request("get", "GET", path))
        assert live["spec"]["template"]["spec"]["containers"][0]["image"] != "localhost/other:1"


def is_repair(fact: Fact, instance_id: str) -> bool:
    return "somebody" in str(fact) and instance_id in str(fact)


async def test_a_document_for_a_namespace_outside_the_pool_is_refused_and_holds_up_no_other(pool: Pool) -> None:
    async with pool.agent():
        said = await pool.is_refused("NamespaceNotInPool", str(uuid.uuid4()), namespace="elsewhere")
        assert said.startswith("spec.namespace: elsewhere is none of the namespaces that this agent was given")
        await pool.becomes_ready(str(uuid.uuid4()))
    assert not await pool.way.exists("/api/v1/namespaces/elsewhere")


async def test_a_namespace_that_leaves_the_pool_is_left_as_it_is(pool: Pool) -> None:
    instance_id = str(uuid.uuid4())
    async with pool.agent():
        await pool.becomes_ready(instance_id)
    before = await pool.there(pool.first)
    async with pool.agent(pool.second):
        await pool.is_refused("NamespaceNotInPool", instance_id, namespace=pool.first, state="deleted", retain=[])
    assert await pool.there(pool.first) == before
    async with pool.agent():
        await pool.way.told(instance_id, lambda told: condition(told, "Progressing").reason == "Deleted")
    assert await pool.there(pool.first) == set()
