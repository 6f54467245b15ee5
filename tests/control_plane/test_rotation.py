"""Keys are replaced while the control plane serves, by its admin API or on its directory; nobody is forgotten."""

from __future__ import annotations

import asyncio
import ssl
from datetime import timedelta
from pathlib import Path

import pytest

from agent.wire.index import IndexVerifier
from agent.wire.reports import AgentReportV1, ReportV1, StandingV1
from agent.wire.trust import TrustBundle, verify_next, verify_own
from control_plane.clock import SystemClock
from control_plane.commands.access import Ask
from control_plane.commands.directory import by_directory
from control_plane.faults import Clash, Fault
from control_plane.ring import Kind, Ring
from control_plane.roles import RootOffline
from control_plane.server import ControlPlane
from control_plane.settings import Settings
from tests.control_plane.documents import a_document
from tests.control_plane.member import Keys, administering, an_agent, calling, chain_of
from tests.support.clock import StillClock

ROTATE = Ask("POST", "/trust/rotations", body={"kind": "index"})
FINISH = Ask("POST", "/trust/rotations/finish", body={"force": False})


def acknowledging(version: int) -> bytes:
    agent = AgentReportV1(
        version="1", cluster="east", standing=StandingV1(epoch=1, version=1), trust_version=version,
        observed_at=SystemClock().now(),
    )  # fmt: skip
    return ReportV1(agent=agent).to_bytes()


async def bundles(plane: ControlPlane) -> list[TrustBundle]:
    """The whole chain, each verified by the one before."""
    trust = plane.services.trust
    chain = [verify_own(await trust.envelope(1))]
    for version in range(2, await trust.version() + 1):
        chain.append(verify_next(chain[-1], await trust.envelope(version)))
    return chain


@pytest.mark.parametrize("kind", list(Kind))
async def test_a_rotation_makes_two_bundles_that_can_be_walked(plane: ControlPlane, kind: Kind) -> None:
    await plane.services.rotations.begin(kind)
    while await plane.services.rotations.in_progress():
        try:
            await plane.services.rotations.finish(force=False)
        except Clash as clash:
            assert clash.code == "ServerMoves"  # noqa: PT017 - any other one fails the test
    first, both, last = await bundles(plane)
    for named in (lambda one: one.ca, lambda one: tuple(one.index.keys), lambda one: tuple(one.root.keys)):
        old, between, new = (set(named(one)) for one in (first, both, last))
        assert between == old | new
    assert (first.ca != last.ca, first.index != last.index, first.root != last.root) == (
        kind is Kind.AUTHORITY, kind is Kind.INDEX, kind is Kind.ROOT,
    )  # fmt: skip


async def test_meanwhile_an_index_is_good_for_who_knows_and_for_who_does_not(
    plane: ControlPlane, clock: StillClock
) -> None:
    async with an_agent(plane) as agent:
        await plane.publish("east", a_document())
        await plane.services.rotations.begin(Kind.INDEX)
        reply = await agent.poll()
        for bundle in await bundles(plane):
            index = IndexVerifier(bundle, "east").index(reply.body, now=clock.now(), newest=None)
            assert index.trust == 2


async def test_a_waiting_poll_hears_of_a_new_bundle(plane: ControlPlane) -> None:
    async with an_agent(plane) as agent:
        tag = (await agent.poll()).headers["ETag"]
        async with asyncio.TaskGroup() as group:
            waiting = group.create_task(agent.poll(tag, wait=50))
            await plane.services.rotations.begin(Kind.ROOT)
        assert waiting.result().status == 200


async def test_a_rotation_does_not_end_before_everybody_acknowledged_and_force_names_who_is_left(
    plane: ControlPlane,
) -> None:
    async with an_agent(plane) as agent:
        version = await plane.services.rotations.begin(Kind.INDEX)
        for told in (version - 1, version):
            with pytest.raises(Clash, match="east") as refused:
                await plane.services.rotations.finish(force=False)
            assert refused.value.code == "NotAcknowledged"
            await agent.report(acknowledging(told), sequence=told)
        assert (await plane.services.rotations.finish(force=False)).left_behind == ()
        await plane.services.rotations.begin(Kind.INDEX)
        assert (await plane.services.rotations.finish(force=True)).left_behind == ("east",)


async def test_nobody_waits_for_an_agent_that_was_not_seen_for_a_month(plane: ControlPlane, clock: StillClock) -> None:
    async with an_agent(plane):
        await plane.services.rotations.begin(Kind.INDEX)
        clock.at += timedelta(days=31)
        assert (await plane.services.rotations.finish(force=False)).left_behind == ()


async def test_an_authority_waits_for_certificates_of_the_new_one_too(plane: ControlPlane) -> None:
    async with an_agent(plane) as agent:
        version = await plane.services.rotations.begin(Kind.AUTHORITY)
        await agent.report(acknowledging(version))
        [rotation] = await plane.services.rotations.in_progress()
        assert rotation.behind == ("east",)


async def test_a_rotation_is_begun_once_and_nothing_is_finished_that_was_not_begun(plane: ControlPlane) -> None:
    with pytest.raises(Clash, match="no rotation"):
        await plane.services.rotations.finish(force=True)
    await plane.services.rotations.begin(Kind.ROOT)
    with pytest.raises(Clash, match="since trust bundle 2"):
        await plane.services.rotations.begin(Kind.ROOT)


async def test_what_is_done_on_the_directory_is_taken_up_by_the_server_that_runs(
    plane: ControlPlane, settings: Settings, clock: StillClock
) -> None:
    async with an_agent(plane) as agent:
        tag = (await agent.poll()).headers["ETag"]
        async with by_directory(settings.directory) as access:
            assert (await access.ask(ROTATE))["version"] == 2
        reply = await agent.poll(tag, wait=50)
        await agent.report(acknowledging(2))
        async with by_directory(settings.directory) as access:
            assert (await access.ask(FINISH))["finished"] == ["index"]
        reply = await agent.poll(reply.headers["ETag"], wait=50)
        newest = (await bundles(plane))[-1]
        assert IndexVerifier(newest, "east").index(reply.body, now=clock.now(), newest=None).trust == 3


@pytest.mark.usefixtures("plane")
async def test_the_root_key_may_lie_elsewhere(settings: Settings, tmp_path: Path) -> None:
    held = settings.directory / "roles" / "root.key"
    away = held.rename(tmp_path / "root.key")
    async with by_directory(settings.directory) as access:
        with pytest.raises(RootOffline) as refused:
            await access.ask(ROTATE)
    assert "--root-key" in refused.value.hint
    async with by_directory(settings.directory, root_key=away) as access:
        assert (await access.ask(ROTATE))["version"] == 2
    (tmp_path / "other.key").write_text("nonsense")
    with pytest.raises(Fault, match=r"other\.key"):
        async with by_directory(settings.directory, root_key=tmp_path / "other.key"):
            pass


async def test_the_admin_api_tells_what_goes_on(plane: ControlPlane) -> None:
    async with administering(plane) as admin:
        assert (await admin.post("/trust/rotations", data=b'{"kind": "nothing"}')).status == 400
        begun = await admin.post("/trust/rotations", data=b'{"kind": "root"}')
        assert (begun.status, begun.json) == (201, {"version": 2})
        told = (await admin.get("/trust")).json
        assert told["rotations"] == [{"kind": "root", "version": 2, "behind": []}]
        done = await admin.post("/trust/rotations/finish", data=b"{}")
        assert done.json == {"finished": ["root"], "leftBehind": []}


async def test_a_restarted_server_goes_on_in_the_middle_of_a_rotation(settings: Settings, clock: StillClock) -> None:
    async with ControlPlane.serve(settings, clock=clock) as plane:
        context = await context_of(plane)
        for kind in Kind:
            await plane.services.rotations.begin(kind)
    async with ControlPlane.serve(settings, clock=clock) as plane:
        assert {one.kind for one in await plane.services.rotations.in_progress()} == set(Kind)
        assert await plane.services.trust.version() == 4
        async with calling(plane.agents_url, context) as agent:
            assert (await agent.poll()).status == 200


async def test_a_leap_over_bundles_that_a_backup_does_not_know_leads_past_every_agent(plane: ControlPlane) -> None:
    async with an_agent(plane) as agent:
        await agent.report(acknowledging(5))
        assert await plane.services.trust.new_epoch() == 2
        assert await plane.services.trust.version() == 6
        await agent.report(acknowledging(2**40), sequence=2)
        await plane.services.trust.new_epoch()
        assert await plane.services.trust.version() == 7, "no report makes us sign without end"


async def context_of(plane: ControlPlane) -> ssl.SSLContext:
    keys = Keys()
    return keys.context(plane.ca_file, await chain_of(plane, keys))


def test_a_ring_is_written_and_read_back() -> None:
    ring = Ring().begin(Kind.AUTHORITY, version=2).begin(Kind.INDEX, version=3)
    assert Ring.from_bytes(ring.to_bytes()) == ring
    assert (ring.authority, ring.serving, ring.moved) == (("root", "root-2"), "root", False)
    done = ring.move().finish()
    assert (done.authority, done.index, done.serving, done.begun) == (("root-2",), ("index-2",), "root-2", {})
    assert done.begin(Kind.INDEX, version=9).index == ("index-2", "index-3")
