"""How instances fare is told from what the cluster holds, with nobody there to ask; what does not verify is told so."""

from __future__ import annotations

import json

import pytest

from agent.cli import forms, standings, stories
from agent.cli.console import console
from agent.cluster.client import Request
from agent.cluster.connection import connect
from agent.cluster.glance import ReadingClient
from agent.cluster.secrets import SecretShelf
from agent.inspection.comparison import comparison
from agent.inspection.explanation import account, explanation
from agent.inspection.fleet import Fleet, Found, UnknownName, fleet
from agent.model.conditions import Truth
from agent.model.errors import Misconfigured, Refused
from agent.planning.fields import text
from agent.planning.leadership import seems_held
from agent.wire.trust import fingerprint
from tests.integration.inspection.scene import Scene, settled, writes
from tests.support.hostile import Listener
from tests.support.wire import SECOND_ROOT, a_role, a_trust_envelope, some_trust_data

SCHEDULER = "airflow-scheduler"


async def look(scene: Scene, which: str = "") -> Fleet:
    async with scene.looking() as sight:
        looked = await fleet(sight, which)
        assert writes(sight) == set()
        return looked


def the(looked: Fleet) -> Found:
    (found,) = looked.found
    return found


def condition(found: Found, name: str) -> tuple[Truth, str]:
    assert found.status is not None
    (one,) = (each for each in found.status.conditions if each.type == name)
    return one.status, one.reason


async def says(listener: Listener, instance_id: str, name: str) -> None:
    """Wait until the agent itself says that this is true."""

    def holds(_: object) -> bool:
        told = instance_id in listener.statuses.everything()
        return told and listener.condition(instance_id, name).status is Truth.TRUE

    await listener.facts.wait(holds)


async def test_an_instance_is_judged_as_the_agent_judges_it_running_or_not(scene: Scene) -> None:
    document = scene.document()
    async with scene.agent(document) as listener:
        await settled(listener, document[0])
        agents = listener.statuses.everything()[scene.id]
        beside = the(await look(scene))
    alone = the(await look(scene, "sales"))
    for found in (beside, alone):
        assert found.status is not None
        assert [(one.type, one.status, one.reason, one.message) for one in found.status.conditions] == [
            (one.type, one.status, one.reason, one.message) for one in agents.conditions
        ]
        assert found.status.components == agents.components
        assert (found.inventory.revision, found.missing, found.ceded) == (1, (), ())


async def test_before_anything_was_accepted_there_is_nothing(scene: Scene) -> None:
    looked = await look(scene)
    assert (looked.found, looked.lease, looked.kept.standing) == ((), None, None)


async def test_a_namespace_without_an_agent_is_named(scene: Scene) -> None:
    with pytest.raises(Misconfigured, match="no agent keeps anything in namespace elsewhere"):
        async with scene.looking(namespace="elsewhere") as sight:
            await fleet(sight)


async def test_an_unknown_name_is_told_with_those_that_there_are(scene: Scene) -> None:
    await scene.lived(scene.document())
    with pytest.raises(UnknownName) as told:
        await look(scene, "nobody")
    assert told.value.hint == "there are: sales"


async def test_what_is_accepted_and_not_applied_is_told(scene: Scene) -> None:
    await scene.lived(scene.document())
    async with scene.agent(scene.document(2, paused=True, components={"apiServer": {"replicas": 2}})) as listener:
        await says(listener, scene.id, "Paused")
    found = the(await look(scene))
    assert found.document is not None
    assert (found.inventory.revision, found.document.entry.revision) == (1, 2)
    assert found.view is not None
    assert scene.ref("Deployment", "airflow-api-server") in {change.ref for change in found.view.changes}
    assert condition(found, "Paused") == (Truth.TRUE, "PausedByDocument")


async def test_who_leads_is_told(scene: Scene) -> None:
    leases = f"/apis/coordination.k8s.io/v1/namespaces/{scene.namespace}/leases"
    spec = {
        "holderIdentity": "agent-0",
        "leaseTransitions": 3,
        "leaseDurationSeconds": 10,
        "renewTime": "2026-01-01T00:00:00.000000Z",
    }
    lease = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": "perigee-agent"}}
    await scene.client.send(Request("create", "POST", leases, body={**lease, "spec": spec}))
    async with scene.looking() as sight:
        record = (await fleet(sight)).lease
        assert record is not None
        assert (record.holder, record.term, seems_held(record, sight.clock.now())) == ("agent-0", 3, False)


async def test_state_that_the_trusted_root_did_not_sign_counts_for_nothing(scene: Scene) -> None:
    await scene.lived(scene.document())
    async with scene.looking(root_fingerprint=fingerprint(SECOND_ROOT.public)) as sight:
        looked = await fleet(sight)
        compared = await comparison(sight, "", (), quick=True)
    assert looked.kept.problem is not None
    assert looked.kept.problem.reason == "WrongRoot"
    assert (the(looked).name, the(looked).status) == ("sales", None)
    assert compared.proposals == ()


async def test_an_index_that_another_signed_counts_for_nothing(scene: Scene) -> None:
    await scene.lived(scene.document())
    roles = {"root": a_role(SECOND_ROOT).to_data(), "index": a_role(SECOND_ROOT).to_data()}
    envelope = a_trust_envelope(some_trust_data(roles=roles), keys=(SECOND_ROOT,))
    shelf = SecretShelf(scene.client, scene.namespace)
    stored = await shelf.read("perigee-trust")
    assert stored is not None
    await shelf.replace(stored, {"bundle": envelope}, role="trust")
    async with scene.looking(root_fingerprint=None) as sight:
        looked = await fleet(sight)
    assert looked.kept.problem is not None
    assert looked.kept.problem.reason == "BadSignature"


async def test_an_index_for_another_cluster_is_believed_only_where_nobody_says_which_it_is(scene: Scene) -> None:
    await scene.lived(scene.document())
    async with scene.looking(cluster="another") as sight:
        problem = (await fleet(sight)).kept.problem
    assert problem is not None
    assert problem.reason == "WrongCluster"
    async with scene.looking(cluster=None, root_fingerprint=None, service_account=None) as sight:
        assert the(await fleet(sight)).status is not None
        # Nor did anybody say to whom the agent binds its rights: its own binding tells.
        (proposal,) = (await comparison(sight, "", (), quick=False)).proposals
        assert proposal.changes == ()


async def test_a_document_that_was_altered_is_told_so_and_not_compared(scene: Scene) -> None:
    entry, raw = scene.document()
    await scene.lived((entry, raw))
    shelf = SecretShelf(scene.client, scene.namespace)
    name = f"perigee-state-{entry.digest}"
    await shelf.delete(name)
    await shelf.create(name, {"content": raw.replace(b"3.3.2", b"3.3.1")}, role="state", immutable=True)
    async with scene.looking() as sight:
        found = the(await fleet(sight))
        compared = await comparison(sight, "sales", (), quick=True)
    assert found.refusal is not None
    assert (found.refusal.reason, found.status, found.name) == ("Lost", None, "sales")
    assert (compared.proposals, [*compared.refusals]) == ((), [scene.id])


async def test_a_record_that_cannot_be_read_is_told_and_not_compared(scene: Scene) -> None:
    await scene.lived(scene.document())
    shelf = SecretShelf(scene.client, scene.namespace)
    stored = await shelf.read(f"perigee-inventory-{scene.id}")
    assert stored is not None
    await shelf.replace(stored, {"inventory": b"{"}, role="inventory")
    async with scene.looking() as sight:
        assert condition(the(await fleet(sight)), "Stalled") == (Truth.TRUE, "Misconfigured")
        compared = await comparison(sight, "", (), quick=True)
    assert (compared.proposals, [*compared.damages]) == ((), [scene.id])


async def test_a_client_that_reads_cannot_write(scene: Scene) -> None:
    client = ReadingClient(await connect(scene.cluster.kubeconfig))
    try:
        path = f"/api/v1/namespaces/{scene.namespace}/secrets/perigee-trust"
        for method in ("POST", "PUT", "PATCH", "DELETE"):
            with pytest.raises(Refused, match="only reads"):
                await client.send(Request("x", method, path, body={}))
        assert client.requests() == {}
    finally:
        await client.close()


async def test_it_is_explained_what_was_done_and_what_is_left_to_whom(
    scene: Scene, capsys: pytest.CaptureFixture[str]
) -> None:
    queues = {"workers": {"queues": [{"name": "default"}, {"name": "heavy"}]}}
    await scene.lived(scene.document(components=queues))
    scheduler = scene.ref("Deployment", SCHEDULER)
    await scene.patch(scheduler, {"spec": {"replicas": 2}}, subresource="scale", manager="keda-operator")
    async with scene.agent(scene.document(2, components={"scheduler": {"replicas": 3}})) as listener:
        await says(listener, scene.id, "FieldConflict")
    async with scene.looking() as sight:
        explained = await explanation(sight, "sales")
        one = await account(sight, explained, f"deployment/{SCHEDULER}")
        assert writes(sight) == set()
        stories.show(explained, sight.clock.now(), console())
        stories.show_object(one, console())
        data = json.loads(json.dumps(forms.of_explanation(explained, sight.clock.now())))
    assert [(deed.change.action.value, deed.change.ref.name) for deed in explained.deeds][-1][0] == "delete"
    assert "airflow-worker-heavy" in {deed.change.ref.name for deed in explained.deeds}
    assert [(ref, text(ceded.path)) for ref, ceded in explained.found.ceded] == [(scheduler, ".spec.replicas")]
    assert explained.since.keys() >= {"Progressing"}
    assert {holding.ours for holding in one.holdings} == {True, False}
    assert [(lost.field, lost.to.partition("/")[0]) for lost in one.lost] == []
    said = capsys.readouterr().out
    assert ".spec.replicas is left to keda-operator" in said
    assert data["heldByOthers"][0]["field"] == ".spec.replicas"
    assert data["deeds"][-1]["why"] == "it is no longer part of the instance"


async def test_a_field_that_was_taken_is_told_with_who_has_it(scene: Scene) -> None:
    await scene.lived(scene.document())
    scheduler = scene.ref("Deployment", SCHEDULER)
    await scene.patch(scheduler, {"spec": {"revisionHistoryLimit": 7}}, manager="kubectl-edit")
    async with scene.looking() as sight:
        explained = await explanation(sight, scene.id)
        one = await account(sight, explained, f"Deployment/{SCHEDULER}")
        with pytest.raises(UnknownName, match="no object Deployment/nothing"):
            await account(sight, explained, "Deployment/nothing")
    assert [(lost.field, lost.to) for lost in one.lost] == [(".spec.revisionHistoryLimit", "kubectl-edit")]
    assert one.verdict == "repair: its fields were changed by kubectl-edit"
    assert one.owned is not None
    assert one.wanted == one.owned.rendered
    assert explained.proposal is not None
    assert [change.change.ref for change in explained.proposal.changes] == [scheduler]


async def test_the_table_tells_it_in_words(scene: Scene, capsys: pytest.CaptureFixture[str]) -> None:
    await scene.lived(scene.document())
    async with scene.looking() as sight:
        standings.show(await fleet(sight, "sales"), sight.clock.now(), console(), closely=True)
    said = capsys.readouterr().out
    for words in ("cluster prod-1", "accepted 1.1", "no lease", "sales", scene.home, "Ready", "worker/default"):
        assert words in said
