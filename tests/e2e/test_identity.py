"""An agent's identity outlives its certificates, and what it accepted outlives the keys that signed it."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path

from agent.cluster.secrets import SecretShelf
from agent.loops.pace import SystemClock
from agent.model.facts import (
    CertificateRenewed,
    IndexAccepted,
    PollFailed,
    ReconcileFinished,
    RenewalFailed,
    StateRefused,
    TrustFollowed,
)
from agent.uplink.identity import Identity
from control_plane.ring import Kind
from control_plane.server import ControlPlane
from control_plane.settings import Lives, Ports, Settings
from sandbox.testcluster import TestCluster
from tests.support.clock import StillClock
from tests.support.journey import Facts, Journey, journey

NOBODY = "https://127.0.0.1:9"


class BehindClock(SystemClock):
    """The machine's clock, so many days behind."""

    def __init__(self, days: int) -> None:
        self._behind = timedelta(days=days)

    def now(self) -> datetime:
        return super().now() - self._behind


@asynccontextmanager
async def begun(
    cluster: TestCluster, directory: Path, *, days_ago: int = 0, life: timedelta = timedelta(days=90)
) -> AsyncIterator[tuple[Journey, StillClock]]:
    """A journey with a control plane that lives so many days ago, until somebody turns its clock."""
    clock = StillClock(SystemClock().now() - timedelta(days=days_ago))
    settings = Settings(directory=directory / "plane", ports=Ports.free(), lives=Lives(client_certificate=life))
    async with ControlPlane.serve(settings, clock=clock) as plane, journey(plane, cluster, directory) as path:
        yield path, clock


async def identity_of(path: Journey) -> Identity:
    stored = await SecretShelf(path.client, path.namespace).read("perigee-identity")
    assert stored is not None
    return Identity.from_secret(stored.content)


async def accepted(facts: Facts) -> None:
    await facts.wait(lambda fact: isinstance(fact, IndexAccepted))


async def test_after_two_thirds_of_its_life_a_certificate_is_renewed_under_way(
    any_cluster: TestCluster, tmp_path: Path
) -> None:
    async with begun(any_cluster, tmp_path, days_ago=66) as (path, clock):
        async with path.agent(clock=BehindClock(66)) as facts:
            await accepted(facts)
            before = await identity_of(path)
            assert not [fact for fact in facts.stated if isinstance(fact, CertificateRenewed)]
        clock.at = SystemClock().now()
        async with path.agent() as facts:
            await facts.wait(lambda fact: isinstance(fact, CertificateRenewed))
            await accepted(facts)
            assert not [fact for fact in facts.stated if isinstance(fact, PollFailed | StateRefused)]
        after = await identity_of(path)
        assert after.not_after > before.not_after
        assert after.keys.identity.public_key() != before.keys.identity.public_key()
        assert after.keys.sealing_public == before.keys.sealing_public, "values are sealed to it"


async def test_an_agent_that_slept_past_its_certificates_end_comes_back_without_a_token(
    any_cluster: TestCluster, tmp_path: Path
) -> None:
    async with begun(any_cluster, tmp_path, days_ago=35, life=timedelta(days=30)) as (path, clock):
        async with path.agent() as facts:
            await facts.wait(lambda fact: isinstance(fact, CertificateRenewed | PollFailed))
        assert (await identity_of(path)).not_after < SystemClock().now()
        (tmp_path / "token").unlink()
        clock.at = SystemClock().now()
        async with path.agent() as facts:
            await accepted(facts)
            assert [fact for fact in facts.stated if isinstance(fact, CertificateRenewed)]


async def test_a_revoked_agent_may_not_renew_and_does_not_enrol_by_itself(
    any_cluster: TestCluster, tmp_path: Path
) -> None:
    """wazuh/wazuh#38439: what looked like a revocation made agents enrol again without end."""
    async with begun(any_cluster, tmp_path, days_ago=66) as (path, clock):
        async with path.agent(clock=BehindClock(66)) as facts:
            await accepted(facts)
        before = await identity_of(path)
        await path.plane.revoke(path.name)
        clock.at = SystemClock().now()
        async with path.agent() as facts:
            fact = await facts.wait(lambda fact: isinstance(fact, RenewalFailed))
            assert "CertificateRevoked" in repr(fact)
        assert (await identity_of(path)).chain == before.chain


async def test_what_was_accepted_stays_in_force_without_a_control_plane_after_its_key_is_gone(
    any_cluster: TestCluster, tmp_path: Path
) -> None:
    """The kept index carries signatures of a key that the newest bundle does not name any more."""
    instance_id = str(uuid.uuid4())
    async with begun(any_cluster, tmp_path) as (path, _):
        pin = {"root_fingerprint": path.plane.root_fingerprint}
        await path.publish(instance_id, paused=True)
        async with path.agent(uplink=pin) as facts:
            await accepted(facts)
        for _ in range(2):
            await path.plane.services.rotations.begin(Kind.INDEX)
            await path.plane.services.rotations.finish(force=True)
        alone = {**pin, "agents_url": NOBODY}
        async with path.agent(uplink=alone) as facts:
            await facts.wait(lambda fact: isinstance(fact, TrustFollowed) and fact.version == 5)
        async with path.agent(uplink={**alone, "enrol_url": NOBODY}) as facts:
            await facts.wait(lambda fact: isinstance(fact, ReconcileFinished) and fact.instance_id == instance_id)
            assert not [fact for fact in facts.stated if isinstance(fact, StateRefused | IndexAccepted)]
        async with path.agent(uplink=pin) as facts:
            await accepted(facts)


async def test_a_new_epoch_is_followed_while_the_agent_runs(any_cluster: TestCluster, tmp_path: Path) -> None:
    async with begun(any_cluster, tmp_path) as (path, _), path.agent() as facts:
        await accepted(facts)
        await path.plane.services.trust.new_epoch()
        await facts.wait(lambda fact: isinstance(fact, IndexAccepted) and fact.standing.epoch == 2)
