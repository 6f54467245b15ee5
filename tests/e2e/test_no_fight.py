"""Others who work on the same objects: what is theirs stays theirs, and afterwards nobody writes any more.

Here: autoscalers, a person, controllers that annotate, a mutating webhook and a release of Helm's, all at once on a
real API server, with full comparisons as often as the settings allow; and one who never gives in. The writes are
counted at the API server. Not here: each judgement on its own.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from agent.model.changes import Action
from agent.model.facts import ChangeApplied, Fact, ReconcileFinished
from agent.wire.reports import InstanceReportV1
from control_plane.server import ControlPlane
from sandbox.realcluster import RealCluster
from sandbox.testcluster import AuditLog
from tests.e2e.neighbours import Street, Zealot, grace
from tests.integration.loops.lives import World
from tests.integration.loops.strangers import SCHEDULER, live
from tests.support.figures import Figure
from tests.support.journey import Facts, Journey, condition, journey, ready
from tests.support.mutation import VARIABLE, mutating
from tests.support.rights import ACCOUNT
from tests.support.watching import Resident, Watch

pytestmark = pytest.mark.timeout(1800)

DEPLOYMENTS = {"airflow-api-server", "airflow-scheduler", "airflow-dag-processor"}
OFTEN = {"compare_seconds": 60, "survey_seconds": 10, "backoff": {"min_seconds": 0.1, "max_seconds": 1}}
"""The full comparison as often as may be, so that several fall into the time of a watch."""
SPEC: dict[str, Any] = {
    "isolation": {"quota": {"pods": "60"}},  # room for those who scale
    "components": {
        "scheduler": {"scaling": "external"},
        "workers": {"queues": [{"name": "default", "scaling": "external"}]},
    },
}
GRACE = "spec.template.spec.terminationGracePeriodSeconds"


@pytest.fixture
async def way(plane: ControlPlane, real_cluster: RealCluster, tmp_path: Path) -> AsyncIterator[Journey]:
    async with journey(plane, real_cluster, tmp_path) as begun:
        yield begun


@pytest.fixture
def watch(way: Journey, watch_seconds: int) -> Watch:
    return Watch(way, watch_seconds)


async def born(way: Journey, world: World, **spec: Any) -> Resident:
    """Publish an instance, and wait until it is ready."""
    revision = await way.publish(world.id, **spec)
    await way.told(world.id, lambda told: told.revision == revision and ready(told), seconds=120)
    return Resident(way, world.document(revision, name=f"airflow-{world.id[:8]}", **spec))


def conflict(*parts: str) -> Callable[[InstanceReportV1], bool]:
    """Whether an instance is ready and tells of fields that others hold, with all of these words."""
    return lambda told: ready(told) and all(part in condition(told, "FieldConflict").message for part in parts)


def by_webhook(name: str) -> set[str]:
    """What the webhook makes another than it was sent."""
    container = name.removeprefix("airflow-")
    return {GRACE, f"spec.template.spec.containers[{container}].env[{VARIABLE}].value"}


def judged(instance_id: str, fact: Fact) -> bool:
    """Whether a pass over the instance ended well."""
    return isinstance(fact, ReconcileFinished) and fact.instance_id == instance_id


async def restart_writes_nothing(way: Journey, *ids: str) -> None:
    """A new agent judges everything, and finds nothing to do."""
    log = AuditLog(way.cluster.audit_log)
    mark = await log.mark()
    async with way.agent(reconcile=OFTEN) as facts:
        for each in ids:
            await facts.wait(functools.partial(judged, each))
    user = f"system:serviceaccount:{way.namespace}:{ACCOUNT}"
    assert [f"{write.verb} {write.uri}" for write in (await log.read(mark)).writes(user=user)] == []


async def settle_among_strangers(street: Street, second: World) -> tuple[Resident, Resident]:
    """The strangers come one by one; meanwhile a second instance is born, and the first gets a new document."""
    await street.scaled_by_others()
    await street.annotated_by_others()
    await street.release.install("hello")
    newborn = await born(street.way, second)
    await street.release.upgrade("good evening")
    first = await born(street.way, street.world, airflow={"version": "3.3.2", "env": {"LATER": "yes"}}, **SPEC)
    await street.way.told(
        first.id,
        conflict(
            "airflow-api-server .spec.replicas is held by kubectl/scale",
            "airflow-dag-processor .spec.replicas is held by kube-controller-manager/scale",
        ),
    )
    return first, newborn


async def is_as_rendered_but_for_what_others_hold(first: Resident, newborn: Resident) -> None:
    changed = {f"Deployment/{name}": by_webhook(name) for name in DEPLOYMENTS}
    assert await newborn.deviations() == changed
    left = {f"Deployment/{name}": {"spec.replicas"} for name in ("airflow-api-server", "airflow-dag-processor")}
    assert await first.deviations() == {name: fields | left.get(name, set()) for name, fields in changed.items()}


async def test_all_sorts_of_strangers_meet_no_fight(
    way: Journey, real_cluster: RealCluster, tmp_path: Path, watch: Watch, figure: Figure
) -> None:
    """kubernetes/kubernetes#25238: a number that somebody scales is not written back, not by a later document either.

    rancher/fleet#4878: nor does what others write hide what is ours: all else is as rendered.
    cloudnative-pg/cloudnative-pg#10418: what a webhook changes on its way through is nobody's drift, or it would be
    repaired for ever, since the server makes the same of every repair.
    """
    street = Street(way, real_cluster, tmp_path)
    second = World(way.granted, way.namespace, way.client)
    homes = {street.world.home, second.home}
    async with way.agent(reconcile=OFTEN):
        first = await born(way, street.world, **SPEC)
        assert await first.deviations() == {}
    async with mutating(way.client, homes, tried_in=street.world.home) as mutator:
        async with way.agent(reconcile=OFTEN):
            first, newborn = await settle_among_strangers(street, second)
            await watch.until_still()
            neighbour = await street.neighbour()
            assert neighbour[0]["data"] == {"greeting": "good evening"}
            mutator.asked.clear()
            seen = await watch.over(first, newborn)
            assert (seen.writes, seen.scuffles(homes)) == ([], [])
            assert all(mutator.tried(home) >= DEPLOYMENTS for home in homes)
        figure(f"all sorts of strangers, {seen}")
        await street.has_what_others_did()
        assert await street.neighbour() == neighbour
        assert all("perigee" not in one["metadata"]["managedFields"] for one in neighbour)
        await is_as_rendered_but_for_what_others_hold(first, newborn)
        await restart_writes_nothing(way, first.id, newborn.id)


def repairs(facts: Facts) -> list[str]:
    """Why the scheduler was repaired, each time."""
    return [
        fact.change.why
        for fact in facts.stated
        if isinstance(fact, ChangeApplied)
        and fact.change.action is Action.REPAIR
        and fact.change.ref.name == "airflow-scheduler"
    ]


async def test_who_never_gives_in_is_left_the_field_after_three_repairs(
    way: Journey, real_cluster: RealCluster, watch: Watch, figure: Figure
) -> None:
    """kedacore/keda#5288: two who each wrote the same number every five minutes, for ever.

    Here a field that was ours is taken back three times within the hour; then it is left, told, and written no more.
    """
    world = World(way.granted, way.namespace, way.client)
    zealot = Zealot(world, real_cluster)
    async with way.agent(reconcile=OFTEN) as facts, asyncio.TaskGroup() as group:
        resident = await born(way, world)
        insisting = group.create_task(zealot.insist(), name="zealot")
        held = f"airflow-scheduler .{GRACE} is held by {Zealot.MANAGER}"
        await way.told(world.id, conflict(held))
        await watch.until_still()
        seen = await watch.over(resident)
        insisting.cancel()
    assert (seen.writes, seen.scuffles({world.home})) == ([], [])
    figure(f"one who never gives in, {seen}")
    assert zealot.written == 4
    *back, given_up = repairs(facts)
    assert len(back) == 3
    assert f"left out: .{GRACE} (held by {Zealot.MANAGER})" in given_up
    assert await resident.deviations() == {"Deployment/airflow-scheduler": {GRACE}}
    assert grace(await live(world, SCHEDULER)) == Zealot.SECONDS
    await restart_writes_nothing(way, world.id)
