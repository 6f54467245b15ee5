"""One instance's whole life, told at each step, with restarts of the agent in between that write nothing."""

from __future__ import annotations

import uuid

import pytest

from agent.model.facts import IndexAccepted, ReconcileFinished, ReportDelivered
from agent.wire.reports import InstanceReportV1
from sandbox.testcluster import AuditLog
from tests.support.journey import USER_AGENT, Journey, condition, ready, settled

DATABASE = "data-airflow-database-0"
BROKER = "data-airflow-broker-0"


class Life:
    """One instance on its way, and where its objects are."""

    def __init__(self, path: Journey) -> None:
        self.path = path
        self.id = str(uuid.uuid4())
        self.namespace = f"af-{self.id[:8]}"

    async def becomes_ready(self, **spec: object) -> InstanceReportV1:
        """Publish, and wait until that revision is told to be ready."""
        revision = await self.path.publish(self.id, **spec)
        return await self.path.told(self.id, lambda told: told.revision == revision and ready(told))

    async def becomes(self, reason: str, **spec: object) -> InstanceReportV1:
        """Publish, and wait until that revision is told to have settled for this reason."""
        revision = await self.path.publish(self.id, **spec)
        return await self.path.told(self.id, lambda told: told.revision == revision and settled(reason)(told))

    async def replicas(self) -> dict[str, int]:
        """Wanted pods of each Deployment."""
        found = await self.path.objects(f"/apis/apps/v1/namespaces/{self.namespace}/deployments")
        return {name: item["spec"]["replicas"] for name, item in found.items()}

    async def claims(self) -> set[str]:
        """The volume claims that are there and stay."""
        found = await self.path.objects(f"/api/v1/namespaces/{self.namespace}/persistentvolumeclaims")
        return {name for name, item in found.items() if "deletionTimestamp" not in item["metadata"]}

    async def left(self) -> set[str]:
        """What is there of the instance beside its inventory: volume claims, the namespace, the keys' second copy."""
        secrets = f"/api/v1/namespaces/{self.path.namespace}/secrets"
        left = {"keys"} if await self.path.exists(f"{secrets}/perigee-keys-{self.id}") else set()
        if await self.path.exists(f"/api/v1/namespaces/{self.namespace}"):
            left |= {"namespace"} | await self.claims() | set(await self.replicas())
        return left

    async def restart_writes_nothing(self) -> None:
        """Run a new agent until it has judged the instance, polled and reported; count its writes at the server."""
        log = AuditLog(self.path.cluster.audit_log)
        mark = await log.mark()
        async with self.path.agent() as facts:
            await facts.wait(lambda fact: isinstance(fact, IndexAccepted))
            await facts.wait(lambda fact: isinstance(fact, ReconcileFinished) and fact.instance_id == self.id)
            await facts.wait(lambda fact: isinstance(fact, ReportDelivered) and fact.reports > 0)
        made = (await log.read(mark)).by(user_agent=USER_AGENT)
        assert len(made) > 0
        assert [f"{write.verb} {write.uri}" for write in made.writes()] == []


async def test_a_running_instance_is_changed_sleeps_wakes_and_pauses(path: Journey) -> None:
    life = Life(path)
    async with path.agent():
        report = await life.becomes_ready()
        assert {component.name for component in report.components} >= {"api-server", "scheduler", "worker/default"}
        assert all(component.ready == component.desired == 1 for component in report.components)

        report = await life.becomes_ready(components={"apiServer": {"replicas": 2}})
        whys = [change.why for change in report.changes if change.object.kind == "Deployment"]
        assert whys == ["spec.replicas: 1 → 2"]
    await life.restart_writes_nothing()

    async with path.agent():
        await life.becomes("Hibernated", state="hibernated")
        assert set((await life.replicas()).values()) == {0}
        assert await life.claims() == {DATABASE, BROKER}
    await life.restart_writes_nothing()

    async with path.agent():
        await life.becomes_ready()
        revision = await path.publish(life.id, paused=True, components={"apiServer": {"replicas": 3}})
        await path.told(life.id, lambda told: told.revision == revision and condition(told, "Paused").status == "True")
        assert (await life.replicas())["airflow-api-server"] == 1
    await life.restart_writes_nothing()

    async with path.agent():
        await life.becomes_ready(components={"apiServer": {"replicas": 3}})
        assert (await life.replicas())["airflow-api-server"] == 3


@pytest.mark.parametrize(
    ("spec", "left"),
    [
        ({}, {DATABASE, BROKER, "keys", "namespace"}),
        ({"retain": ["database"]}, {DATABASE, "namespace"}),
        ({"retain": ["keys"]}, {"keys"}),
        ({"retain": []}, set()),
    ],
    ids=["absent", "database", "keys", "nothing"],
)
async def test_a_tombstone_keeps_what_it_retains(path: Journey, spec: dict[str, list[str]], left: set[str]) -> None:
    life = Life(path)
    async with path.agent():
        await life.becomes_ready()
        await life.becomes("Deleted", state="deleted", **spec)
        assert await life.left() == left
    await life.restart_writes_nothing()


async def test_what_a_tombstone_kept_a_later_one_removes(path: Journey) -> None:
    life = Life(path)
    async with path.agent():
        await life.becomes_ready()
        await life.becomes("Deleted", state="deleted")
        await life.becomes("Deleted", state="deleted", retain=[])
        assert await life.left() == set()
        assert not await path.exists(f"/api/v1/namespaces/{path.namespace}/secrets/perigee-inventory-{life.id}")
