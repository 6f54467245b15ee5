"""What only a closer look finds: kinds that no watch covers, values that nobody's ownership tells of, and leftovers."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from agent.cluster.client import Request
from agent.loops.pace import SystemClock
from agent.loops.progress import Look
from agent.model.facts import ChangeApplied
from tests.integration.loops.lives import Life, World
from tests.integration.loops.strangers import CONFIG, SCHEDULER, apply, delete, edit, live, names
from tests.support.engine import PACE, Rules

SPED_UP = 400.0


class HurriedClock(SystemClock):
    """A clock that runs faster than the wall's, and whose waits are as much shorter."""

    def __init__(self) -> None:
        self._began = super().now()

    def now(self) -> datetime:
        return self._began + timedelta(seconds=(super().now() - self._began).total_seconds() * SPED_UP)

    async def wait(self, event: asyncio.Event, *, seconds: float) -> bool:
        return await super().wait(event, seconds=seconds / SPED_UP)


def repaired(life: Life, name: str) -> list[str]:
    """The reasons of the repairs of an object."""
    return [
        fact.change.why
        for fact in life.facts.stated
        if isinstance(fact, ChangeApplied) and fact.change.action.value == "repair" and fact.change.ref.name == name
    ]


async def test_a_survey_finds_what_somebody_did_to_a_kind_that_no_watch_covers(world: World) -> None:
    document = world.document()
    async with world.living(document) as life:
        await life.settles(document)
        before = (await live(world, CONFIG))["data"]
        key = min(before)
        await edit(world, CONFIG, {"data": {key: "strange", "theirs": "1"}})
        await life.looks(world.id)
        assert (await live(world, CONFIG))["data"][key] == "strange", "no watch tells of it, and nobody looked"
        await life.looks(world.id, Look(survey=True))
        after = (await live(world, CONFIG))["data"]
        assert after == {**before, "theirs": "1"}, "ours is repaired, theirs is theirs"
        (why,) = repaired(life, "airflow-config")
        assert "changed by kubectl-edit" in why
        await delete(world, CONFIG)
        await life.looks(world.id, Look(survey=True))
        assert (await live(world, CONFIG))["data"] == before


async def test_a_full_comparison_finds_a_value_that_nobody_s_ownership_tells_of(world: World) -> None:
    """Somebody applied another value under our own name: the record of ownership is the same as before."""
    document = world.document()
    async with world.living(document) as life:
        await life.settles(document)
        found = await live(world, "services/airflow-api-server")
        ours: dict[str, Any] = {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": "airflow-api-server", "labels": found["metadata"]["labels"]},
            "spec": {name: found["spec"][name] for name in ("selector", "type")},
        }
        ours["spec"]["ports"] = [{**port, "targetPort": 9} for port in found["spec"]["ports"]]
        await apply(world, ours, "services/airflow-api-server", manager="perigee")
        await life.looks(world.id, Look(again=True, survey=True))
        ports = (await live(world, "services/airflow-api-server"))["spec"]["ports"]
        assert {port["targetPort"] for port in ports} == {9}, "the usual look cannot see it"
        # The server tells its times in whole seconds: one look in the very second of the change may miss it.
        for _ in range(100):
            await life.looks(world.id, Look(compare=True))
            if repaired(life, "airflow-api-server"):
                break
        assert (await live(world, "services/airflow-api-server"))["spec"]["ports"] == found["spec"]["ports"]
        (why,) = repaired(life, "airflow-api-server")
        assert "although nobody took a field over" in why


async def test_a_full_comparison_that_finds_nothing_writes_nothing(world: World) -> None:
    document = world.document()
    async with world.living(document) as life:
        await life.settles(document)
        written = len(life.client.writes)
        await life.looks(world.id, Look(compare=True))
        assert life.client.writes[written:] == []
        assert life.client.requests()["dry-run"] > 20, "it did ask"


async def test_who_wipes_the_record_of_ownership_is_no_reason_to_fight(world: World) -> None:
    """An update with an empty managedFields resets it; then what we own is not known, and is applied again once."""
    document = world.document()
    async with world.living(document) as life:
        await life.settles(document)
        await edit(world, SCHEDULER, {"metadata": {"managedFields": [{}]}})
        await life.facts.wait(lambda _: bool(repaired(life, "airflow-scheduler")), seconds=20)
        await life.settles(document)
        written = len(life.client.writes)
        await life.looks(world.id, Look(compare=True))
        assert life.touched(world.id, since=written) == []


async def test_surveys_and_comparisons_come_round_by_themselves(world: World) -> None:
    pace = replace(PACE, survey_seconds=60, compare_seconds=60)
    document = world.document()
    async with world.living(document, rules=Rules(pace=pace), clock=HurriedClock()) as life:
        await life.settles(document)
        await edit(world, CONFIG, {"data": {min((await live(world, CONFIG))["data"]): "strange"}})
        await life.facts.wait(lambda _: bool(repaired(life, "airflow-config")), seconds=20)
        await life.facts.wait(lambda _: life.client.requests().get("dry-run", 0) > 20, seconds=20)


async def test_no_component_is_compared_before_the_migration_that_it_waits_for(world: World) -> None:
    """A full comparison goes no further than the stages have come: nothing new runs on an old schema."""
    before = world.document()
    async with world.living(before) as life:
        await life.settles(before)
    after = world.document(2, airflow={"version": "3.3.2", "image": "localhost/airflow:new"})

    def tamper(request: Request) -> Exception | None:
        return None if request.verb != "apply" or "/jobs/" not in request.path else TimeoutError("a job is not applied")

    async with world.living(after, tamper=tamper) as life:
        await life.shows(world.id, "Stalled", "Unforeseen")
        for _ in range(2):
            await life.looks(world.id, Look(compare=True))
    containers = (await live(world, SCHEDULER))["spec"]["template"]["spec"]["containers"]
    assert not [one for one in containers if one["image"] == "localhost/airflow:new"]


def queues(*of: str) -> dict[str, Any]:
    return {"components": {"workers": {"queues": [{"name": name} for name in of]}}}


async def test_a_document_that_would_remove_too_much_removes_nothing_until_somebody_says_so(world: World) -> None:
    """argoproj/argo-cd#17440: everything was pruned at once, namespaces too, although nobody had asked for it.

    More than the limit is not begun; it is told, and stays told; and the namespace is never part of it.
    """
    many, few = world.document(**queues("a", "b", "c", "d")), world.document(2, **queues("a"))
    strict = Rules(prune_limit=2)
    async with world.living(many, rules=strict) as life:
        await life.settles(many)
        life.want(few)
        found = await life.shows(world.id, "Stalled", "TooMuchToPrune")
        assert "the document no longer wants 3 objects, more than the 2" in found.message
        for _ in range(2):
            await life.looks(world.id)
            assert life.condition(world.id, "Stalled").reason == "TooMuchToPrune"  # type: ignore[union-attr]
        assert life.condition(world.id, "Ready").reason == "AllComponentsReady"  # type: ignore[union-attr]
        assert not [one for one in life.client.writes if one.verb == "delete"]
    sets = await names(world, "statefulsets")
    assert {f"airflow-worker-{name}" for name in "abcd"} <= sets
    async with world.living(few, rules=strict) as life:
        await life.shows(world.id, "Stalled", "TooMuchToPrune")
        fewer = world.document(3, **queues("a", "b"))
        life.want(fewer)
        await life.settles(fewer)
    assert {f"airflow-worker-{name}" for name in "ab"} == {
        one for one in await names(world, "statefulsets") if "worker" in one
    }
    async with world.living(few) as life:
        await life.settles(few)
    assert await world.get(f"/api/v1/namespaces/{world.home}") is not None


@pytest.mark.parametrize("limit", [1, 2])
async def test_as_much_as_the_limit_is_removed(world: World, limit: int) -> None:
    many, few = world.document(**queues("a", *"bc"[:limit])), world.document(2, **queues("a"))
    async with world.living(many, rules=Rules(prune_limit=limit)) as life:
        await life.settles(many)
        life.want(few)
        await life.settles(few)
    assert {one for one in await names(world, "statefulsets") if "worker" in one} == {"airflow-worker-a"}


async def test_a_change_of_what_is_just_as_we_applied_it_needs_no_look(world: World) -> None:
    document = world.document()
    async with world.living(document) as life:
        await life.settles(document)
        before = life.client.requests().get("get", 0)
        changed = world.document(2, team="another")
        life.want(changed)
        await life.settles(changed)
        assert life.client.requests().get("get", 0) == before
        told = [fact.change.why for fact in life.facts.stated if isinstance(fact, ChangeApplied)]
    assert told[-1] == "metadata.labels.perigee.dev/team changed"
