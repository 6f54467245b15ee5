"""Lives of an agent's reconcile loop on a cluster: each begins with an empty memory, and some end in mid-air."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from agent.cluster.client import KubeClient, Request
from agent.cluster.connection import Connection, connect
from agent.cluster.inventory import ClusterInventories
from agent.cluster.kubernetes import KubernetesCluster
from agent.cluster.secrets import SecretShelf
from agent.loops.accepted import Accepted
from agent.loops.pace import SystemClock
from agent.loops.progress import Look
from agent.loops.queue import Urgency
from agent.loops.reconcile import ReconcileLoop
from agent.loops.statuses import Statuses
from agent.model.conditions import Condition
from agent.model.desired import Desired, Document, Standing
from agent.model.errors import Missing
from agent.model.facts import ReconcileFailed, ReconcileFinished
from agent.model.objects import Inventory
from agent.planning.ownership import ownership_of
from agent.ports import Clock
from tests.support.builders import a_document
from tests.support.engine import PLAIN, Bench, Rules
from tests.support.journey import Facts
from tests.support.rights import Granted

COLLECTIONS = (
    "/api/v1/{}/resourcequotas",
    "/api/v1/{}/limitranges",
    "/api/v1/{}/serviceaccounts",
    "/api/v1/{}/services",
    "/api/v1/{}/secrets",
    "/api/v1/{}/configmaps",
    "/apis/apps/v1/{}/deployments",
    "/apis/apps/v1/{}/statefulsets",
    "/apis/batch/v1/{}/jobs",
    "/apis/networking.k8s.io/v1/{}/networkpolicies",
    "/apis/policy/v1/{}/poddisruptionbudgets",
    "/apis/rbac.authorization.k8s.io/v1/{}/rolebindings",
)
WRITES = {"create", "update", "apply", "delete", "scale", "grow"}
Tamper = Callable[[Request], Exception | None]
"""Looks at a request before it is sent; what it returns is raised instead."""
Meanwhile = Callable[[Request], Awaitable[None]]
"""Does something, as somebody else, right before a request is sent."""


@dataclass(frozen=True, slots=True)
class Fate:
    """What a life meets: its end after so many writes, faults, and what others do at the same moment."""

    dies_after: int = 0
    tamper: Tamper | None = None
    meanwhile: Meanwhile | None = None


class MortalClient(KubeClient):
    """Makes requests until its process dies: after the server did what the ``dies_after``-th write asked for."""

    def __init__(self, connection: Connection, fate: Fate) -> None:
        super().__init__(connection)
        self._dies_after = fate.dies_after
        self._tamper = fate.tamper
        self._meanwhile = fate.meanwhile
        self.writes: list[Request] = []
        self.dead = asyncio.Event()

    async def send(self, request: Request) -> dict[str, Any]:
        if self.dead.is_set():
            await asyncio.Event().wait()
        if self._tamper is not None and (error := self._tamper(request)) is not None:
            raise error
        if self._meanwhile is not None:
            await self._meanwhile(request)
        if request.verb in WRITES:
            self.writes.append(request)
            if len(self.writes) == self._dies_after:
                self.dead.set()
                await super().send(request)
                await asyncio.Event().wait()
        return await super().send(request)


@dataclass(slots=True)
class Life:
    """One life: what it was told to want, what it tells, what it wrote; ``watching`` is the client of its watches."""

    client: MortalClient
    watching: KubeClient
    accepted: Accepted
    statuses: Statuses
    loop: ReconcileLoop
    facts: Facts = field(default_factory=Facts)

    def want(self, *documents: Document) -> None:
        """Accept these and nothing else."""
        self.accepted.publish(Desired(Standing(1, 1), {document.entry.id: document for document in documents}))

    def condition(self, instance_id: str, name: str) -> Condition | None:
        """A condition of an instance, once there is one."""
        status = self.statuses.everything().get(instance_id)
        return next((one for one in status.conditions if one.type == name), None) if status else None

    async def shows(self, instance_id: str, name: str, reason: str, *, seconds: float = 20) -> Condition:
        """Wait for a condition with this reason."""

        def holds(_: object) -> bool:
            found = self.condition(instance_id, name)
            return found is not None and found.reason == reason

        try:
            await self.facts.wait(holds, seconds=seconds)
        except TimeoutError:
            raise AssertionError(f"{name} never was {reason}: {self.statuses.everything().get(instance_id)}") from None
        found = self.condition(instance_id, name)
        assert found is not None
        return found

    async def looks(self, instance_id: str, look: Look = Look()) -> None:  # noqa: B008 - it is frozen
        """Have one more whole pass over an instance, and wait for its end."""
        await self.loop._learned.wait()
        passes = self._passes(instance_id) + 1 + (instance_id in self.loop._queue._working)
        self.loop._ask(instance_id, look, Urgency.EVENT)
        await self.facts.wait(lambda _: self._passes(instance_id) >= passes, seconds=20)

    def _passes(self, instance_id: str) -> int:
        ends = (ReconcileFinished, ReconcileFailed)
        return sum(isinstance(fact, ends) and fact.instance_id == instance_id for fact in self.facts.stated)

    def touched(self, instance_id: str, *, since: int = 0) -> list[str]:
        """What was written to the instance's own objects, after so many writes: not to our own records."""
        home = f"af-{instance_id[:8]}"
        return [str(one) for one in self.client.writes[since:] if home in one.path]

    async def settles(self, document: Document) -> None:
        """Wait until the document is fully carried out."""
        revision = document.entry.revision

        def holds(_: object) -> bool:
            status = self.statuses.everything().get(document.entry.id)
            said = {one.type: one for one in status.conditions} if status else {}
            return (
                status is not None
                and status.revision == revision
                and said["Progressing"].status == "False"
                and said["Stalled"].status == "False"
            )

        try:
            await self.facts.wait(holds, seconds=20)
        except TimeoutError:
            raise AssertionError(f"never settled: {self.statuses.everything().get(document.entry.id)}") from None


@dataclass(slots=True)
class World:
    """A cluster, an agent's namespace in it, what the agent may do there, and one instance.

    ``client`` is somebody else, who may do anything.
    """

    granted: Granted
    namespace: str
    client: KubeClient
    id: str = field(default_factory=lambda: str(uuid.uuid4()))

    @property
    def home(self) -> str:
        """The instance's namespace."""
        return f"af-{self.id[:8]}"

    def document(self, revision: int = 1, **spec: Any) -> Document:
        """A document of the instance."""
        return a_document(self.id, revision=revision, **{"namespace": self.home, **spec})

    @asynccontextmanager
    async def living(
        self,
        *documents: Document,
        dies_after: int = 0,
        tamper: Tamper | None = None,
        blinding: Tamper | None = None,
        meanwhile: Meanwhile | None = None,
        rules: Rules = PLAIN,
        clock: Clock | None = None,
    ) -> AsyncIterator[Life]:
        """A life with an empty memory, until the block ends or it dies. ``blinding``: what its lists meet."""
        connection = await connect(self.granted.kubeconfig)
        client = MortalClient(connection, Fate(dies_after, tamper, meanwhile))
        watching = MortalClient(connection, Fate(tamper=blinding))
        edge = _Edge(client, watching, rules.pool)
        accepted, statuses, facts = Accepted(), Statuses(), Facts()
        bench = Bench(edge, client, self.namespace, facts, clock or SystemClock(), account=self.granted.account)
        loop = bench.reconciling(accepted, statuses, rules=rules)
        life = Life(client, watching, accepted, statuses, loop, facts)
        if documents:
            life.want(*documents)
        stop = asyncio.Event()
        try:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(edge.run(stop)), group.create_task(loop.run(stop))]
                yield life
                stop.set()
                await _end(tasks, group.create_task(client.dead.wait()))
        finally:
            await client.close()

    async def get(self, path: str) -> dict[str, Any] | None:
        """One object as it is, or None."""
        try:
            return await self.client.send(Request("get", "GET", path))
        except Missing:
            return None

    async def send(self, verb: str, method: str, path: str, **fields: Any) -> dict[str, Any]:
        """Do something to the cluster as somebody else."""
        return await self.client.send(Request(verb, method, path, **fields))

    async def applied(self) -> dict[str, dict[str, Any]]:
        """Everything in the instance's namespace that was applied by an agent, by kind and name."""
        found = {}
        for collection in COLLECTIONS:
            listed = await self.client.send(Request("list", "GET", collection.format(f"namespaces/{self.home}")))
            for item in listed["items"]:
                if ownership_of(item):
                    found[f"{collection.rpartition('/')[2]}/{item['metadata']['name']}"] = item
        return found

    async def inventory(self) -> Inventory | None:
        """The record as a fresh agent would read it."""
        found = (await ClusterInventories(SecretShelf(self.client, self.namespace)).load_all()).get(self.id)
        return found if isinstance(found, Inventory) else None

    async def key_values(self) -> dict[str, str]:
        """Every key that is kept anywhere."""
        copy = await self.get(f"/api/v1/namespaces/{self.namespace}/secrets/perigee-keys-{self.id}")
        live = await self.get(f"/api/v1/namespaces/{self.home}/secrets/airflow-keys")
        return {**((live or {}).get("data") or {}), **((copy or {}).get("data") or {})}

    async def leftovers(self) -> list[str]:
        """What is left in the cluster of the instance."""
        secrets = f"/api/v1/namespaces/{self.namespace}/secrets"
        paths = (
            f"/api/v1/namespaces/{self.home}",
            f"{secrets}/perigee-keys-{self.id}",
            f"{secrets}/perigee-inventory-{self.id}",
        )
        return [path for path in paths if await self.get(path) is not None]


async def _end(tasks: Sequence[asyncio.Task[None]], dying: asyncio.Task[Any]) -> None:
    """What was being worked on is finished, unless the process dies at it."""
    working = set[asyncio.Task[Any]](tasks)
    while working and not dying.done():
        done, _ = await asyncio.wait({dying, *working}, return_when=asyncio.FIRST_COMPLETED)
        working -= done
    for task in (dying, *working):
        task.cancel()


class _Edge(KubernetesCluster):
    """The edge, with watches that live on while its own requests may be dead: watches have no effects."""

    def __init__(self, client: KubeClient, watching: KubeClient, pool: Collection[str]) -> None:
        super().__init__(watching, SystemClock(), namespaces=pool)
        self._client = client


def shape(applied: Mapping[str, dict[str, Any]]) -> dict[str, str]:
    """Objects by kind and name, each with the digest of the fields that we own."""
    return {name: ownership_of(item) for name, item in applied.items()}


def renamed(world: World, **changes: Any) -> World:
    """Another instance in the same world."""
    return replace(world, id=str(uuid.uuid4()), **changes)
