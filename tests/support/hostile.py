"""A control plane that may lie, saying whatever a test puts in its mouth, and an agent's loops that listen to it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from agent.cluster.client import KubeClient
from agent.cluster.connection import connect
from agent.cluster.kubernetes import KubernetesCluster
from agent.cluster.secrets import SecretShelf
from agent.cluster.state import ClusterState
from agent.loops.accepted import Accepted
from agent.loops.guarding import Guarding
from agent.loops.pace import SystemClock
from agent.loops.poll import Learnt, PollLoop, PollPace, PollPorts
from agent.loops.statuses import Statuses
from agent.loops.trust import Trust
from agent.model.conditions import Condition
from agent.model.desired import Entry
from agent.model.guard import Guard
from agent.ports import Clock, ControlPlane, IndexAnswer
from agent.rendering import AgentAccount
from agent.wire.envelope import INDEX_TYPE, SigningKey, sign
from agent.wire.index import EntryV1, IndexV1, IndexVerifier
from agent.wire.strict import canonical
from agent.wire.trust import TrustBundle
from tests.support.engine import Bench, Rules
from tests.support.journey import Facts
from tests.support.rights import Granted
from tests.support.wire import CLUSTER, INDEX, a_trust_bundle


class HostilePlane:
    """Implements ``ports.ControlPlane``; ``say`` replaces the answer that polls get."""

    def __init__(self) -> None:
        self.skew_seconds: float | None = None
        self.documents_held: dict[str, bytes] = {}
        self._envelope = b""
        self._spoken = 0
        self._news = asyncio.Event()

    def say(self, envelope: bytes, documents: Mapping[str, bytes] | None = None) -> None:
        """From now on answer this."""
        self._envelope = envelope
        self.documents_held.update(documents or {})
        self._spoken += 1
        self._news.set()

    async def poll(self, *, etag: str, wait_seconds: float) -> IndexAnswer | None:  # noqa: ARG002 - the port's shape
        while etag == str(self._spoken):
            self._news.clear()
            await self._news.wait()
        return IndexAnswer(self._envelope, str(self._spoken))

    async def documents(self, entries: Sequence[Entry]) -> Mapping[str, bytes]:
        return {one.digest: self.documents_held[one.digest] for one in entries if one.digest in self.documents_held}

    async def report(self, *, stream: str, sequence: int, body: bytes) -> None:
        raise AssertionError(f"nobody reports here: {stream} {sequence} {len(body)}")


def an_index(
    version: int, entries: Iterable[Entry], *, key: SigningKey = INDEX, epoch: int = 1, **changes: Any
) -> bytes:
    """A signed index of the test's cluster, valid now; ``changes`` replace fields of its payload before signing."""
    now = datetime.now(UTC)  # noqa: TID251 - freshness is judged by the real clock
    index = IndexV1(
        cluster=CLUSTER,
        epoch=epoch,
        version=version,
        issued_at=now,
        expires_at=now + timedelta(hours=1),
        instances=tuple(EntryV1(id=e.id, revision=e.revision, digest=e.digest, size=e.size) for e in entries),
    )
    return sign(canonical({**index.to_data(), **changes}), INDEX_TYPE, keys=[key])


@dataclass(slots=True)
class Listener:
    """The agent's loops, listening to a hostile plane."""

    facts: Facts
    accepted: Accepted
    statuses: Statuses
    client: KubeClient
    stop: asyncio.Event = field(default_factory=asyncio.Event)

    def agent_condition(self, name: str) -> Condition | None:
        """One of the agent's own conditions."""
        return next((one for one in self.statuses.conditions() if one.type == name), None)

    def condition(self, instance_id: str, name: str) -> Condition:
        """A condition of an instance."""
        return next(one for one in self.statuses.everything()[instance_id].conditions if one.type == name)


@asynccontextmanager
async def listening(
    plane: ControlPlane,
    granted: Granted,
    namespace: str,
    *,
    trust: TrustBundle | None = None,
    guarding: Guarding | None = None,
    clock: Clock | None = None,
) -> AsyncIterator[Listener]:
    """The poll and reconcile loops over a real cluster edge, as the wiring would connect them."""
    clock, facts = clock or SystemClock(), Facts()
    client = KubeClient(await connect(granted.kubeconfig))
    shelf, edge = SecretShelf(client, namespace), KubernetesCluster(client, clock)
    listener = Listener(facts, Accepted(), Statuses(), client)
    account = AgentAccount(namespace, granted.account) if granted.account is not None else None
    guarding = guarding or Guarding.by(Guard(), account)
    poll = PollLoop(
        PollPorts(plane, IndexVerifier(trust or a_trust_bundle(), CLUSTER), ClusterState(shelf), facts, clock),
        Learnt(listener.accepted, listener.statuses, Trust()),
        pace=PollPace(1, 0.05, 0.2),
        guarding=guarding,
    )
    bench = Bench(edge, client, namespace, facts, account=granted.account)
    reconcile = bench.reconciling(listener.accepted, listener.statuses, rules=Rules(guarding=guarding))
    try:
        async with asyncio.TaskGroup() as group:
            watch_stop = asyncio.Event()
            group.create_task(edge.run(watch_stop))
            loops = [group.create_task(loop.run(listener.stop)) for loop in (poll, reconcile)]
            yield listener
            listener.stop.set()
            await asyncio.wait(loops)
            watch_stop.set()
    finally:
        await client.close()
