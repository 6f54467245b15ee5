"""The engine against a model: random documents, strangers, crashes, faults and restarts in any order.

Whatever happens, at the end the cluster shows what was rendered, but for what others hold; nothing that is not ours was
ever touched; and nothing that must stay was deleted without a tombstone. More and longer runs:
``pytest tests/integration/loops/test_engine.py --hypothesis-profile=soak``.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from typing import Any

import pytest
from hypothesis import note, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from agent.cluster.client import KubeClient, Request
from agent.cluster.connection import connect
from agent.cluster.kinds import KINDS, path_of
from agent.loops.progress import Look
from agent.model.desired import Document
from agent.model.errors import AgentError, Conflict, Missing, ObjectRefused
from agent.model.objects import Inventory, Manifest, ObjectRef
from agent.model.quantities import amount
from agent.planning.fields import without
from agent.planning.ownership import holders_of
from sandbox.cluster import EmbeddedCluster
from tests.integration.loops import strangers
from tests.integration.loops.engine import (
    BOUNDED,
    EDITS,
    FAULTS,
    SCALED,
    VICTIMS,
    Kept,
    Stage,
    Watchman,
    keys_ref,
    known_keys,
    spec_of,
    specs,
    wanted_of,
)
from tests.integration.loops.lives import Life, World
from tests.support.clusters import fresh_namespace
from tests.support.rights import Granted

THEIRS = (
    "configmaps/theirs",
    "statefulsets/airflow-worker-three",
    "poddisruptionbudgets/airflow-worker-two",
    "networkpolicies/airflow-scheduler",
)
"""What strangers make: under a name that nobody else wants, and under names that a document may want one day."""
FIRST = {
    "state": "running",
    "env": {},
    "queues": {"one": {"replicas": 1, "scaling": "document"}},
    "scheduler": {"replicas": 1, "scaling": "document"},
    "network_policies": True,
}
MOMENT = 0.15
"""So long the agent may go on after a step, if it is not done before."""


def a_stranger(which: str) -> Manifest:
    collection, _, name = which.partition("/")
    metadata = {"name": name, "labels": {"app": "theirs"}}
    selector = {"matchLabels": {"app": "theirs"}}
    pods = {"metadata": {"labels": {"app": "theirs"}}, "spec": {"containers": [{"name": "a", "image": "localhost/a"}]}}
    found: dict[str, Manifest] = {
        "configmaps": {"apiVersion": "v1", "kind": "ConfigMap", "data": {"a": "1"}},
        "statefulsets": {
            "apiVersion": "apps/v1",
            "kind": "StatefulSet",
            "spec": {"replicas": 0, "serviceName": "theirs", "selector": selector, "template": pods},
        },
        "poddisruptionbudgets": {
            "apiVersion": "policy/v1",
            "kind": "PodDisruptionBudget",
            "spec": {"maxUnavailable": 7, "selector": selector},
        },
        "networkpolicies": {
            "apiVersion": "networking.k8s.io/v1",
            "kind": "NetworkPolicy",
            "spec": {"podSelector": selector},
        },
    }
    return {**found[collection], "metadata": metadata}


def essence(live: Manifest | None) -> Any:
    """What of a stranger's object must stay as it is: all but what controllers write."""
    if live is None:
        return None
    metadata = {key: live["metadata"].get(key) for key in ("uid", "labels", "annotations", "deletionTimestamp")}
    return metadata, {key: value for key, value in live.items() if key not in {"metadata", "status"}}


def shows(wanted: Any, live: Any) -> bool:
    """Whether everything that is wanted is there."""
    if isinstance(wanted, dict):
        return isinstance(live, dict) and all(shows(value, live.get(key)) for key, value in wanted.items())
    if isinstance(wanted, list):
        return (
            isinstance(live, list)
            and len(wanted) == len(live)
            and all(shows(mine, theirs) for mine, theirs in zip(wanted, live, strict=True))
        )
    return bool(wanted == live) or (isinstance(wanted, str) and isinstance(live, str) and _same(wanted, live))


def _same(wanted: str, live: str) -> bool:
    try:
        return amount(wanted) == amount(live)
    except AgentError:
        return False


class Engine(RuleBasedStateMachine):
    """One instance after another, each in a namespace of its own, and one agent that comes and goes."""

    def __init__(self, stage: Stage, ground: World) -> None:
        super().__init__()
        self.stage = stage
        self.ground = ground
        self.life: Kept[Life] | None = None
        self.faults: list[AgentError] = []
        self._new_instance()

    def _new_instance(self) -> None:
        self.world = World(self.ground.granted, self.ground.namespace, self.ground.client)
        self.watchman = Watchman(self.world)
        self.document: Document | None = None
        self.revision = 0
        self.storage = "1Gi"
        self.theirs: dict[str, Any] = {}
        self.keys: dict[str, str] = {}

    # The agent

    def _tamper(self, request: Request) -> Exception | None:
        return self.faults.pop() if self.faults and request.verb != "watch" else None

    async def _begin(self, *, dies_after: int = 0) -> None:
        wanted = [self.document] if self.document is not None else []
        living = self.world.living(
            *wanted, dies_after=dies_after, tamper=self._tamper, meanwhile=self.watchman.meanwhile
        )
        self.life = await Kept.open(living)

    async def _end(self) -> None:
        if self.life is not None:
            life, self.life = self.life, None
            await life.close()

    async def _moment(self) -> None:
        """Let the agent go on for a little while, or until it is done."""
        if self.life is not None and self.document is not None:
            with suppress(TimeoutError):
                await self.life.value.facts.wait(lambda _: self._is_settled(), seconds=MOMENT)
                del self.watchman.documents[:-1]

    def _said(self) -> dict[str, Any]:
        status = self.life.value.statuses.everything().get(self.world.id) if self.life is not None else None
        revision = self.document.entry.revision if self.document is not None else 0
        return {one.type: one for one in status.conditions} if status and status.revision == revision else {}

    def _is_settled(self) -> bool:
        said = self._said()
        return bool(said) and said["Progressing"].status == "False" and said["Stalled"].status == "False"

    def _is_refused(self) -> bool:
        said = self._said()
        return bool(said) and said["Stalled"].reason == "ObjectRefused"

    async def _publish(self, **spec: Any) -> None:
        self.revision += 1
        self.document = self.world.document(self.revision, **spec)
        self.watchman.documents.append(self.document.instance)
        if self.life is not None:
            self.life.value.want(self.document)
        await self._moment()

    @initialize(drawn=specs)
    def begins(self, drawn: dict[str, Any]) -> None:
        async def step() -> None:
            await self._begin()
            await self._publish(**spec_of(drawn, self.storage))

        self.stage.do(step())

    @rule(drawn=specs)
    def publish(self, drawn: dict[str, Any]) -> None:
        self.storage = max(self.storage, drawn["storage"])
        self.stage.do(self._publish(**spec_of(drawn, self.storage)))

    @rule()
    def restart(self) -> None:
        async def step() -> None:
            await self._end()
            await self._begin()
            await self._moment()

        self.stage.do(step())

    @rule(after=st.integers(1, 30))
    def crash(self, after: int) -> None:
        """The process ends right after one of its next writes, and nobody starts it again for now."""

        async def step() -> None:
            await self._end()
            await self._begin(dies_after=after)
            await self._moment()

        self.stage.do(step())

    @rule(kinds=st.lists(st.integers(0, len(FAULTS) - 1), min_size=1, max_size=6))
    def faults_come(self, kinds: list[int]) -> None:
        self.faults = [FAULTS[kind]() for kind in kinds]
        self.stage.do(self._moment())

    @precondition(lambda self: self.document is not None and self.document.instance.state.value != "deleted")
    @rule(retain=st.sampled_from([None, []]))
    def bury(self, retain: list[str] | None) -> None:
        """A tombstone, carried out to its end; then there is another instance."""
        self.stage.do(self._bury(retain))

    async def _bury(self, retain: list[str] | None) -> None:
        self.faults = []
        await self._end()
        await self._begin()
        await self._publish(state="deleted", **({"retain": retain} if retain is not None else {}))
        assert self.life is not None
        assert self.document is not None
        await self.life.value.settles(self.document)
        home = await self.world.get(f"/api/v1/namespaces/{self.world.home}")
        claims = await strangers.names(self.world, "persistentvolumeclaims") if home is not None else set()
        if retain == []:
            assert await self.world.leftovers() == []
            self.theirs = {}  # the namespace was of our making, and an order to remove all removes it
        await self._unharmed()
        note(f"buried {self.world.home}, left: {claims}")
        await self._end()
        self._new_instance()
        await self._begin()
        await self._publish(**spec_of(FIRST, self.storage))

    # Strangers

    async def _stranger(self, act: Any) -> None:
        with suppress(Missing, Conflict, ObjectRefused):
            await act
        await self._moment()

    @rule(edit=st.sampled_from(EDITS))
    def somebody_edits(self, edit: tuple[str, dict[str, Any]]) -> None:
        self.stage.do(self._stranger(strangers.edit(self.world, *edit, manager="stranger")))

    @rule(which=st.sampled_from(SCALED), number=st.integers(0, 3), manager=st.sampled_from(["kubectl", "hpa"]))
    def somebody_scales(self, which: str, number: int, manager: str) -> None:
        self.stage.do(self._stranger(strangers.scale(self.world, which, number, manager=manager)))

    @rule(which=st.sampled_from(VICTIMS))
    def somebody_deletes(self, which: str) -> None:
        self.stage.do(self._stranger(strangers.delete(self.world, which)))

    @rule(which=st.sampled_from(THEIRS))
    def somebody_creates(self, which: str) -> None:
        async def act() -> None:
            inventory = await self.world.inventory()
            if inventory is None or not inventory.revision:
                return  # in a namespace that is being made nobody else has anything yet
            made = await strangers.create(self.world, a_stranger(which), which.partition("/")[0])
            self.theirs[which] = essence(made)
            self.watchman.theirs.add(strangers.path(self.world, which))

        self.stage.do(self._stranger(act()))

    # What must always hold

    @invariant()
    def nothing_was_deleted_that_had_to_stay(self) -> None:
        assert self.watchman.complaints == []

    @invariant()
    def nobody_else_s_object_is_touched(self) -> None:
        self.stage.do(self._unharmed())

    async def _unharmed(self) -> None:
        for which, before in self.theirs.items():
            assert essence(await self.world.get(strangers.path(self.world, which))) == before, which

    @invariant()
    def no_key_is_made_anew(self) -> None:
        self.stage.do(self._same_keys())

    async def _same_keys(self) -> None:
        copy = await self.world.get(f"/api/v1/namespaces/{self.world.namespace}/secrets/perigee-keys-{self.world.id}")
        now = (copy or {}).get("data") or {}
        assert self.keys.items() <= now.items()
        self.keys = now

    # The end

    def teardown(self) -> None:
        """Without faults, and looked at closely once, everything is as it was rendered."""
        try:
            self.stage.do(self._converges())
        finally:
            self.stage.do(self._end())

    async def _converges(self) -> None:
        if self.document is None:
            return
        self.faults = []
        await self._end()
        await self._begin()
        assert self.life is not None
        life, wanted = self.life.value, await self._wanted()
        # The first look learns; the second finds what was changed while the first one repaired.
        for _ in range(2):
            await life.looks(self.world.id, Look(again=True, survey=True, compare=True))
        refused = {ref for ref in wanted if strangers_path(ref) in self.theirs}
        is_done = self._is_refused if refused else self._is_settled
        try:
            await life.facts.wait(lambda _: is_done(), seconds=20)
        except TimeoutError:
            raise AssertionError(f"never came to rest: {self._said()}") from None
        await self._compare({ref: manifest for ref, manifest in wanted.items() if ref not in refused}, tidy=not refused)
        await self._unharmed()
        assert self.watchman.complaints == []

    async def _wanted(self) -> dict[ObjectRef, Manifest]:
        assert self.document is not None
        instance = self.document.instance
        return wanted_of(instance, await known_keys(self.world, instance))

    async def _compare(self, wanted: dict[ObjectRef, Manifest], *, tidy: bool) -> None:
        inventory = await self.world.inventory()
        assert inventory is not None
        for ref, manifest in wanted.items():
            await self._compare_one(ref, manifest, inventory)
        lines = inventory.by_ref()
        if tidy:
            assert set(lines) == {*wanted, keys_ref(self.world)}, "the record names exactly what there shall be"

    async def _compare_one(self, ref: ObjectRef, manifest: Manifest, inventory: Inventory) -> None:
        line = inventory.by_ref().get(ref)
        live = await self.life.value.client.send(Request("get", "GET", path_of(ref)))  # type: ignore[union-attr]
        assert line is not None, f"{ref} is not in the record"
        assert line.uid == live["metadata"]["uid"], f"{ref} is another one than the record says"
        for ceded in line.ceded:
            assert ceded.manager in holders_of(live), f"{ref} {ceded} is left to somebody who holds nothing"
        lean = without(manifest, (ceded.path for ceded in line.ceded))
        assert shows(lean, live), f"{ref} is not as it was rendered"


def strangers_path(ref: ObjectRef) -> str:
    return f"{KINDS[ref.api_version, ref.kind].plural}/{ref.name}"


@pytest.fixture
def stage() -> Iterator[Stage]:
    made = Stage()
    yield made
    made.close()


async def ground(cluster: EmbeddedCluster) -> World:
    client = KubeClient(await connect(cluster.kubeconfig))
    return World(Granted(cluster.kubeconfig, None), "", client)


@pytest.mark.timeout(3600)
def test_whatever_happens_it_comes_to_what_was_rendered_and_harms_nobody(stage: Stage) -> None:
    cluster = stage.do(Kept.open(EmbeddedCluster.serve()))
    world = stage.do(ground(cluster.value))
    namespace = stage.do(Kept.open(fresh_namespace(cluster.value)))
    world.namespace = namespace.value
    chosen = settings() if settings.get_current_profile_name() == "soak" else BOUNDED
    try:
        run_state_machine_as_test(partial(Engine, stage, world), settings=chosen)  # type: ignore[arg-type]
    finally:
        for kept in (namespace, cluster):
            stage.do(kept.close())
        stage.do(world.client.close())
