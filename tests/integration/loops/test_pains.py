"""Faults that others were hurt by, each named by the public thread that tells of it, tried on our engine.

The list of the threads, and that none of them is without a test, is in the architecture tests.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import fields, is_dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from agent.cluster.client import MERGE, KubeClient, Request
from agent.cluster.connection import connect
from agent.cluster.inventory import ClusterInventories
from agent.cluster.secrets import SecretShelf
from agent.loops.pace import SystemClock
from agent.loops.progress import Look
from agent.model.conditions import Truth
from agent.model.errors import Retryable, Unreachable
from agent.model.facts import IndexAccepted
from agent.model.objects import ObjectRef, Owned
from sandbox.cluster import EmbeddedCluster
from sandbox.faults import Cut, Fault, Gone, Where, unavailable
from tests.integration.loops import strangers
from tests.integration.loops.lives import Life, World, renamed, shape
from tests.integration.loops.strangers import CONFIG, SCHEDULER, live, path
from tests.support.builders import an_entry, document_bytes
from tests.support.clusters import fresh_namespace
from tests.support.hostile import HostilePlane, an_index, listening
from tests.support.rights import Granted

WATCHES = Where(frozenset({"watch"}))


class HurriedClock(SystemClock):
    """Rounds come many times faster than they would."""

    def __init__(self) -> None:
        self._began = super().now()

    def now(self) -> datetime:
        return self._began + timedelta(seconds=(super().now() - self._began).total_seconds() * 2000)

    async def wait(self, event: asyncio.Event, *, seconds: float) -> bool:
        return await super().wait(event, seconds=seconds / 2000)


@pytest.fixture
async def lonely() -> AsyncIterator[tuple[EmbeddedCluster, World]]:
    """A cluster of this test's own, whose API server it may trouble."""
    async with EmbeddedCluster.serve() as cluster:
        client = KubeClient(await connect(cluster.kubeconfig))
        async with fresh_namespace(cluster) as namespace:
            yield cluster, World(Granted(cluster.kubeconfig, None), namespace, client)
        await client.close()


async def test_one_call_that_failed_is_no_final_state(world: World) -> None:
    """dagster-io/dagster#34189: one transient UNAVAILABLE left a code location in ERROR for a weekend.

    Here the failure is told while it lasts, is tried again, and what is green again says so.
    """
    away: list[bool] = [True]

    def tamper(request: Request) -> Exception | None:
        troubled = away and request.verb == "apply" and SCHEDULER in request.path
        return Unreachable("the API server does not answer") if troubled else None

    document = world.document()
    async with world.living(document, tamper=tamper) as life:
        stalled = await life.shows(world.id, "Stalled", "Unreachable")
        assert stalled.status == Truth.TRUE
        away.clear()
        await life.shows(world.id, "Ready", "AllComponentsReady")
        healed = await life.shows(world.id, "Stalled", "NoFailure")
        assert (healed.status, healed.message) == (Truth.FALSE, "")


@pytest.mark.parametrize("lie", ["uids", "forms", "ownership", "missing", "strangers"])
async def test_where_the_record_and_the_cluster_differ_the_cluster_is_right(world: World, lie: str) -> None:
    """distr-sh/distr#2432: own bookkeeping said revision 1, the cluster was at 3, and the agent gave up every 5 s.

    Whatever the record says, the next life comes to what was rendered, and takes nothing of others for it.
    """
    document = world.document()
    async with world.living(document) as life:
        await life.settles(document)
    before = await world.applied()
    theirs = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "theirs"}, "data": {"a": "1"}}
    made = await strangers.create(world, theirs, "configmaps")
    inventory = await world.inventory()
    assert inventory is not None
    lines = {
        "uids": [replace(owned, uid="nobody") for owned in inventory.owned],
        "forms": [replace(owned, rendered="other") for owned in inventory.owned],
        "ownership": [replace(owned, ownership="other") for owned in inventory.owned],
        "missing": list(inventory.owned)[::2],
        "strangers": [
            *inventory.owned,
            Owned(ObjectRef("v1", "ConfigMap", world.home, "theirs"), made["metadata"]["uid"], "r", "o"),
            Owned(ObjectRef("v1", "ConfigMap", world.home, "never-made"), "uid", "r", "o"),
        ],
    }[lie]
    kept = ClusterInventories(SecretShelf(world.client, world.namespace))
    await kept.save(replace(inventory, owned=tuple(lines)))
    changed = world.document(2, airflow={"version": "3.3.2", "env": {"TZ": "UTC"}})
    async with world.living(changed) as life:
        await life.settles(changed)
        await life.shows(world.id, "Ready", "AllComponentsReady")
        after = await world.inventory()
    assert after is not None
    now = await world.applied()
    assert {owned.ref.name for owned in after.owned} >= {name.partition("/")[2] for name in now}
    jobs = {name for name in (*before, *now) if name.startswith("jobs/")}
    assert {owned.uid for owned in after.owned} >= {now[name]["metadata"]["uid"] for name in now.keys() - jobs}
    assert shape(now).keys() - jobs == shape(before).keys() - jobs
    assert await live(world, "configmaps/theirs") == made


async def test_an_empty_answer_and_a_plane_that_is_gone_delete_nothing(world: World) -> None:
    """rancher/fleet#5406: a short disconnect led to the deletion of CRDs and of production databases.

    An index without the instance, one that cannot be read, and then silence: everything runs on.
    """
    plane = HostilePlane()
    raw = document_bytes(world.id, namespace=world.home)
    entry = an_entry(raw, world.id)
    plane.say(an_index(1, [entry]), {entry.digest: raw})
    async with listening(plane, world.granted, world.namespace) as listener:
        await listener.facts.wait(lambda _: _ready(listener, world), seconds=30)
        before = await _everything(world)
        plane.say(an_index(2, []))
        await listener.facts.wait(
            lambda fact: isinstance(fact, IndexAccepted) and fact.standing.version == 2, seconds=20
        )
        await listener.facts.wait(lambda _: listener.condition(world.id, "Unlisted").status == Truth.TRUE, seconds=20)
        plane.say(b"<html>proxy error</html>")
        await listener.facts.wait(lambda fact: "StateRefused" in repr(fact), seconds=20)
        assert await _everything(world) == before
        assert "delete" not in listener.client.requests()
    async with listening(HostilePlane(), world.granted, world.namespace) as listener:
        await listener.facts.wait(lambda _: _ready(listener, world), seconds=20)
        assert await _everything(world) == before
        assert "delete" not in listener.client.requests()


def _ready(listener: Any, world: World) -> bool:
    return world.id in listener.statuses.everything() and listener.condition(world.id, "Ready").status == Truth.TRUE


async def _everything(world: World) -> dict[str, str]:
    claims = await strangers.uids(world, "persistentvolumeclaims")
    return {**claims, **{name: item["metadata"]["uid"] for name, item in (await world.applied()).items()}}


async def test_a_namespace_goes_only_by_an_order_that_says_so(world: World) -> None:
    """argoproj/argo-cd#17440: the namespaces of two applications were pruned without any change in Git."""
    document = world.document()
    async with world.living(document) as life:
        await life.settles(document)
        other = renamed(world).document()
        life.want(other)
        await life.settles(other)
        assert await world.get(f"/api/v1/namespaces/{world.home}") is not None
        kept = world.document(2, state="deleted")
        life.want(kept)
        await life.settles(kept)
        home = await world.get(f"/api/v1/namespaces/{world.home}")
        assert home is not None
        assert "deletionTimestamp" not in home["metadata"]
        assert await strangers.names(world, "persistentvolumeclaims")
        everything = world.document(3, state="deleted", retain=[])
        life.want(everything)
        await life.settles(everything)
    assert await world.leftovers() == []


async def test_nothing_is_done_before_the_records_are_read(world: World) -> None:
    """argoproj-labs/argocd-agent#660: what was missing from the memory of a principal that restarted was deleted.

    Not one write is made before the records are known, not even for a document that orders a deletion, however many
    rounds come by.
    """
    document = world.document()
    async with world.living(document) as life:
        await life.settles(document)
    asked: set[str] = set()

    def tamper(request: Request) -> Exception | None:
        asked.add(request.verb)
        return Retryable("not yet") if request.verb == "list" and "/secrets" in request.path else None

    clock, grave = HurriedClock(), world.document(2, state="deleted", retain=[])
    async with world.living(grave, tamper=tamper, clock=clock) as life:
        await _many_rounds(clock)
        assert asked == {"list"}
        assert life.client.writes == []


async def test_nothing_is_done_before_every_kind_was_listed(lonely: tuple[EmbeddedCluster, World]) -> None:
    """argoproj-labs/argocd-agent#813: a project was deleted since an agent with a cold cache did not see it.

    One kind that cannot be listed is enough: what is not seen is not judged missing, and nothing is done at all.
    """
    cluster, world = lonely
    document = world.document()
    async with world.living(document) as life:
        await life.settles(document)
    clock, grave = HurriedClock(), world.document(2, state="deleted", retain=[])
    with cluster.faults.on(Fault(unavailable(), Where(frozenset({"list"}), "deployments.apps"))) as away:
        async with world.living(grave, clock=clock) as life:
            await away.struck()
            await _many_rounds(clock)
            assert life.client.writes == []


async def _many_rounds(clock: HurriedClock) -> None:
    """Let so much time go by that every instance has had many turns."""
    since, never = clock.now(), asyncio.Event()
    while clock.now() - since < timedelta(hours=1):
        await clock.wait(never, seconds=60)


async def test_a_namespace_that_cannot_end_is_told_with_what_holds_it(world: World) -> None:
    """kubernetes/kubernetes#60807: a namespace stuck at Terminating by a finalizer whose owner is gone.

    The finalizer is named, and never swept aside; when its owner lets go, everything goes.
    """
    document = world.document()
    async with world.living(document) as life:
        await life.settles(document)
        metadata = {"name": "held", "finalizers": ["example.com/held"]}
        await strangers.create(world, {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata}, "configmaps")
        life.want(world.document(2, state="deleted", retain=[]))

        def told(_: object) -> bool:
            found = life.condition(world.id, "Progressing")
            return found is not None and "example.com/held" in found.message

        await life.facts.wait(told, seconds=20)
        assert (await live(world, "configmaps/held"))["metadata"]["finalizers"] == ["example.com/held"]
        change = {"metadata": {"finalizers": None}}
        await world.send("patch", "PATCH", path(world, "configmaps/held"), body=change, content_type=MERGE)
        await life.shows(world.id, "Progressing", "Deleted")
    assert await world.leftovers() == []


@pytest.mark.parametrize("as_status", [True, False])
async def test_a_version_that_is_too_old_is_listed_anew(lonely: tuple[EmbeddedCluster, World], as_status: bool) -> None:
    """apache/airflow#44127: "too old resource version" left the scheduler stuck, again and again from 2020 to 2024.

    What happened while nobody was told is found by the list that follows, and the watch goes on behind it.
    """
    cluster, world = lonely
    document = world.document()
    async with world.living(document) as life:
        await life.settles(document)
        before = await live(world, SCHEDULER)
        with cluster.faults.on(Fault(Gone(as_status=as_status), WATCHES)) as gone:
            if as_status:  # it meets only watches that begin
                with cluster.faults.on(Fault(Cut(), WATCHES)) as cut:
                    await cut.struck()
            await strangers.delete(world, SCHEDULER)
            await gone.struck(3)
        await life.facts.wait(lambda fact: "it was deleted by somebody else" in repr(fact), seconds=30)
        await life.shows(world.id, "Ready", "AllComponentsReady")
        assert (await live(world, SCHEDULER))["metadata"]["uid"] != before["metadata"]["uid"]
        listed = cluster_lists(life)
        await strangers.delete(world, SCHEDULER)
        await life.facts.wait(lambda _: len(remade(life)) > 1, seconds=20)
        assert cluster_lists(life) == listed, "the watch told of it: nobody had to list"


def remade(life: Life) -> list[str]:
    """What was made again since somebody deleted it."""
    return [repr(fact) for fact in life.facts.stated if "it was deleted by somebody else" in repr(fact)]


def cluster_lists(life: Life) -> int:
    """How often a kind was listed for the whole cluster."""
    return life.watching.requests().get("list", 0)


async def test_nothing_is_remembered_of_an_instance_that_is_gone(world: World) -> None:
    """argoproj-labs/argocd-agent#1026: the queues of agents that left were never dropped."""
    others = [renamed(world) for _ in range(3)]
    stays = world.document()
    documents = [one.document(components={"scheduler": {"scaling": "external"}}) for one in others]
    async with world.living(stays, *documents) as life:
        for document in (stays, *documents):
            await life.settles(document)
        await strangers.edit(others[0], CONFIG, {"data": {"AIRFLOW__CORE__EXECUTOR": "theirs"}})
        await life.looks(others[0].id, Look(survey=True, compare=True))
        graves = [one.document(2, state="deleted", retain=[]) for one in others]
        life.want(stays, *graves)
        for grave in graves:
            await life.settles(grave)
        life.want(stays)
        for one in others:
            await _forgotten(life, world, one)
        assert list(_mentions(life.loop, world.id)), "the search does find what is remembered"


async def _forgotten(life: Life, world: World, gone: World) -> None:
    """Wait until nothing of an instance is left; forgetting it is no fact that one could wait for."""
    for _ in range(100):
        if not list(_mentions(life.loop, gone.id)):
            return
        await life.looks(world.id)
    raise AssertionError(list(_mentions(life.loop, gone.id)))


def _mentions(root: object, word: str) -> Iterator[str]:
    """Where, in everything that hangs on an object of ours, a text says this word."""
    seen: set[int] = set()
    waiting: list[tuple[str, object]] = [("loop", root)]
    while waiting:
        place, one = waiting.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        if isinstance(one, str):
            if word in one or word[:8] in one:
                yield place
        else:
            waiting.extend((f"{place}.{name}", part) for name, part in _parts(one))


def _parts(one: object) -> Iterator[tuple[str, object]]:
    if isinstance(one, dict):
        yield from (
            (f"[{key}]", part) for pair in one.items() for key, part in zip(("key", pair[0]), pair, strict=True)
        )
    elif isinstance(one, list | tuple | set | frozenset):
        yield from (("[]", part) for part in one)
    elif is_dataclass(one) and not isinstance(one, type):
        yield from ((each.name, getattr(one, each.name)) for each in fields(one) if each.name != "telemetry")
    elif type(one).__module__.startswith("agent.") and type(one).__name__ not in {"Accepted", "Statuses"}:
        yield from vars(one).items()


async def test_at_rest_nothing_is_asked_of_the_server(world: World) -> None:
    """rancher/fleet#1465: two thirds of all API requests of a cluster came from the agent, until etcd lost its quorum.

    A pass over what is settled asks nothing; what pods do asks nothing; and most kinds are watched by metadata alone.
    """
    document = world.document()
    async with world.living(document) as life:
        await life.settles(document)
        await life.looks(world.id)
        asked = life.client.requests()
        for _ in range(5):
            await life.looks(world.id, Look(again=True))
        pods = await world.send("list", "GET", path(world, "pods"))
        for number in range(20):
            name = pods["items"][number % len(pods["items"])]["metadata"]["name"]
            await strangers.edit(world, f"pods/{name}", {"metadata": {"annotations": {"restarts": str(number)}}})
        await life.looks(world.id)
        assert life.client.requests() == asked
