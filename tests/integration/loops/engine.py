"""What a model of the engine needs: a loop that stays between steps, random documents, and eyes for what went wrong.

Here: what is open from one step to another, the documents, strangers' edits, and the judgement of each deletion at the
moment when it is made. Not here: which step follows which (the machine).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st

from agent.cluster.client import Request
from agent.model.errors import AgentError, Conflict, Retryable, Throttled
from agent.model.instance import Instance, Retain, State
from agent.model.labels import INSTANCE
from agent.model.objects import Manifest, ObjectRef
from agent.planning.immutable import Way, passage
from agent.planning.ownership import ownership_of
from agent.rendering import KEYS_SECRET, RenderInputs, demanded_keys, render
from tests.integration.loops.lives import World

Value = TypeVar("Value")


class Stage:
    """An event loop that stands still between steps: the cluster and the agent go on only while a step is made."""

    def __init__(self) -> None:
        self._runner = asyncio.Runner()

    def do(self, coroutine: Coroutine[Any, Any, Value]) -> Value:
        """Make one step."""
        return self._runner.run(coroutine)

    def close(self) -> None:
        """End the loop; everything that was kept open on it must be closed before."""
        self._runner.close()


class Kept(Generic[Value]):
    """Something that is open from one step to a later one, entered and left by a task of its own."""

    def __init__(self, value: Value, over: asyncio.Event, task: asyncio.Task[None]) -> None:
        self.value = value
        self._over = over
        self._task = task

    @classmethod
    async def open(cls, manager: AbstractAsyncContextManager[Value]) -> Kept[Value]:
        """Enter it; what it raises on the way in is raised here."""
        ready: asyncio.Future[Value] = asyncio.get_running_loop().create_future()
        over = asyncio.Event()

        async def stay() -> None:
            async with manager as value:
                ready.set_result(value)
                await over.wait()

        task = asyncio.ensure_future(stay())  # noqa: TID251 - awaited by close
        await asyncio.wait(set[asyncio.Future[Any]]({task, ready}), return_when=asyncio.FIRST_COMPLETED)
        if not ready.done():
            await task
        return cls(ready.result(), over, task)

    async def close(self) -> None:
        """Leave it; what went wrong inside meanwhile is raised here."""
        self._over.set()
        await self._task


BOUNDED = settings(
    max_examples=8,
    stateful_step_count=14,
    deadline=None,
    # What happens depends on what overtakes what: a shorter run of the same steps need not fail again.
    phases=(Phase.explicit, Phase.reuse, Phase.generate),
    suppress_health_check=list(HealthCheck),
    print_blob=True,
)
SOAK = settings(BOUNDED, max_examples=400, stateful_step_count=50)
QUEUES = ("one", "two", "three")
replicas = st.integers(0, 2)
scalings = st.sampled_from(["document", "external"])
queues = st.dictionaries(
    st.sampled_from(QUEUES), st.fixed_dictionaries({"replicas": replicas, "scaling": scalings}), min_size=1
)
specs = st.fixed_dictionaries(
    {
        "state": st.sampled_from(["running", "running", "running", "hibernated"]),
        "queues": queues,
        "scheduler": st.fixed_dictionaries({"replicas": st.integers(1, 2), "scaling": scalings}),
        "env": st.dictionaries(st.sampled_from(["TZ", "LANG"]), st.sampled_from(["A", "B"])),
        "storage": st.sampled_from(["1Gi", "1Gi", "2Gi"]),
        "network_policies": st.booleans(),
    }
)


def spec_of(drawn: dict[str, Any], storage: str) -> dict[str, Any]:
    """A document's spec; the volume never shrinks, since that is refused."""
    return {
        "state": drawn["state"],
        "airflow": {"version": "3.3.2", "env": drawn["env"]},
        "components": {
            "scheduler": drawn["scheduler"],
            "workers": {"queues": [{"name": name, **queue} for name, queue in sorted(drawn["queues"].items())]},
        },
        "database": {"embedded": {"storage": storage}},
        "isolation": {"networkPolicies": drawn["network_policies"]},
    }


EDITS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("deployments/airflow-scheduler", {"metadata": {"labels": {"app.kubernetes.io/part-of": "theirs"}}}),
    ("deployments/airflow-scheduler", {"metadata": {"labels": {"perigee.dev/instance": None}}}),
    ("deployments/airflow-scheduler", {"metadata": {"annotations": {"example.com/note": "theirs"}}}),
    ("deployments/airflow-api-server", {"spec": {"replicas": 2}}),
    ("deployments/airflow-api-server", {"spec": {"template": {"spec": {"priorityClassName": "theirs"}}}}),
    ("deployments/airflow-api-server", {"spec": {"revisionHistoryLimit": 7}}),
    ("statefulsets/airflow-worker-one", {"spec": {"minReadySeconds": 3}}),
    ("statefulsets/airflow-worker-one", {"metadata": {"managedFields": [{}]}}),
    ("services/airflow-api-server", {"spec": {"selector": {"perigee.dev/component": "theirs"}}}),
    ("configmaps/airflow-config", {"data": {"AIRFLOW__CORE__EXECUTOR": "theirs"}}),
    ("configmaps/airflow-config", {"metadata": {"labels": {"perigee.dev/instance": None}}}),
    ("secrets/airflow-keys", {"data": {"fernet-key": "dGhlaXJz"}}),
    ("limitranges/airflow-defaults", {"metadata": {"labels": {"perigee.dev/instance": None}}}),
)
"""What strangers write over: some of it is ours and some is not."""
VICTIMS = (
    "deployments/airflow-scheduler",
    "statefulsets/airflow-worker-one",
    "services/airflow-worker",
    "configmaps/airflow-config",
    "secrets/airflow-keys",
    "serviceaccounts/airflow-scheduler",
)
"""What strangers delete."""
SCALED = ("deployments/airflow-scheduler", "statefulsets/airflow-worker-one", "statefulsets/airflow-worker-two")
FAULTS: tuple[Callable[[], AgentError], ...] = (
    lambda: Throttled("too many requests", after_seconds=0.02),
    lambda: Retryable("the server met an error"),
    lambda: Conflict("the object has been modified"),
)


@dataclass(slots=True)
class Watchman:
    """Judges every deletion when it is made, and remembers what should never have been."""

    world: World
    theirs: set[str] = field(default_factory=set)
    documents: list[Instance] = field(default_factory=list)
    """What may be carried out at present: the last document, and those before it that a pass may still be about."""
    complaints: list[str] = field(default_factory=list)

    async def meanwhile(self, request: Request) -> None:
        """Look at a request on its way."""
        if request.verb == "delete" and f"/{self.world.home}" in request.path:
            found = await self._judged(request)
            if found:
                self.complaints.append(f"{request}: {found}")

    async def _judged(self, request: Request) -> str:
        live = await self.world.get(request.path)
        if live is None or live["metadata"]["uid"] != request.body["preconditions"]["uid"]:
            return ""  # the precondition makes it harmless
        if request.path in self.theirs:
            return "it belongs to somebody else"
        tombstone = self.documents[-1].state is State.DELETED
        if request.path.endswith(self.world.home) or "/persistentvolumeclaims/" in request.path:
            return "" if tombstone and self._all_goes() else "nobody ordered its end"
        if not ownership_of(live) and (live["metadata"].get("labels") or {}).get(INSTANCE) != self.world.id:
            return "it bears neither our fields nor our label"
        return "" if tombstone else await self._superseded(live)

    def _all_goes(self) -> bool:
        return not self.documents[-1].retain & {Retain.DATABASE, Retain.VOLUMES}

    async def _superseded(self, live: Manifest) -> str:
        ref = ObjectRef.of(live)
        for instance in self.documents:
            wanted = wanted_of(instance, await known_keys(self.world, instance)).get(ref)
            if wanted is None or passage(wanted, live).way in {Way.REPLACE, Way.REMAKE}:
                return ""
        return "it is wanted, and could have stayed"


async def known_keys(world: World, instance: Instance) -> dict[str, str]:
    """The checksums that the record has; before there is one, any."""
    inventory = await world.inventory()
    keys = dict(inventory.keys) if inventory is not None else {}
    return {demand.name: keys.get(demand.name, "") for demand in demanded_keys(instance)}


def wanted_of(instance: Instance, keys: dict[str, str]) -> dict[ObjectRef, Manifest]:
    """What was rendered, by what names it."""
    return {one.ref: one.manifest for one in render(RenderInputs(instance, keys))}


def keys_ref(world: World) -> ObjectRef:
    """The Secret with the keys, which is not rendered."""
    return ObjectRef("v1", "Secret", world.home, KEYS_SECRET)
