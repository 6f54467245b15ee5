"""What a lying or broken control plane cannot do: each lie is refused with its path, and everything else goes on."""

from __future__ import annotations

import json
import uuid
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from typing import Any

import pytest

from agent.cluster.client import Request
from agent.cluster.kinds import path_of
from agent.model.desired import Entry
from agent.model.facts import Fact, IndexAccepted, ReconcileFinished, StateRefused
from agent.model.objects import ObjectRef
from agent.wire.trust import TrustBundle, fingerprint, verify_first
from sandbox.testcluster import TestCluster
from tests.support.builders import an_entry, document_bytes
from tests.support.hostile import HostilePlane, Listener, an_index, listening
from tests.support.rights import Granted, agent_of
from tests.support.wire import ROOT, SECOND_ROOT, STRANGER, a_role, a_trust_envelope, some_trust_data


class Stage:
    """Two instances on one cluster: one goes on honestly, the other is lied about."""

    def __init__(self, granted: Granted, namespace: str) -> None:
        self._granted = granted
        self._namespace = namespace
        self.plane = HostilePlane()
        self.honest, self.other = str(uuid.uuid4()), str(uuid.uuid4())

    def listening(self, *, trust: TrustBundle | None = None) -> AbstractAsyncContextManager[Listener]:
        return listening(self.plane, self._granted, self._namespace, trust=trust)

    def document(self, instance_id: str, *, revision: int = 1, **fields: Any) -> tuple[Entry, bytes]:
        raw = document_bytes(instance_id, namespace=f"af-{instance_id[:8]}", **fields)
        return an_entry(raw, instance_id, revision=revision), raw

    def say(self, version: int, *documents: tuple[Entry, bytes], **changes: Any) -> None:
        held: Mapping[str, bytes] = {entry.digest: raw for entry, raw in documents}
        self.plane.say(an_index(version, [entry for entry, _ in documents], **changes), held)

    def config_map(self, instance_id: str) -> str:
        return path_of(ObjectRef("v1", "ConfigMap", f"af-{instance_id[:8]}", "airflow-config"))


@pytest.fixture
async def stage(any_cluster: TestCluster, any_namespace: str) -> AsyncIterator[Stage]:
    async with agent_of(any_cluster, any_namespace) as granted:
        yield Stage(granted, any_namespace)


def is_reconciled(instance_id: str, fact: Fact) -> bool:
    return isinstance(fact, ReconcileFinished) and fact.instance_id == instance_id


async def reconciled(listener: Listener, instance_id: str) -> None:
    await listener.facts.wait(lambda fact: is_reconciled(instance_id, fact))


async def refused(listener: Listener, subject: str) -> StateRefused:
    fact = await listener.facts.wait(lambda fact: isinstance(fact, StateRefused) and fact.subject == subject)
    assert isinstance(fact, StateRefused)
    return fact


BROKEN: Mapping[str, Callable[[bytes], bytes]] = {
    "UnknownMajor": lambda raw: raw.replace(b"perigee.dev/v1", b"perigee.dev/v2"),
    "Malformed": lambda raw: raw.replace(b'"3.3.2"', b"3"),
    "UnsupportedVersion": lambda raw: raw.replace(b"3.3.2", b"3.9.1"),
}
"""What is done to a document, by the reason of its refusal."""


@pytest.mark.parametrize("reason", BROKEN)
async def test_a_document_that_is_not_acceptable_is_refused_and_the_other_goes_on(stage: Stage, reason: str) -> None:
    good = stage.document(stage.honest)
    raw = BROKEN[reason](stage.document(stage.other)[1])
    async with stage.listening() as listener:
        stage.say(1, good, (an_entry(raw, stage.other), raw))
        fact = await refused(listener, stage.other)
        assert fact.reason == reason
        assert "apiVersion" in fact.message or "spec.airflow.version" in fact.message
        await reconciled(listener, stage.honest)
        assert listener.condition(stage.other, "Accepted").reason == reason
        assert stage.other not in listener.accepted.desired.documents


async def test_a_key_that_stands_twice_is_refused_with_its_path(stage: Stage) -> None:
    raw = document_bytes(stage.other).replace(b'"spec": {', b'"spec": {"team": "a", "team": "b", ')
    async with stage.listening() as listener:
        stage.say(1, (an_entry(raw, stage.other), raw))
        fact = await refused(listener, stage.other)
        assert fact.reason == "Malformed"
        assert "spec.team" in fact.message


async def test_bytes_that_do_not_have_the_listed_digest_are_refused(stage: Stage) -> None:
    entry, raw = stage.document(stage.other)
    good = stage.document(stage.honest)
    async with stage.listening() as listener:
        stage.plane.say(
            an_index(1, [good[0], entry]), {good[0].digest: good[1], entry.digest: raw.replace(b"hello", b"hullo")}
        )
        assert (await refused(listener, stage.other)).reason == "DigestMismatch"
        await reconciled(listener, stage.honest)


async def test_a_document_of_another_instance_is_refused(stage: Stage) -> None:
    entry, raw = stage.document(stage.honest)
    async with stage.listening() as listener:
        stage.say(1, (replace(entry, id=stage.other), raw))
        fact = await refused(listener, stage.other)
        assert fact.reason == "MixedDocument"
        assert "metadata.id" in fact.message


LIES: Mapping[str, Mapping[str, Any]] = {
    "BadSignature": {"key": STRANGER},
    "UnknownMajor": {"schema": "perigee.dev/index/v2"},
    "WrongCluster": {"cluster": "another"},
    "IndexExpired": {"issuedAt": "2026-01-01T00:00:00Z", "expiresAt": "2026-01-02T00:00:00Z"},
    "Malformed": {"instances": [{"id": "nobody", "revision": 1, "digest": "0", "size": 1}]},
}
"""What is said falsely in an index, by the reason of its refusal."""


@pytest.mark.parametrize("reason", LIES)
async def test_an_index_that_lies_changes_nothing(stage: Stage, reason: str) -> None:
    async with stage.listening() as listener:
        stage.say(1, stage.document(stage.honest))
        await reconciled(listener, stage.honest)
        before = listener.accepted.desired
        stage.say(2, stage.document(stage.honest, revision=2, state="deleted", retain=[]), **LIES[reason])
        fact = await refused(listener, "index")
        assert fact.reason == reason
        assert listener.accepted.desired == before
        claimed = listener.agent_condition("DesiredStateAccepted")
        assert claimed is not None
        assert (claimed.status, claimed.reason) == ("False", reason)
        stage.say(3, stage.document(stage.honest, revision=3))
        await listener.facts.wait(lambda fact: isinstance(fact, IndexAccepted) and fact.standing.version == 3)
        claimed = listener.agent_condition("DesiredStateAccepted")
        assert claimed is not None
        assert claimed.status == "True"


async def test_an_older_index_is_refused_also_after_a_restart(stage: Stage) -> None:
    async with stage.listening() as listener:
        stage.say(5, stage.document(stage.honest, revision=2, team="new"))
        await reconciled(listener, stage.honest)
        stage.say(4, stage.document(stage.honest, revision=1, team="old"))
        assert (await refused(listener, "index")).reason == "RolledBack"
    async with stage.listening() as listener:
        assert (await refused(listener, "index")).reason == "RolledBack"
        await reconciled(listener, stage.honest)
        assert listener.accepted.desired.documents[stage.honest].instance.team == "new"


async def test_state_that_another_control_plane_signed_counts_for_nothing_after_enrolling_anew(stage: Stage) -> None:
    async with stage.listening() as listener:
        stage.say(5, stage.document(stage.honest, team="before"))
        await reconciled(listener, stage.honest)
    another = verify_first(
        a_trust_envelope(
            some_trust_data(roles={"root": a_role(ROOT).to_data(), "index": a_role(SECOND_ROOT).to_data()})
        ),
        root_fingerprint=fingerprint(ROOT.public),
    )
    async with stage.listening(trust=another) as listener:
        assert (await refused(listener, "index")).reason == "BadSignature"
        assert listener.accepted.desired.documents == {}
        stage.say(1, stage.document(stage.honest, team="after"), key=SECOND_ROOT)
        await reconciled(listener, stage.honest)
        assert listener.accepted.desired.documents[stage.honest].instance.team == "after"


async def test_the_same_standing_with_other_instances_is_refused(stage: Stage) -> None:
    async with stage.listening() as listener:
        stage.say(5, stage.document(stage.honest))
        await reconciled(listener, stage.honest)
        stage.say(5, stage.document(stage.other))
        assert (await refused(listener, "index")).reason == "MixedIndex"


async def test_an_instance_that_vanishes_from_the_index_is_not_touched(stage: Stage) -> None:
    good, other = stage.document(stage.honest), stage.document(stage.other)
    async with stage.listening() as listener:
        stage.say(1, good, other)
        await reconciled(listener, stage.other)
        await reconciled(listener, stage.honest)
        live = await listener.client.send(Request("get", "GET", stage.config_map(stage.other)))
        stage.say(2, good)
        await listener.facts.wait(lambda _: listener.condition(stage.other, "Unlisted").status == "True")
        after = await listener.client.send(Request("get", "GET", stage.config_map(stage.other)))
        assert after["metadata"]["resourceVersion"] == live["metadata"]["resourceVersion"]
    async with stage.listening() as listener:
        await reconciled(listener, stage.other)
        assert listener.condition(stage.other, "Unlisted").status == "True"


async def test_an_empty_index_deletes_nothing(stage: Stage) -> None:
    async with stage.listening() as listener:
        stage.say(1, stage.document(stage.honest))
        await reconciled(listener, stage.honest)
        stage.say(2)
        await listener.facts.wait(lambda _: listener.condition(stage.honest, "Unlisted").status == "True")
        assert await listener.client.send(Request("get", "GET", stage.config_map(stage.honest)))


async def test_fields_of_a_newer_control_plane_are_named_and_tolerated(stage: Stage) -> None:
    entry, raw = stage.document(stage.honest, upgrade={"strategy": "blueGreen"})
    async with stage.listening() as listener:
        stage.say(1, (entry, raw))
        await reconciled(listener, stage.honest)
        assert json.loads(raw)["spec"]["upgrade"]
        unknown = listener.condition(stage.honest, "UnknownFields")
        assert (unknown.status, unknown.message) == ("True", "this agent does not know: spec.upgrade")


async def test_fields_of_a_newer_index_are_named_and_tolerated(stage: Stage) -> None:
    async with stage.listening() as listener:
        stage.say(1, stage.document(stage.honest), hopes=[])
        await reconciled(listener, stage.honest)
        claimed = listener.agent_condition("UnknownFields")
        assert claimed is not None
        assert (claimed.status, claimed.message) == ("True", "this agent does not know: hopes")
