"""Fields that cannot change on a live object: made again, made again around the pods, or refused before any harm."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from agent.cluster.client import Request
from agent.cluster.journal import ClusterJournal
from agent.cluster.secrets import SecretShelf
from agent.model.changes import Action
from agent.model.errors import ObjectRefused
from agent.model.lease import Term
from tests.integration.loops.lives import Meanwhile, World
from tests.integration.loops.strangers import DATABASE, create, delete, live, names, path, uids
from tests.support.rights import Granted

BINDING = "rolebindings/perigee-agent"
CLAIM = "persistentvolumeclaims/data-airflow-database-0"


def database(size: str, **fields: Any) -> dict[str, Any]:
    return {"database": {"embedded": {"storage": size, **fields}}}


def size_of(claim: dict[str, Any]) -> str:
    return str(claim["spec"]["resources"]["requests"]["storage"])


def journalled(world: World) -> tuple[Meanwhile, list[str]]:
    """Looks at each deletion on its way whether the journal names that very incarnation; gathers what was deleted."""
    deleted: list[str] = []

    async def meanwhile(request: Request) -> None:
        if request.verb != "delete" or world.home not in request.path:
            return
        uid = request.body["preconditions"]["uid"]
        journal = ClusterJournal(SecretShelf(world.client, world.namespace), Term(1, "a-test"))
        written = {deed.uid: deed for deed in await journal.read(world.id)}
        assert uid in written, f"{request} was not written down"
        assert written[uid].change.action is Action.DELETE
        deleted.append(request.path)

    return meanwhile, deleted


async def test_a_volume_grows_while_the_database_runs(world: World) -> None:
    """The set is made again around its running pod: the pod is the same one, and its claim asks for more."""
    meanwhile, deleted = journalled(world)
    small, large = world.document(**database("1Gi")), world.document(2, **database("2Gi"))
    async with world.living(small, meanwhile=meanwhile) as life:
        await life.settles(small)
        before, pods = await live(world, DATABASE), await uids(world, "pods")
        claim = await live(world, CLAIM)
        assert size_of(claim) == "1Gi"
        life.want(large)
        await life.settles(large)
        after = await live(world, DATABASE)
        assert after["metadata"]["uid"] != before["metadata"]["uid"]
        assert size_of(after["spec"]["volumeClaimTemplates"][0]) == "2Gi"
        assert (await uids(world, "pods"))["airflow-database-0"] == pods["airflow-database-0"]
        grown = await live(world, CLAIM)
        assert (size_of(grown), grown["metadata"]["uid"]) == ("2Gi", claim["metadata"]["uid"])
        assert deleted == [path(world, DATABASE)]
        await life.shows(world.id, "Ready", "AllComponentsReady")
        written = len(life.client.writes)
        await life.looks(world.id)
        assert life.touched(world.id, since=written) == []


async def test_a_growth_that_is_cut_short_is_finished_by_the_next_life(world: World) -> None:
    small, large = world.document(**database("1Gi")), world.document(2, **database("2Gi"))
    async with world.living(small) as life:
        await life.settles(small)
        pods = await uids(world, "pods")
    for after in (1, 2, 3):
        async with world.living(large, dies_after=after) as life:
            await life.client.dead.wait()
    async with world.living(large) as life:
        await life.settles(large)
    assert size_of(await live(world, CLAIM)) == "2Gi"
    assert size_of((await live(world, DATABASE))["spec"]["volumeClaimTemplates"][0]) == "2Gi"
    assert (await uids(world, "pods"))["airflow-database-0"] == pods["airflow-database-0"]


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        (database("512Mi"), "volume data cannot shrink from 1Gi to 512Mi"),
        (database("1Gi", storageClass="other"), "volume data: only its size can change"),
    ],
    ids=["shrink", "class"],
)
async def test_what_would_lose_data_is_refused_and_the_rest_goes_on(
    world: World, changed: dict[str, Any], why: str
) -> None:
    document = world.document(**database("1Gi", storageClass="standard"))
    async with world.living(document) as life:
        await life.settles(document)
        before, claim = await live(world, DATABASE), await live(world, CLAIM)
        changed["database"]["embedded"].setdefault("storageClass", "standard")
        life.want(world.document(2, components={"apiServer": {"replicas": 2}}, **changed))
        found = await life.shows(world.id, "Stalled", "ImmutableField")
        assert why in found.message
        assert "go back to what it was, or make a new instance" in found.message
        written = len(life.client.writes)
        await life.looks(world.id)
        assert life.touched(world.id, since=written) == []
        assert (await live(world, DATABASE))["metadata"]["uid"] == before["metadata"]["uid"]
        assert (await live(world, CLAIM))["metadata"]["uid"] == claim["metadata"]["uid"]
        assert (await live(world, "deployments/airflow-api-server"))["spec"]["replicas"] == 2
        back = world.document(3, **database("1Gi", storageClass="standard"))
        life.want(back)
        await life.settles(back)


async def test_nothing_was_deleted_where_the_volume_could_not_grow(world: World) -> None:
    def tamper(request: Request) -> Exception | None:
        if request.verb == "grow":
            return ObjectRefused("the storage class that provisions the pvc must support resize")
        return None

    small = world.document(**database("1Gi"))
    async with world.living(small) as life:
        await life.settles(small)
    before = await live(world, DATABASE)
    async with world.living(world.document(2, **database("2Gi")), tamper=tamper) as life:
        found = await life.shows(world.id, "Stalled", "ObjectRefused")
        assert "must support resize" in found.message
    after = await live(world, DATABASE)
    assert after["metadata"]["uid"] == before["metadata"]["uid"]
    assert not after["metadata"].get("deletionTimestamp")


def other_form(found: dict[str, Any]) -> dict[str, Any]:
    """The same name and label, and another value of what cannot change."""
    metadata = {"name": found["metadata"]["name"], "labels": found["metadata"]["labels"]}
    copy: dict[str, Any] = {"apiVersion": found["apiVersion"], "kind": found["kind"], "metadata": metadata}
    if found["kind"] == "RoleBinding":
        return copy | {"roleRef": {**found["roleRef"], "name": "other"}, "subjects": found["subjects"]}
    if found["kind"] == "Service":
        return copy | {"spec": {"ports": [{"port": 80}], "selector": {"a": "b"}}}
    if found["kind"] == "Job":
        spec = {"restartPolicy": "Never", "containers": [{"name": "theirs", "image": "localhost/theirs:1"}]}
        return copy | {"spec": {"template": {"metadata": {}, "spec": spec}}}
    template = found["spec"]["template"]
    template["metadata"]["labels"] = {"app": "theirs"}
    return copy | {"spec": {"selector": {"matchLabels": {"app": "theirs"}}, "template": template}}


@pytest.mark.parametrize("kind", ["rolebindings", "services", "jobs", "deployments"])
async def test_what_loses_nothing_is_replaced(world: World, kind: str) -> None:
    """Somebody made one of ours anew in a form that cannot become the wanted one in place."""
    world = replace(world, granted=Granted(world.granted.kubeconfig, "perigee-agent"))
    meanwhile, deleted = journalled(world)
    document = world.document()
    async with world.living(document) as life:
        await life.settles(document)
    name = {"rolebindings": "perigee-agent", "services": "airflow-worker", "deployments": "airflow-scheduler"}.get(kind)
    which = f"{kind}/{name or min(await names(world, kind))}"
    before = await live(world, which)
    await delete(world, which)
    theirs = await create(world, other_form(before), kind)
    async with world.living(document, meanwhile=meanwhile) as life:
        await life.settles(document)
        await life.shows(world.id, "Ready", "AllComponentsReady")
        assert path(world, which) in deleted
    after = await live(world, which)
    assert after["metadata"]["uid"] not in {before["metadata"]["uid"], theirs["metadata"]["uid"]}
    fixed = {"rolebindings": ("roleRef",), "services": ("spec", "clusterIP"), "jobs": ("spec", "template", "spec")}
    for key in fixed.get(kind, ("spec", "selector")):
        before, after = before[key], after[key]
    assert after == before


async def test_everything_that_is_deleted_was_written_down_before(world: World) -> None:
    meanwhile, deleted = journalled(world)
    two = world.document(components={"workers": {"queues": [{"name": "one"}, {"name": "two"}]}})
    one = world.document(2, components={"workers": {"queues": [{"name": "one"}]}})
    grave = world.document(3, state="deleted", retain=[])
    async with world.living(meanwhile=meanwhile) as life:
        for document in (two, one, grave):
            life.want(document)
            await life.settles(document)
    assert path(world, "statefulsets/airflow-worker-two") in deleted
    assert len(deleted) > 20
