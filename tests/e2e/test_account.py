"""The agent under its own account on a real API server: it gets its rights where an instance lives, and gets them back.

Every journey on a real cluster runs under that account; here is what happens when a right is not there.
"""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from agent.cluster.client import Request
from agent.model.facts import ReconcileFinished
from control_plane.server import ControlPlane
from sandbox.realcluster import RealCluster
from sandbox.testcluster import AuditLog
from tests.support.journey import Journey, journey, ready, settled
from tests.support.rights import ACCOUNT, RBAC, rights


@pytest.fixture
async def way(plane: ControlPlane, real_cluster: RealCluster, tmp_path: Path) -> AsyncIterator[Journey]:
    async with journey(plane, real_cluster, tmp_path) as begun:
        yield begun


def binding_of(instance_id: str) -> str:
    return f"/apis/{RBAC}/v1/namespaces/af-{instance_id[:8]}/rolebindings/{ACCOUNT}"


async def become_ready(way: Journey, instance_id: str, **spec: object) -> None:
    revision = await way.publish(instance_id, **spec)
    await way.told(instance_id, lambda told: told.revision == revision and ready(told))


async def test_an_agent_does_everything_as_its_account(way: Journey) -> None:
    log, instance_id = AuditLog(way.cluster.audit_log), str(uuid.uuid4())
    mark = await log.mark()
    async with way.agent():
        await become_ready(way, instance_id)
    made = (await log.read(mark)).by(user=f"system:serviceaccount:{way.namespace}:{ACCOUNT}")
    assert await way.exists(binding_of(instance_id))
    assert len(made.writes()) > 20
    granted = {
        (verb, resource) for role in rights() for rule in role.get("rules", ()) for resource in rule["resources"]
        for verb in rule["verbs"]
    }  # fmt: skip
    assert {(each.verb, each.resource.partition(".")[0]) for each in made if each.resource} <= granted


async def test_a_binding_that_was_taken_away_comes_back(way: Journey) -> None:
    instance_id = str(uuid.uuid4())
    async with way.agent():
        await become_ready(way, instance_id)
        await way.client.send(Request("delete", "DELETE", binding_of(instance_id)))
        await become_ready(way, instance_id, components={"apiServer": {"replicas": 2}})
        assert await way.exists(binding_of(instance_id))


async def test_a_binding_that_was_taken_away_in_the_agents_absence_comes_back(way: Journey) -> None:
    instance_id = str(uuid.uuid4())
    async with way.agent():
        await become_ready(way, instance_id)
    await way.client.send(Request("delete", "DELETE", binding_of(instance_id)))
    async with way.agent() as facts:
        await facts.wait(lambda fact: isinstance(fact, ReconcileFinished) and fact.instance_id == instance_id)
        await become_ready(way, instance_id, components={"apiServer": {"replicas": 2}})
        assert await way.exists(binding_of(instance_id))


async def test_an_instance_from_before_the_account_is_taken_over(way: Journey) -> None:
    instance_id = str(uuid.uuid4())
    async with way.agent(cluster={"kubeconfig": way.cluster.kubeconfig, "service_account": None}):
        await become_ready(way, instance_id)
        assert not await way.exists(binding_of(instance_id))
    async with way.agent():
        await become_ready(way, instance_id, components={"apiServer": {"replicas": 2}})
        assert await way.exists(binding_of(instance_id))


async def test_an_instance_is_taken_away_although_its_binding_was(way: Journey) -> None:
    instance_id = str(uuid.uuid4())
    async with way.agent():
        await become_ready(way, instance_id)
        await way.client.send(Request("delete", "DELETE", binding_of(instance_id)))
    async with way.agent():
        revision = await way.publish(instance_id, state="deleted", retain=[])
        await way.told(instance_id, lambda told: told.revision == revision and settled("Deleted")(told))
    assert not await way.exists(f"/api/v1/namespaces/af-{instance_id[:8]}")
