"""Keys and certificates change while agents work, and nobody notices: no call fails, and who slept comes back."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from datetime import timedelta
from pathlib import Path

import pytest

from agent.model.facts import (
    CertificateRenewed,
    Fact,
    IndexAccepted,
    PollFailed,
    ReportDelayed,
    ReportDelivered,
    StateRefused,
    TrustFollowed,
)
from control_plane.faults import Clash
from control_plane.ring import Kind
from control_plane.server import ControlPlane
from control_plane.services.rotation import ServerMoves
from control_plane.settings import Lives, Ports, Settings
from control_plane.store.clusters import ClusterRow
from sandbox.testcluster import TestCluster
from tests.control_plane.member import at_the_gate
from tests.support.journey import Facts, Journey, journey

FAILURES = (PollFailed, ReportDelayed, StateRefused)
KINDS = (Kind.AUTHORITY, Kind.INDEX, Kind.ROOT)


@pytest.fixture
async def plane(tmp_path: Path) -> AsyncIterator[ControlPlane]:
    """Certificates live an hour here, so that renewals for a new authority are not spread over minutes."""
    settings = Settings(
        directory=tmp_path / "plane", ports=Ports.free(), lives=Lives(client_certificate=timedelta(hours=1))
    )
    async with ControlPlane.serve(settings) as serving:
        yield serving


@asynccontextmanager
async def journeys(
    plane: ControlPlane, cluster: TestCluster, directory: Path, *names: str
) -> AsyncIterator[list[Journey]]:
    async with AsyncExitStack() as stack:
        begun = []
        for name in names:
            (directory / name).mkdir()
            begun.append(await stack.enter_async_context(journey(plane, cluster, directory / name)))
        yield begun


async def settled(facts: Facts) -> None:
    await facts.wait(lambda fact: isinstance(fact, IndexAccepted))


def failures(facts: Facts) -> list[Fact]:
    return [fact for fact in facts.stated if isinstance(fact, FAILURES)]


async def row_of(plane: ControlPlane, cluster: str) -> ClusterRow:
    return (await plane.services.membership.cluster(cluster)).cluster


async def told(plane: ControlPlane, journey: Journey, holds: Callable[[], Awaitable[bool]]) -> None:
    """Wait for the report after which this holds."""
    bell = plane.services.told
    async with asyncio.timeout(60):
        while True:
            heard = bell.heard(journey.name)
            if await holds():
                return
            await bell.wait(journey.name, after=heard, seconds=60)


async def finish(plane: ControlPlane, journey: Journey) -> None:
    """End every rotation, whoever is left behind, once the listeners have moved."""

    async def ended() -> bool:
        with suppress(ServerMoves):
            await plane.services.rotations.finish(force=True)
        return not await plane.services.rotations.in_progress()

    await told(plane, journey, ended)


async def follows(plane: ControlPlane, journey: Journey, facts: Facts) -> None:
    """The agent goes by the newest bundle, tells so, and takes what is published from now on."""
    version = await plane.services.trust.version()

    async def acknowledged() -> bool:
        agent = (await row_of(plane, journey.name)).agent
        return agent is not None and agent["trustVersion"] == version

    await told(plane, journey, acknowledged)
    await journey.publish(str(uuid.uuid4()), paused=True)
    documents = len(await plane.services.publishing.instances(journey.name))
    await facts.wait(lambda fact: isinstance(fact, IndexAccepted) and fact.documents == documents)


@pytest.mark.timeout(180)
async def test_two_rotations_of_everything_fail_no_call_and_a_sleeper_comes_back(
    plane: ControlPlane, any_cluster: TestCluster, tmp_path: Path
) -> None:
    """gravitational/teleport#9815: a rotation locked out every agent, and a restart did not help."""
    pin = {"root_fingerprint": plane.root_fingerprint}
    async with journeys(plane, any_cluster, tmp_path, "awake", "asleep") as (awake, asleep):
        async with asleep.agent(uplink=pin) as facts:
            await settled(facts)
        async with awake.agent(uplink=pin) as facts:
            await settled(facts)
            for _ in range(2):
                for kind in KINDS:
                    await plane.services.rotations.begin(kind)
                with pytest.raises(Clash, match=asleep.name):
                    await plane.services.rotations.finish(force=False)
                await caught_up(plane, awake)
                await finish(plane, awake)
                await follows(plane, awake, facts)
            assert failures(facts) == []
            assert len([fact for fact in facts.stated if isinstance(fact, CertificateRenewed)]) == 2
            assert [fact for fact in facts.stated if isinstance(fact, ReportDelivered)]
        async with asleep.agent(uplink=pin) as facts:
            await follows(plane, asleep, facts)
            assert [fact for fact in facts.stated if isinstance(fact, TrustFollowed)]
            assert [fact for fact in facts.stated if isinstance(fact, CertificateRenewed)]


async def caught_up(plane: ControlPlane, journey: Journey) -> None:
    """No rotation waits for this one any more."""

    async def none_waits() -> bool:
        return all(journey.name not in one.behind for one in await plane.services.rotations.in_progress())

    await told(plane, journey, none_waits)


@pytest.mark.timeout(120)
async def test_an_authority_goes_without_force_once_everybody_came_with_a_certificate_of_the_new_one(
    plane: ControlPlane, any_cluster: TestCluster, tmp_path: Path
) -> None:
    """argoproj-labs/argocd-agent#1057: certificates were read once, so agents failed until somebody restarted them."""
    old = plane.ca_file.read_text()
    async with journeys(plane, any_cluster, tmp_path, "alone") as (alone,), alone.agent() as facts:
        await settled(facts)
        await plane.services.rotations.begin(Kind.AUTHORITY)

        async def ended() -> bool:
            with suppress(Clash):
                await plane.services.rotations.finish(force=False)
            return not await plane.services.rotations.in_progress()

        await told(plane, alone, ended)
        await follows(plane, alone, facts)
        assert failures(facts) == []
    assert old not in plane.ca_file.read_text()
    async with at_the_gate(plane) as gate:
        assert (await gate.get("/v1/trust")).status == 200
