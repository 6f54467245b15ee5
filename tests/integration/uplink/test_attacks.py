"""The attacks that The Update Framework lists, each tried over real TLS on the loops as the agent runs them.

What the attacker would like: a tombstone that retains nothing, for an instance that runs. What is shown of each attack:
the cluster is not touched, a condition says why and where, what was good stays in force, and when the attacker is gone
the agent goes on by itself.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest

from agent.cluster.client import Request
from agent.cluster.kinds import path_of
from agent.model.conditions import Condition
from agent.model.desired import Desired, Entry, Standing
from agent.model.facts import IndexAccepted, PollFailed, StateRefused
from agent.model.objects import ObjectRef
from agent.wire.envelope import TRUST_TYPE, sign
from agent.wire.limits import MAX_DOCUMENT_BYTES, MAX_INDEX_BYTES
from sandbox.testcluster import START, AuditLog, AuditMark, TestCluster
from tests.integration.uplink.attacker import Attacker, MovedClock, called
from tests.support.builders import an_entry, document_bytes
from tests.support.hostile import Listener, an_index, listening
from tests.support.journey import USER_AGENT
from tests.support.rights import Granted
from tests.support.wire import INDEX, STRANGER

Listed = tuple[Entry, bytes]
EPOCH, VERSION = 2, 5
"""What is in force when an attack begins. The trust bundle of these tests knows epoch 3."""
IN_BETWEEN = 8 * 1024 * 1024
"""Bytes that lie in buffers between a server that sends without end and a client that has hung up, at most."""


@dataclass(slots=True)
class Scene:
    """An agent with one instance that runs, and a control plane in the wrong hands."""

    attacker: Attacker
    clock: MovedClock
    listener: Listener
    cluster: TestCluster
    namespace: str
    instance: str
    genuine: bytes = b""
    before: Desired = field(default_factory=lambda: Desired(Standing(0, 0)))
    mark: AuditMark = START

    def document(self, revision: int, **fields: Any) -> Listed:
        """A document of the instance."""
        raw = document_bytes(self.instance, namespace=f"af-{self.instance[:8]}", **fields)
        return an_entry(raw, self.instance, revision=revision), raw

    @property
    def tombstone(self) -> Listed:
        """What the attacker would like to come into force."""
        return self.document(99, state="deleted", retain=[])

    def say(self, *documents: Listed, version: int = VERSION + 1, **changes: Any) -> bytes:
        """Answer polls with an index of these documents; ``changes`` make it a false one. Returns its envelope."""
        index = an_index(version, [entry for entry, _ in documents], **{"epoch": EPOCH, **changes})
        self.attacker.plane.say(index, {entry.digest: raw for entry, raw in documents})
        return index

    async def in_force(self, revision: int) -> None:
        """Return when this revision is in force and nothing is left to do for it."""
        await self.listener.facts.wait(lambda _: self._rests(revision))

    def _rests(self, revision: int) -> bool:
        document = self.listener.accepted.desired.documents.get(self.instance)
        status = self.listener.statuses.everything().get(self.instance)
        if document is None or status is None or document.entry.revision != status.revision:
            return False
        claims = {one.type: one.status for one in status.conditions}
        return status.revision == revision and claims.get("Progressing") == "False"

    async def refused(self, subject: str, reason: str) -> StateRefused:
        """The refusal of an index, or of an instance's document, for this reason."""

        def is_it(fact: object) -> bool:
            return isinstance(fact, StateRefused) and (fact.subject, fact.reason) == (subject, reason)

        fact = await self.listener.facts.wait(is_it)
        assert isinstance(fact, StateRefused)
        return fact

    async def index_refused(self, reason: str, path: str) -> None:
        """An index was refused, is told with its path, and neither the cluster nor what is in force were touched."""
        assert path in (await self.refused("index", reason)).message
        await self.told("DesiredStateAccepted", reason, path, of_instance=False)
        assert await self.writes() == []
        self.unharmed()

    async def document_refused(self, reason: str, path: str) -> None:
        """The index counts, the document does not; outside the agent's own namespace nothing was written."""
        assert path in (await self.refused(self.instance, reason)).message
        await self.told("Accepted", reason, path, of_instance=True)
        assert [one for one in await self.writes() if f"/namespaces/{self.namespace}/" not in one] == []
        self.unharmed()

    async def told(self, name: str, reason: str, path: str, *, of_instance: bool) -> None:
        """Return when the condition is false for this reason, and names the place."""

        def found() -> Condition | None:
            if not of_instance:
                return self.listener.agent_condition(name)
            return self.listener.condition(self.instance, name)

        def is_told(_: object) -> bool:
            claimed = found()
            return claimed is not None and (claimed.status, claimed.reason) == ("False", reason)

        await self.listener.facts.wait(is_told)
        claimed = found()
        assert claimed is not None
        assert path in claimed.message

    def unharmed(self) -> None:
        """The last good document is in force, the very same."""
        documents = self.listener.accepted.desired.documents
        assert documents[self.instance] == self.before.documents[self.instance]
        assert documents.keys() == self.before.documents.keys()

    async def writes(self) -> list[str]:
        """What the agent wrote since the attack began."""
        requests = await AuditLog(self.cluster.audit_log).read(self.mark)
        return [f"{one.verb} {one.uri}" for one in requests.writes(user_agent=USER_AGENT)]

    async def at_rest(self) -> None:
        """From here on the attack counts."""
        self.before = self.listener.accepted.desired
        self.mark = await AuditLog(self.cluster.audit_log).mark()

    async def recovers(self, *, version: int = VERSION + 10) -> None:
        """When the attacker is gone, what the honest control plane says next comes into force, and is all that does."""
        self.attacker.instead.clear()
        self.say(self.document(100, team="after"), version=version)
        await self.in_force(100)
        await self.listener.facts.wait(
            lambda fact: isinstance(fact, IndexAccepted) and fact.standing.version == version
        )
        claimed = self.listener.agent_condition("DesiredStateAccepted")
        assert claimed is not None
        assert claimed.status == "True"
        home = path_of(ObjectRef("v1", "ConfigMap", f"af-{self.instance[:8]}", "airflow-config"))
        assert await self.listener.client.send(Request("get", "GET", home))


@pytest.fixture
async def scene(embedded_cluster: TestCluster, embedded_namespace: str) -> AsyncIterator[Scene]:
    attacker, clock = Attacker(), MovedClock()
    granted = Granted(embedded_cluster.kubeconfig, None)
    instance = str(uuid.uuid4())
    raw = document_bytes(instance, namespace=f"af-{instance[:8]}", team="good")
    entry = an_entry(raw, instance, revision=1)
    genuine = an_index(VERSION, [entry], epoch=EPOCH)
    attacker.plane.say(genuine, {entry.digest: raw})
    async with (
        called(attacker, clock) as uplink,
        listening(uplink, granted, embedded_namespace, clock=clock) as listener,
    ):
        played = Scene(attacker, clock, listener, embedded_cluster, embedded_namespace, instance, genuine)
        await played.in_force(1)
        await played.at_rest()
        yield played


FORGERIES: Mapping[str, tuple[str, str, Mapping[str, Any]]] = {
    "by a stranger's key": ("BadSignature", "signatures", {"key": STRANGER}),
    "of a newer kind": ("UnknownMajor", "schema", {"schema": "perigee.dev/index/v2"}),
}


@pytest.mark.parametrize("forgery", FORGERIES)
async def test_forged(scene: Scene, forgery: str) -> None:
    """Arbitrary installation: the attacker makes up an index of his own."""
    reason, path, changes = FORGERIES[forgery]
    scene.say(scene.tombstone, **changes)
    await scene.index_refused(reason, path)
    await scene.recovers()


async def test_altered(scene: Scene) -> None:
    """Arbitrary installation: the attacker changes a genuine index on its way."""
    scene.attacker.plane.say(scene.genuine.replace(b'"payload":"', b'"payload":"IC', 1).replace(b"=", b"", 1))
    fact = await scene.listener.facts.wait(lambda fact: isinstance(fact, StateRefused) and fact.subject == "index")
    assert isinstance(fact, StateRefused)
    assert fact.reason in {"BadSignature", "Malformed"}
    await scene.index_refused(fact.reason, "signatures" if fact.reason == "BadSignature" else "payload")
    await scene.recovers()


async def test_signed_for_another_purpose(scene: Scene) -> None:
    """Arbitrary installation: the attacker shows something genuine that was signed as another kind."""
    scene.attacker.plane.say(sign(b"{}", TRUST_TYPE, keys=[INDEX]))
    await scene.index_refused("WrongType", "payloadType")
    await scene.recovers()


async def test_replayed(scene: Scene) -> None:
    """Rollback: the attacker recorded a genuine index and plays it again after the world has moved on."""
    scene.say(scene.document(2, team="newer"))
    await scene.in_force(2)
    await scene.at_rest()
    scene.attacker.plane.say(scene.genuine)
    await scene.index_refused("RolledBack", "version")
    await scene.recovers()


@pytest.mark.parametrize("path", ["version", "epoch"])
async def test_rolled_back(scene: Scene, path: str) -> None:
    """Rollback: the attacker has a control plane of yesterday sign, with the genuine key and times of today."""
    older = {"version": {"version": VERSION - 1}, "epoch": {"epoch": EPOCH - 1}}
    scene.say(scene.tombstone, **older[path])
    await scene.index_refused("RolledBack", path)
    await scene.recovers()


async def test_fast_forward(scene: Scene) -> None:
    """Fast forward: the attacker, with the index key, uses up an epoch that only the root role may begin."""
    scene.say(scene.tombstone, epoch=4)
    await scene.index_refused("EpochAhead", "epoch")
    await scene.recovers()


async def test_frozen(scene: Scene) -> None:
    """Indefinite freeze: the attacker withholds news and shows the same genuine index for ever."""
    scene.clock.ahead = timedelta(hours=2)
    scene.attacker.plane.say(scene.genuine)
    await scene.index_refused("IndexExpired", "expiresAt")
    scene.clock.ahead = timedelta()
    await scene.recovers()


async def test_mixed_index(scene: Scene) -> None:
    """Mix and match: the attacker puts together what never stood in one index, under the standing of one that did."""
    scene.say(scene.tombstone, version=VERSION)
    await scene.index_refused("MixedIndex", "instances")
    await scene.recovers()


async def test_mixed_documents(scene: Scene) -> None:
    """Mix and match: the attacker lists one instance's genuine tombstone as another's document."""
    raw = document_bytes(str(uuid.uuid4()), namespace="af-other", state="deleted", retain=[])
    scene.say((an_entry(raw, scene.instance, revision=2), raw))
    await scene.document_refused("MixedDocument", "metadata.id")
    await scene.recovers()


async def test_exchanged_document(scene: Scene) -> None:
    """Wrong software: the attacker delivers other bytes under the digest that a genuine index names."""
    entry, raw = scene.document(2, team="newer")
    scene.attacker.plane.say(
        an_index(VERSION + 1, [entry], epoch=EPOCH), {entry.digest: raw.replace(b"newer", b"nastY")}
    )
    await scene.document_refused("DigestMismatch", "digest")
    await scene.recovers()


async def test_endless_index(scene: Scene) -> None:
    """Endless data: the attacker answers a poll and does not stop."""
    scene.attacker.instead["/v1/desired"] = scene.attacker.without_end
    await scene.index_refused("TooLarge", "/v1/desired")
    await asyncio.wait_for(scene.attacker.hung_up.wait(), 10)
    assert scene.attacker.sent < MAX_INDEX_BYTES + IN_BETWEEN
    await scene.recovers()


async def test_endless_document(scene: Scene) -> None:
    """Endless data: the attacker sends a document and does not stop; no more of it is read than the index announced."""
    scene.attacker.instead["/v1/documents"] = scene.attacker.without_end
    scene.say(scene.document(2, team="newer"))
    await scene.document_refused("DigestMismatch", "digest")
    await asyncio.wait_for(scene.attacker.hung_up.wait(), 10)
    assert scene.attacker.sent < IN_BETWEEN
    await scene.recovers()


async def test_slow_retrieval(scene: Scene) -> None:
    """Slow retrieval: the attacker never falls silent and never comes to an end, to keep the agent waiting."""
    scene.attacker.instead["/v1/desired"] = scene.attacker.drop_by_drop
    await scene.listener.facts.wait(lambda fact: isinstance(fact, PollFailed))
    await scene.told("Connected", "ConnectionCut", "/v1/desired", of_instance=False)
    assert await scene.writes() == []
    scene.unharmed()
    await scene.recovers()


@pytest.mark.parametrize("way", ["too long", "too deep"])
async def test_oversized_index(scene: Scene, way: str) -> None:
    """Endless data: an index with an end, which is too far away, or too deep down."""
    padding: Any = "x" * MAX_INDEX_BYTES
    if way == "too deep":
        padding = []
        for _ in range(100):
            padding = [padding]
    scene.say(scene.tombstone, padding=padding)
    await scene.index_refused("TooLarge", "/v1/desired" if way == "too long" else "index")
    await scene.recovers()


async def test_oversized_document(scene: Scene) -> None:
    """Endless data: a document that is announced as larger than documents may be is not even asked for."""
    entry, raw = scene.document(2, team="newer")
    scene.attacker.instead["/v1/documents"] = scene.attacker.without_end
    line = {"id": entry.id, "revision": 2, "digest": entry.digest, "size": MAX_DOCUMENT_BYTES + 1}
    scene.say((entry, raw), instances=[line])
    await scene.index_refused("Malformed", "instances[0].size")
    assert scene.attacker.sent == 0
    await scene.recovers()


async def test_wrong_cluster(scene: Scene) -> None:
    """Replay elsewhere: the attacker shows this agent the genuine index of another cluster."""
    scene.say(scene.tombstone, cluster="another")
    await scene.index_refused("WrongCluster", "cluster")
    await scene.recovers()


async def test_truncated(scene: Scene) -> None:
    """Omission: the attacker signs an index from which instances are missing; absence is no order to delete."""
    scene.say()
    await scene.listener.facts.wait(lambda _: scene.instance in scene.listener.accepted.desired.unlisted)
    assert [one for one in await scene.writes() if f"/namespaces/{scene.namespace}/" not in one] == []
    assert scene.listener.accepted.desired.documents[scene.instance].instance.team == "good"
    await scene.recovers()
