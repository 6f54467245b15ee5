"""Fields that others want too: what was ours is taken back, what was theirs stays, and no fight goes on for ever."""

from __future__ import annotations

from typing import Any

from agent.cluster.client import Request
from agent.loops.progress import Look
from agent.model.changes import Action
from agent.model.conditions import Truth
from agent.model.facts import ChangeApplied, Fact
from tests.integration.loops.lives import Life, World
from tests.integration.loops.strangers import (
    API_SERVER,
    CONFIG,
    SCHEDULER,
    apply,
    edit,
    holders,
    live,
    path,
    replicas,
    scale,
)

LIMIT = "limitranges/airflow-defaults"


def repairs(life: Life, name: str) -> list[str]:
    """The reasons of all repairs of an object."""
    return [
        fact.change.why
        for fact in life.facts.stated
        if isinstance(fact, ChangeApplied) and fact.change.action is Action.REPAIR and fact.change.ref.name == name
    ]


def touching(name: str, *, times: int = 1) -> Any:
    """Whether an object was changed by us that often."""
    count = 0

    def matches(fact: Fact) -> bool:
        nonlocal count
        count += isinstance(fact, ChangeApplied) and fact.change.ref.name == name
        return count >= times

    return matches


async def the_image(world: World, which: str) -> str:
    found = await live(world, which)
    return str(found["spec"]["template"]["spec"]["containers"][0]["image"])


async def take_image(world: World, which: str, image: str, *, manager: str = "kubectl-set") -> None:
    """Somebody sets the image of a workload's first container, as kubectl set image does."""
    name = (await live(world, which))["spec"]["template"]["spec"]["containers"][0]["name"]
    params = {"fieldManager": manager}
    body = {"spec": {"template": {"spec": {"containers": [{"name": name, "image": image}]}}}}
    kind = "application/strategic-merge-patch+json"
    await world.send("patch", "PATCH", path(world, which), params=params, body=body, content_type=kind)


async def test_a_field_that_was_ours_is_taken_back_and_its_taker_is_named(world: World) -> None:
    """rancher/fleet#4878: drift made by another field manager was silently ignored after the move to server-side apply.

    Here the field is taken back, and the report names who took it and what it was.
    """
    document = world.document()
    async with world.living(document) as life:
        await life.settles(document)
        before = await the_image(world, SCHEDULER)
        await take_image(world, SCHEDULER, "localhost/strange:1")
        await life.facts.wait(lambda _: bool(repairs(life, "airflow-scheduler")), seconds=20)
        (why,) = repairs(life, "airflow-scheduler")
        assert "changed by kubectl-set" in why
        assert "localhost/strange:1" in why
        assert await the_image(world, SCHEDULER) == before
        condition = life.condition(world.id, "FieldConflict")
        assert condition is not None
        assert condition.status == Truth.FALSE
        await life.looks(world.id)
        assert len(repairs(life, "airflow-scheduler")) == 1


async def test_drift_made_while_the_agent_was_away_is_repaired_too(world: World) -> None:
    document = world.document()
    async with world.living(document) as life:
        await life.settles(document)
        before = await the_image(world, SCHEDULER)
    await take_image(world, SCHEDULER, "localhost/strange:1")
    async with world.living(document) as life:
        await life.facts.wait(lambda _: bool(repairs(life, "airflow-scheduler")), seconds=20)
        assert await the_image(world, SCHEDULER) == before


def a_limit_range(world: World, cpu: str) -> dict[str, Any]:
    metadata = {"name": "airflow-defaults", "labels": {"perigee.dev/instance": world.id}}
    limits = [{"type": "Container", "defaultRequest": {"cpu": cpu}}]
    return {"apiVersion": "v1", "kind": "LimitRange", "metadata": metadata, "spec": {"limits": limits}}


async def held_by_helm(world: World) -> None:
    """A namespace that was handed over to us, with an object in it of which Helm holds a field."""
    home = {"name": world.home, "labels": {"perigee.dev/instance": world.id}}
    manifest = {"apiVersion": "v1", "kind": "Namespace", "metadata": home}
    await world.send("create", "POST", "/api/v1/namespaces", body=manifest)
    await apply(world, a_limit_range(world, "7m"), LIMIT)


async def test_what_somebody_held_first_stays_theirs_and_is_told(world: World) -> None:
    """Their value was there before we wanted the field: it is left out, told with its holder, and written no more."""
    await held_by_helm(world)
    document = world.document()
    async with world.living(document) as life:
        await life.settles(document)
        found = await life.shows(world.id, "FieldConflict", "HeldByOthers")
        assert ".spec.limits is held by helm" in found.message
        assert (await live(world, LIMIT))["spec"]["limits"][0]["defaultRequest"]["cpu"] == "7m"
        written = len(life.client.writes)
        for look in (Look(), Look(again=True, survey=True), Look(compare=True)):
            await life.looks(world.id, look)
        assert life.touched(world.id, since=written) == []
    async with world.living(document) as life:
        await life.shows(world.id, "FieldConflict", "HeldByOthers")
        assert life.client.writes == [], "a restart knows what was left to others"


async def test_an_object_that_its_holder_gives_up_becomes_ours(world: World) -> None:
    await held_by_helm(world)
    document = world.document()
    async with world.living(document) as life:
        await life.shows(world.id, "FieldConflict", "HeldByOthers")
        # An apply that no longer names a field gives it up.
        await apply(world, {"apiVersion": "v1", "kind": "LimitRange", "metadata": {"name": "airflow-defaults"}}, LIMIT)
        await life.shows(world.id, "FieldConflict", "NoneHeldByOthers")
        limits = (await live(world, LIMIT))["spec"]["limits"]
        assert limits[0].get("defaultRequest", {}).get("cpu") != "7m"


async def test_a_field_whose_holder_keeps_others_becomes_ours_at_the_next_full_comparison(world: World) -> None:
    await held_by_helm(world)
    async with world.living(world.document()) as life:
        await life.shows(world.id, "FieldConflict", "HeldByOthers")
        lean = a_limit_range(world, "7m")
        del lean["spec"]
        await apply(world, lean, LIMIT)
        await life.looks(world.id, Look(compare=True))
        await life.shows(world.id, "FieldConflict", "NoneHeldByOthers")
        assert "helm" in repr((await live(world, LIMIT))["metadata"]["managedFields"])
        assert holders(await live(world, LIMIT), "spec", "limits") == {"perigee"}


async def test_annotations_that_others_live_by_are_not_fought_for(world: World) -> None:
    """cert-manager style: an annotation beside ours is never touched, whoever writes it and however often."""
    document = world.document()
    async with world.living(document) as life:
        await life.settles(document)
        written = len(life.client.writes)
        for number in range(3):
            annotations = {"cert-manager.io/issuer": f"issuer-{number}", "example.com/note": f"{number}"}
            await edit(world, SCHEDULER, {"metadata": {"annotations": annotations}}, manager="cert-manager")
            await life.looks(world.id, Look(compare=number == 2))
        assert life.touched(world.id, since=written) == []
        assert (await live(world, SCHEDULER))["metadata"]["annotations"]["cert-manager.io/issuer"] == "issuer-2"


async def test_an_endless_fight_is_given_up_and_told(world: World) -> None:
    """A mutating webhook or another operator that sets a field again and again wins after three rounds."""
    document = world.document()
    async with world.living(document) as life:
        await life.settles(document)
        for number in range(1, 4):
            await take_image(world, SCHEDULER, f"localhost/strange:{number}", manager="operator")
            await life.facts.wait(lambda _, n=number: len(repairs(life, "airflow-scheduler")) >= n, seconds=20)  # type: ignore[misc]
        await take_image(world, SCHEDULER, "localhost/strange:4", manager="operator")
        found = await life.shows(world.id, "FieldConflict", "HeldByOthers")
        assert "is held by operator" in found.message
        written = len(life.client.writes)
        await take_image(world, SCHEDULER, "localhost/strange:5", manager="operator")
        for _ in range(2):
            await life.looks(world.id)
        assert life.touched(world.id, since=written) == []
        assert await the_image(world, SCHEDULER) == "localhost/strange:5"
        changed = world.document(2, components={"apiServer": {"replicas": 2}})
        life.want(changed)
        await life.settles(changed)
        assert replicas(await live(world, API_SERVER)) == 2, "what nobody fights for goes on"


async def test_nothing_that_was_not_judged_is_taken_by_force(world: World) -> None:
    """Between a conflict and its judgement others act too: what they took meanwhile must be judged like the rest."""
    document = world.document()
    async with world.living(document) as life:
        await life.settles(document)
    await take_image(world, SCHEDULER, "localhost/strange:1")
    scaled: list[bool] = []

    async def meanwhile(request: Request) -> None:
        asked = request.verb == "apply" and request.path.endswith(SCHEDULER) and request.params["force"] == "false"
        if asked and not scaled:
            scaled.append(True)
            return
        if scaled == [True] and request.verb == "get" and request.path.endswith(SCHEDULER):
            scaled.append(True)
            await scale(world, SCHEDULER, 3, manager="kube-controller-manager")

    async with world.living(document, meanwhile=meanwhile) as life:
        await life.facts.wait(lambda _: bool(repairs(life, "airflow-scheduler")), seconds=20)
        await life.looks(world.id)
        assert len(scaled) == 2
        assert replicas(await live(world, SCHEDULER)) == 3
        assert await the_image(world, SCHEDULER) != "localhost/strange:1"


async def test_values_that_another_manager_shares_are_no_conflict(world: World) -> None:
    """Somebody who applies the very same values becomes an owner beside us; neither has anything to do."""
    document = world.document()
    async with world.living(document) as life:
        await life.settles(document)
        found = await live(world, CONFIG)
        shared = {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": "airflow-config"},
            "data": found["data"],
        }
        written = len(life.client.writes)
        await apply(world, shared, CONFIG, manager="argocd")
        await life.looks(world.id, Look(survey=True, compare=True))
        assert life.touched(world.id, since=written) == []
        assert life.condition(world.id, "FieldConflict").status == Truth.FALSE  # type: ignore[union-attr]
