"""What a diff says would change is what the agent then changes, and nothing else; and looking changes nothing."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest

from agent.cli import differences, forms
from agent.cli.console import console
from agent.inspection.comparison import comparison
from agent.inspection.fleet import UnknownName, records
from agent.inspection.proposal import Proposal, Proposed, proposal
from agent.model.changes import Action
from agent.model.facts import ChangeApplied
from agent.model.instance import Window
from agent.model.objects import ObjectRef
from agent.planning.contrast import FieldChange, Sign
from tests.integration.inspection.scene import Scene, settled, writes

CANARY = "canary-4711"
SCHEDULER = "airflow-scheduler"
API_SERVER = "airflow-api-server"
IMAGE = {"spec": {"template": {"spec": {"containers": [{"name": "scheduler", "image": "localhost/other:1"}]}}}}


def told(proposal: Proposal) -> dict[ObjectRef, Action]:
    return {one.change.ref: one.change.action for one in proposal.changes}


def of(proposal: Proposal, ref: ObjectRef) -> Proposed:
    (found,) = (one for one in proposal.changes if one.change.ref == ref)
    return found


async def test_where_nothing_differs_nothing_is_told_and_nothing_is_written(scene: Scene) -> None:
    await scene.lived(scene.document())
    async with scene.looking() as sight:
        for quick in (True, False):
            compared = await comparison(sight, "sales", (), quick=quick)
            (proposal,) = compared.proposals
            assert (proposal.changes, proposal.errors, proposal.notes) == ((), (), ())
        assert writes(sight) == set()
        assert sight.cluster.requests()["dry-run"] > 20


async def test_a_quick_comparison_tries_nothing(scene: Scene) -> None:
    await scene.lived(scene.document())
    await scene.patch(scene.ref("Deployment", SCHEDULER), {"spec": {"replicas": 3}})
    async with scene.looking() as sight:
        compared = await comparison(sight, scene.id, (), quick=True)
        assert told(compared.proposals[0]) == {scene.ref("Deployment", SCHEDULER): Action.REPAIR}
        assert set(sight.cluster.requests()) == {"get", "list"}


async def test_what_strangers_did_is_named_with_its_fields_and_is_what_the_agent_repairs(scene: Scene) -> None:
    document = scene.document()
    await scene.lived(document)
    scheduler, service = scene.ref("Deployment", SCHEDULER), scene.ref("Service", API_SERVER)
    config = scene.ref("ConfigMap", "airflow-config")
    await scene.apply(scheduler, IMAGE, manager="kubectl-edit")
    (key, *_) = (await scene.read(config))["data"]
    await scene.patch(config, {"data": {key: CANARY}})
    await scene.delete(service)

    proposal = await scene.proposed()
    assert told(proposal) == {scheduler: Action.REPAIR, service: Action.REPAIR, config: Action.REPAIR}
    (field,) = of(proposal, scheduler).fields
    assert field.path == "spec.template.spec.containers[scheduler].image"
    assert (field.was, field.becomes) == ("localhost/other:1", "apache/airflow:3.3.2")
    assert "kubectl-edit" in of(proposal, scheduler).change.why
    assert of(proposal, config).fields == (FieldChange(f"data.{key}", Sign.CHANGED),)
    assert of(proposal, service).change.why == "it was deleted by somebody else"

    async with scene.agent(document) as listener:
        await listener.facts.wait(lambda fact: isinstance(fact, ChangeApplied) and fact.change.ref == service)
        await settled(listener, document[0])
        done = [fact.change for fact in listener.facts.stated if isinstance(fact, ChangeApplied)]
        # What no watch covers, an agent that starts looks at in its next round.
        assert {change.ref: change.action for change in done} | {config: Action.REPAIR} == told(proposal)


async def test_a_given_document_is_compared_and_carried_out_just_so(scene: Scene) -> None:
    await scene.lived(scene.document())
    spec = {
        "team": "data",
        "components": {"apiServer": {"replicas": 2}},
        "airflow": {"version": "3.3.2", "config": {"core": {"parallelism": "17"}}},
    }
    proposal = await scene.proposed(scene.given(**spec))
    api_server = of(proposal, scene.ref("Deployment", API_SERVER))
    assert FieldChange("spec.replicas", Sign.CHANGED, "1", "2") in api_server.fields
    assert [one.stage for one in proposal.changes] == sorted(one.stage for one in proposal.changes if one.stage)
    done = await scene.lived(scene.document(2, **spec))
    assert {fact.change.ref: fact.change.action for fact in done} == told(proposal)


async def test_a_new_instance_is_told_whole_though_its_namespace_is_not_there(scene: Scene) -> None:
    proposal = await scene.proposed(scene.given())
    assert proposal.errors == ()
    assert set(told(proposal).values()) == {Action.CREATE}
    assert proposal.changes[0].change.ref == ObjectRef("v1", "Namespace", "", scene.home)
    database = of(proposal, scene.ref("StatefulSet", "airflow-database"))
    assert {(field.sign, field.becomes) for field in database.fields} >= {(Sign.ADDED, "1"), (Sign.ADDED, "5Gi")}
    done = await scene.lived(scene.document())
    names = {(fact.change.ref.kind, _but_digest(fact.change.ref)) for fact in done}
    assert names | {("Secret", "airflow-keys")} == {(ref.kind, _but_digest(ref)) for ref in told(proposal)}


def _but_digest(ref: ObjectRef) -> str:
    """The name of a migration ends with a digest of keys that were not made yet."""
    return ref.name.rpartition("-")[0] if ref.kind == "Job" else ref.name


async def test_a_value_that_changed_without_an_owner_is_found_by_trying_only(scene: Scene) -> None:
    await scene.lived(scene.document())
    service = scene.ref("Deployment", SCHEDULER)
    live = await scene.read(service)
    ours = next(entry for entry in live["metadata"]["managedFields"] if entry["manager"] == "perigee")
    await scene.patch(service, {"spec": {"replicas": 4}}, manager="stranger")
    stolen = await scene.read(service)
    # Somebody who edits managedFields themselves hides the traces: the fields read as ours, the value is not. Ours is
    # from long ago, since times in it are whole seconds, and a change within the second of our apply looks like ours.
    hidden = [{**ours, "time": "2026-01-01T00:00:00Z"}, *_others(stolen)]
    await scene.patch(service, {"metadata": {"managedFields": hidden}})
    assert told(await scene.proposed(quick=True)) == {}
    proposal = await scene.proposed()
    assert told(proposal) == {service: Action.REPAIR}
    assert of(proposal, service).fields == (FieldChange("spec.replicas", Sign.CHANGED, "4", "1"),)


def _others(live: dict[str, object]) -> list[object]:
    metadata = live["metadata"]
    assert isinstance(metadata, dict)
    return [entry for entry in metadata["managedFields"] if entry["manager"] not in {"perigee", "stranger"}]


@pytest.mark.parametrize("quick", [True, False], ids=["quick", "tried"])
async def test_who_scales_is_named_and_left_alone(scene: Scene, quick: bool) -> None:
    await scene.lived(scene.document())
    scheduler = scene.ref("Deployment", SCHEDULER)
    await scene.patch(scheduler, {"spec": {"replicas": 3}}, subresource="scale", manager="keda-operator")
    proposal = await scene.proposed(scene.given(components={"scheduler": {"replicas": 2}}), quick=quick)
    (contested,) = of(proposal, scheduler).contested
    assert (contested.field, contested.left) == (".spec.replicas", True)
    assert contested.manager.startswith("keda-operator")
    assert not [field for field in of(proposal, scheduler).fields if field.path == "spec.replicas"]


@pytest.mark.parametrize("quick", [True, False], ids=["quick", "tried"])
async def test_a_field_that_was_taken_from_us_is_taken_back(scene: Scene, quick: bool) -> None:
    await scene.lived(scene.document())
    scheduler = scene.ref("Deployment", SCHEDULER)
    await scene.patch(scheduler, {"spec": {"revisionHistoryLimit": 7}})
    (contested,) = of(await scene.proposed(quick=quick), scheduler).contested
    assert (contested.field, contested.manager, contested.left) == (".spec.revisionHistoryLimit", "stranger", False)


async def test_what_cannot_change_is_told_with_the_way_that_it_takes(scene: Scene) -> None:
    await scene.lived(scene.document())
    sets = scene.ref("StatefulSet", "airflow-database")
    larger = await scene.proposed(scene.given(database={"embedded": {"storage": "9Gi"}}))
    grown = of(larger, sets)
    assert (grown.way, grown.change.action) == ("remake", Action.UPDATE)
    assert [(field.was, field.becomes) for field in grown.fields if field.path.endswith(".storage")] == [("5Gi", "9Gi")]
    assert told(larger)[scene.ref("PersistentVolumeClaim", "data-airflow-database-0")] is Action.UPDATE
    smaller = await scene.proposed(scene.given(database={"embedded": {"storage": "1Gi"}}))
    (error,) = smaller.errors
    assert error.reason == "ImmutableField"
    assert "cannot shrink from 5Gi to 1Gi" in str(error)


async def test_what_the_guard_refuses_is_told_and_nothing_else(scene: Scene) -> None:
    await scene.lived(scene.document())
    moved = await scene.proposed(scene.given(namespace=f"{scene.home}-two"))
    assert [error.reason for error in moved.errors] == ["NamespaceImmutable"]
    assert moved.changes == ()


QUEUES = {"workers": {"queues": [{"name": "default"}, {"name": "heavy"}]}}


async def test_what_is_no_longer_wanted_comes_last_and_the_limit_is_told(scene: Scene) -> None:
    await scene.lived(scene.document(components=QUEUES))
    fewer = scene.given(components={"workers": {"queues": [{"name": "default"}]}})
    proposal = await scene.proposed(fewer)
    gone = [one for one in proposal.changes if one.change.action is Action.DELETE]
    assert scene.ref("StatefulSet", "airflow-worker-heavy") in {one.change.ref for one in gone}
    assert tuple(gone) == proposal.changes[-len(gone) :]
    assert {one.held for one in gone} == {""}
    limited = await scene.proposed(fewer, prune_limit=len(gone) - 1)
    held = {one.held for one in limited.changes if one.change.action is Action.DELETE}
    assert held == {f"{len(gone)} objects are no longer wanted, more than the {len(gone) - 1} that one pass may delete"}


async def test_a_tombstone_is_told_to_its_end_with_what_stays(scene: Scene) -> None:
    await scene.lived(scene.document())
    proposal = await scene.proposed(scene.given(state="deleted"))
    refs = [one.change.ref for one in proposal.changes]
    assert {one.change.action for one in proposal.changes} == {Action.DELETE}
    assert refs.index(scene.ref("Deployment", SCHEDULER)) < refs.index(scene.ref("StatefulSet", "airflow-database"))
    assert not [ref for ref in refs if ref.kind in {"Namespace", "PersistentVolumeClaim"}]
    claim = scene.ref("PersistentVolumeClaim", "data-airflow-database-0")
    assert {str(claim), "keys"} <= set(proposal.stays)
    everything = await scene.proposed(scene.given(state="deleted", retain=[]))
    assert everything.changes[-1].change.ref == ObjectRef("v1", "Namespace", "", scene.home)
    assert claim in told(everything)
    assert everything.stays == ()


async def test_a_paused_instance_says_that_nothing_is_done(scene: Scene) -> None:
    await scene.lived(scene.document())
    proposal = await scene.proposed(scene.given(paused=True, components={"apiServer": {"replicas": 2}}))
    assert told(proposal)[scene.ref("Deployment", API_SERVER)] is Action.UPDATE
    assert any("paused" in note for note in proposal.notes)


async def test_a_roll_that_only_a_newer_agent_wants_is_told_with_the_window_that_it_waits_for(scene: Scene) -> None:
    await scene.lived(scene.document())
    leap_day = Window("0 0 29 2 *", timedelta(minutes=1), ZoneInfo("UTC"))
    async with scene.looking() as sight:
        known = await records(sight)
        accepted = known.kept.documents[scene.id]
        # What a newer renderer would make of the same document, told by another image.
        airflow = replace(accepted.instance.airflow, image="apache/airflow:3.3.2-newer")
        instance = replace(accepted.instance, airflow=airflow, maintenance=(leap_day,))
        newer = replace(sight, policy=replace(sight.policy, renderer="newer"))
        await sight.cluster.look(instance_id=scene.id, namespace=scene.home)
        told_now = await proposal(newer, replace(accepted, instance=instance), known.inventory(scene.id), quick=True)
    held = of(told_now, scene.ref("Deployment", SCHEDULER)).held
    assert held.startswith("a newer agent changes its pods; its maintenance window opens at")
    assert held.endswith("-02-29 00:00 UTC")
    assert held in told_now.notes


async def test_a_document_of_another_instance_is_a_mistake(scene: Scene) -> None:
    await scene.lived(scene.document())
    other = Scene(scene.cluster, scene.namespace, scene.client, scene.granted)
    async with scene.looking() as sight:
        with pytest.raises(UnknownName, match="not of sales"):
            await comparison(sight, "sales", [other.given()], quick=True)


async def test_no_value_that_may_be_private_is_told(scene: Scene, capsys: pytest.CaptureFixture[str]) -> None:
    airflow = {
        "version": "3.3.2",
        "env": {"TOKEN": CANARY, "image": CANARY},
        "config": {"core": {"storage": CANARY, "image": CANARY}},
    }
    await scene.lived(scene.document(airflow=airflow))
    other = json.loads(json.dumps(airflow).replace(CANARY, f"{CANARY}-2"))
    keys = await scene.read(scene.ref("Secret", "airflow-keys"))
    for given in (scene.given(airflow=other), scene.given()):
        for quick in (True, False):
            compared = await scene.compared(given, quick=quick)
            differences.show(compared, console())
            said = capsys.readouterr().out + json.dumps(forms.of_comparison(compared))
            assert "ConfigMap" in said
            assert CANARY not in said
            assert not [value for value in keys["data"].values() if value in said]
