"""The customer's own rules, read from his ConfigMap: what they do not let through changes nothing in the cluster, and
everything else goes on.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest
import yaml

from agent.cluster.client import MERGE
from agent.cluster.guard import GUARD_KEY, GUARD_NAME, ClusterGuard
from agent.loops.guarding import Guarding, GuardLoop
from agent.loops.pace import SystemClock
from agent.loops.progress import Look
from agent.loops.statuses import Statuses
from agent.model.conditions import Condition, Truth
from agent.model.desired import Document
from agent.model.errors import NotAuthorised
from tests.integration.loops.lives import Life, World, renamed
from tests.integration.loops.strangers import CONFIG, SCHEDULER, edit, live, path
from tests.support.builders import an_entry, document_bytes
from tests.support.engine import Rules
from tests.support.hostile import HostilePlane, an_index, listening


@dataclass(frozen=True)
class Customer:
    """Whose cluster it is: writes the rules, and has the agent read them at once instead of soon."""

    world: World
    guarding: Guarding
    loop: GuardLoop
    statuses: Statuses

    async def says(self, **rules: Any) -> None:
        await self.writes(yaml.safe_dump({"apiVersion": "perigee.dev/v1", "kind": "Guard", **rules}))

    async def writes(self, text: str) -> None:
        metadata = {"name": GUARD_NAME}
        config_map = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {GUARD_KEY: text}}
        if await self.world.get(self._place) is None:
            await self.world.send("create", "POST", self._collection, body=config_map)
        else:
            await self.world.send("patch", "PATCH", self._place, body=config_map, content_type=MERGE)
        await self.loop.read()

    async def takes_away(self) -> None:
        await self.world.send("delete", "DELETE", self._place)
        await self.loop.read()

    @property
    def told(self) -> Condition:
        (condition,) = self.statuses.conditions()
        return condition

    @property
    def _place(self) -> str:
        return f"{self._collection}/{GUARD_NAME}"

    @property
    def _collection(self) -> str:
        return f"/api/v1/namespaces/{self.world.namespace}/configmaps"


@pytest.fixture
def customer(world: World) -> Customer:
    guarding, statuses = Guarding(), Statuses()
    rules = ClusterGuard(world.client, world.namespace)
    return Customer(world, guarding, GuardLoop(rules, guarding, statuses, SystemClock()), statuses)


@asynccontextmanager
async def under(customer: Customer, *documents: Document) -> AsyncIterator[Life]:
    async with customer.world.living(*documents, rules=Rules(guarding=customer.guarding)) as life:
        yield life


async def test_a_document_that_breaks_a_rule_changes_nothing_and_another_instance_goes_on(customer: Customer) -> None:
    world = customer.world
    await customer.says(ceilings={"replicas": 2}, forbid=["openNetwork"])
    greedy = world.document(components={"triggerer": {"replicas": 3}}, isolation={"networkPolicies": False})
    modest = renamed(world)
    async with under(customer, greedy, modest.document()) as life:
        found = await life.shows(world.id, "Stalled", "GuardViolation")
        await life.settles(modest.document())
        await life.looks(world.id)
        assert life.touched(world.id) == []
        accepted = life.condition(world.id, "Accepted")
    assert await world.get(f"/api/v1/namespaces/{world.home}") is None
    assert await world.inventory() is None
    assert "document spec.components.triggerer.replicas: at most 2 (ceilings.replicas)" in found.message
    assert "spec.isolation.networkPolicies: false is forbidden here (forbid.openNetwork)" in found.message
    assert "change the document, or the rules in ConfigMap perigee-guard" in found.message
    assert accepted is not None
    assert (accepted.status, accepted.reason) == (Truth.FALSE, "GuardViolation")
    assert await modest.applied()


async def test_rules_that_change_while_it_runs_are_followed_at_once(customer: Customer) -> None:
    world = customer.world
    await customer.says(ceilings={"replicas": 2})
    document = world.document(components={"triggerer": {"replicas": 3}})
    async with under(customer, document) as life:
        await life.shows(world.id, "Stalled", "GuardViolation")
        await customer.says(ceilings={"replicas": 3})
        await life.settles(document)
        await customer.says(ceilings={"replicas": 2})
        await life.shows(world.id, "Stalled", "GuardViolation")
        written = len(life.client.writes)
        await edit(world, SCHEDULER, {"spec": {"revisionHistoryLimit": 1}})
        await life.looks(world.id)
        assert life.touched(world.id, since=written) == [], "nothing is repaired of what may not be"
        await customer.takes_away()
        await life.shows(world.id, "Stalled", "NoFailure")


async def test_while_frozen_nothing_is_changed_and_drift_is_left(customer: Customer) -> None:
    world = customer.world
    await customer.says()
    first, second = world.document(), world.document(2, components={"triggerer": {"replicas": 2}})
    async with under(customer, first) as life:
        await life.settles(first)
        await customer.says(freeze=True)
        await life.shows(world.id, "Frozen", "FrozenByGuard")
        written = len(life.client.writes)
        await edit(world, SCHEDULER, {"spec": {"revisionHistoryLimit": 1}})
        life.want(second)
        await life.looks(world.id, Look(survey=True, compare=True))
        life.want(world.document(3, state="deleted", retain=[]))
        await life.looks(world.id)
        assert life.client.writes[written:] == []
        ready = life.condition(world.id, "Progressing")
        assert ready is not None
        assert ready.reason == "Frozen"
        life.want(second)
        await customer.says(freeze={"until": "2020-01-01T00:00:00Z"})
        await life.shows(world.id, "Frozen", "NotFrozen")
        await life.settles(second)
    assert (await live(world, SCHEDULER))["spec"]["revisionHistoryLimit"] != 1


@pytest.mark.parametrize("by", ["namespaces", "instances", "labels"])
async def test_what_is_protected_outlives_its_tombstone(customer: Customer, by: str) -> None:
    world = customer.world
    what = {"namespaces": [world.home], "instances": [f"{world.id[:8]}*"], "labels": {"tier": "gold"}}
    await customer.says(protect={by: what[by]})
    document = world.document()
    async with under(customer, document) as life:
        await life.settles(document)
        written = len(life.client.writes)
        grave = world.document(2, state="deleted", retain=[])
        if by == "labels":
            labels = {"tier": "gold"}
            object.__setattr__(grave.instance, "labels", labels)
        life.want(grave)
        found = await life.shows(world.id, "Stalled", "GuardViolation")
        assert f"(protect.{by})" in found.message
        assert life.client.writes[written:] == []
        assert await world.get(path(world, CONFIG)) is not None
        await customer.takes_away()
        await life.settles(grave)
    assert await world.leftovers() == []


async def test_rules_that_are_broken_leave_the_last_good_ones_in_force(customer: Customer) -> None:
    world = customer.world
    await customer.says(ceilings={"replicas": 2})
    assert customer.told.status is Truth.TRUE
    await customer.writes("apiVersion: perigee.dev/v1\nkind: Guard\nceilings: {replica: 2}\n")
    assert (customer.told.type, customer.told.status, customer.told.reason) == ("GuardValid", Truth.FALSE, "Malformed")
    assert customer.told.message.startswith("ceilings.replica: ")
    assert customer.told.message.endswith("; the rules before stay in force")
    async with under(customer, world.document(components={"triggerer": {"replicas": 3}})) as life:
        await life.shows(world.id, "Stalled", "GuardViolation")


async def test_with_no_good_rules_at_the_start_nothing_new_is_done_and_what_runs_goes_on(customer: Customer) -> None:
    world = customer.world
    document = world.document()
    async with world.living(document) as life:
        await life.settles(document)
    await customer.writes("apiVersion: perigee.dev/v1\nkind: Guard\nfreez: true\n")
    assert customer.told.message.endswith("; everything new is refused")
    other = renamed(world)
    async with under(customer, document, other.document()) as life:
        await life.settles(document)
        await life.shows(other.id, "Stalled", "GuardInvalid")
        await edit(world, SCHEDULER, {"spec": {"revisionHistoryLimit": 1}})
        await life.looks(world.id, Look(compare=True))
        assert (await live(world, SCHEDULER))["spec"]["revisionHistoryLimit"] != 1, "drift is repaired"
        life.want(world.document(2, state="hibernated"), other.document())
        await life.shows(world.id, "Stalled", "GuardInvalid")
        life.want(world.document(2, state="deleted"), other.document())
        await life.looks(world.id)
        await life.shows(world.id, "Stalled", "GuardInvalid")
    assert await other.applied() == {}
    assert (await live(world, SCHEDULER))["spec"]["replicas"] == 1


async def test_without_the_right_to_read_the_rules_nothing_new_is_done(customer: Customer) -> None:
    world = customer.world

    class Denied:
        async def read(self) -> Any:
            raise NotAuthorised("configmaps is forbidden")

    await GuardLoop(Denied(), customer.guarding, customer.statuses, SystemClock()).read()
    async with under(customer, world.document()) as life:
        await life.shows(world.id, "Stalled", "GuardInvalid")
    assert customer.told.reason == "NotAuthorised"
    assert "apply the role file" in customer.told.message


async def test_the_last_good_revision_stays_in_force_and_is_kept_so(customer: Customer) -> None:
    """Refused where documents are accepted: the one before goes on being kept, also after a restart."""
    world = customer.world
    await customer.says(ceilings={"replicas": 2})
    plane = HostilePlane()
    good, bad = published(world, 1), published(world, 2, components={"triggerer": {"replicas": 3}})
    say(plane, 1, good)
    async with listening(plane, world.granted, world.namespace, guarding=customer.guarding) as listener:
        await until(listener.facts.wait, lambda: listener.condition(world.id, "Ready").reason == "AllComponentsReady")
        say(plane, 2, good, bad)
        await until(listener.facts.wait, lambda: listener.condition(world.id, "Accepted").reason == "GuardViolation")
        told = listener.condition(world.id, "Accepted").message
        assert told.startswith("revision 2 is refused, the one before stays: document spec.components")
    async with listening(plane, world.granted, world.namespace, guarding=customer.guarding) as listener:
        await edit(world, SCHEDULER, {"spec": {"revisionHistoryLimit": 1}})
        await until(listener.facts.wait, lambda: listener.condition(world.id, "Accepted").reason == "GuardViolation")
        assert listener.accepted.desired.documents[world.id].entry.revision == 1
        await customer.says(ceilings={"replicas": 3})
        say(plane, 3, good, bad)
        await until(listener.facts.wait, lambda: listener.accepted.desired.documents[world.id].entry.revision == 2)


def published(world: World, revision: int, **spec: Any) -> tuple[Any, bytes]:
    raw = document_bytes(world.id, namespace=world.home, **spec)
    return an_entry(raw, world.id, revision=revision), raw


def say(plane: HostilePlane, version: int, *documents: tuple[Any, bytes]) -> None:
    plane.say(an_index(version, [documents[-1][0]]), {entry.digest: raw for entry, raw in documents})


async def until(wait: Callable[..., Awaitable[Any]], holds: Callable[[], bool]) -> None:
    def true(_: object) -> bool:
        try:
            return holds()
        except KeyError:
            return False

    await wait(true, seconds=20)
