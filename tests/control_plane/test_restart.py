"""A control plane that comes back knows what it knew, and what it signed stays what it was."""

from __future__ import annotations

import ssl
from dataclasses import replace
from pathlib import Path

import pytest

from agent.wire.index import IndexVerifier
from agent.wire.trust import verify_first
from control_plane.server import ControlPlane
from control_plane.settings import Settings
from control_plane.statefiles import DirectoryTaken
from tests.control_plane.documents import SALES, a_document, a_report, a_status
from tests.control_plane.member import Caller, Keys, Reply, administering, at_the_gate, calling, enrolled
from tests.support.clock import StillClock


async def with_agent(plane: ControlPlane, context: ssl.SSLContext, tag: str = "") -> Reply:
    async with calling(plane.agents_url, context) as agent:
        return await agent.poll(tag)


async def test_everything_is_as_it_was(settings: Settings, clock: StillClock) -> None:
    async with ControlPlane.serve(settings, clock=clock) as plane:
        context = await enrolled(plane)
        unused = await plane.create_token("west")
        await plane.publish("east", a_document())
        await plane.publish("east", a_document(team="b"))
        async with calling(plane.agents_url, context) as agent:
            await agent.report(a_report(clock.now(), a_status(clock.now())), sequence=5)
        index, fingerprint, token = await with_agent(plane, context), plane.root_fingerprint, await plane.admin_token()
    async with ControlPlane.serve(settings, clock=clock) as plane:
        assert plane.root_fingerprint == fingerprint
        again = await with_agent(plane, context)
        assert (again.body, again.headers["ETag"]) == (index.body, index.headers["ETag"])
        assert (await with_agent(plane, context, index.headers["ETag"])).status == 304
        assert [row.revision for row in await plane.services.publishing.history("east", SALES)] == [2, 1]
        assert set(await plane.statuses("east")) == {SALES}
        async with calling(plane.agents_url, context) as agent:
            repeated = await agent.report(a_report(clock.now(), a_status(clock.now())), sequence=5)
        assert repeated.json == {"duplicate": True}
        async with at_the_gate(plane) as gate:
            assert (await gate.post("/v1/enroll", data=Keys().request(unused).to_bytes())).status == 200
        async with administering(plane, token) as admin:
            assert (await admin.get("/whoami")).json == {"name": "admin", "role": "admin"}


async def test_a_revoked_cluster_stays_out(settings: Settings, clock: StillClock) -> None:
    async with ControlPlane.serve(settings, clock=clock) as plane:
        context = await enrolled(plane)
        await plane.revoke("east")
    async with ControlPlane.serve(settings, clock=clock) as plane:
        assert (await with_agent(plane, context)).status == 403


async def test_a_restored_backup_goes_on_in_a_new_epoch(settings: Settings, clock: StillClock) -> None:
    """Versions begin again where the backup was taken; the epoch lifts them above what agents hold."""
    database = settings.directory / "perigee.db"
    async with ControlPlane.serve(settings, clock=clock) as plane:
        context = await enrolled(plane)
    backup = database.read_bytes()
    async with ControlPlane.serve(settings, clock=clock) as plane:
        for team in ("a", "b", "c"):
            await plane.publish("east", a_document(team=team))
        lost = await with_agent(plane, context)
    for file in settings.directory.glob("perigee.db-*"):
        file.unlink()
    database.write_bytes(backup)
    async with ControlPlane.serve(settings, clock=clock) as plane:
        await plane.services.trust.new_epoch()
        await plane.publish("east", a_document(team="d"))
        after = await with_agent(plane, context)
    assert standing(lost) < standing(after)
    assert standing(after)[0] == 2


async def test_another_index_key_is_announced_and_used_at_once(settings: Settings, clock: StillClock) -> None:
    async with ControlPlane.serve(settings, clock=clock) as plane:
        context = await enrolled(plane)
        await plane.publish("east", a_document())
        before = await with_agent(plane, context)
    (settings.directory / "roles" / "index.key").unlink()
    async with ControlPlane.serve(settings, clock=clock) as plane:
        after = await with_agent(plane, context, before.headers["ETag"])
        bundle = verify_first(await plane.services.trust.envelope(), root_fingerprint=plane.root_fingerprint)
    assert bundle.version == 2
    index = IndexVerifier(bundle, "east").index(after.body, now=clock.now(), newest=None)
    assert [entry.id for entry in index.entries] == [SALES]
    assert standing(after) == standing(before), "it says the same"


def mode_of(file: Path) -> int:
    return file.stat().st_mode & 0o777


def standing(reply: Reply) -> tuple[int, int]:
    epoch, version, _ = reply.headers["ETag"].strip('"').split(".")
    return int(epoch), int(version)


async def test_a_directory_is_served_once(settings: Settings, clock: StillClock) -> None:
    async with ControlPlane.serve(settings, clock=clock):
        with pytest.raises(DirectoryTaken):
            await ControlPlane.serve(settings, clock=clock).__aenter__()


async def test_the_first_admins_token_is_written_once_and_privately(settings: Settings, clock: StillClock) -> None:
    async with ControlPlane.serve(settings, clock=clock) as plane:
        token = await plane.admin_token()
    assert mode_of(settings.directory / "admin-token") == 0o600
    (settings.directory / "admin-token").unlink()
    async with ControlPlane.serve(settings, clock=clock) as plane:
        async with administering(plane, token) as admin:
            assert [user["name"] for user in (await admin.get("/users")).json["users"]] == ["admin"]
        with pytest.raises(FileNotFoundError):
            await plane.admin_token()


async def test_other_host_names_need_no_other_trust(settings: Settings, clock: StillClock) -> None:
    async with ControlPlane.serve(settings, clock=clock) as plane:
        context = await enrolled(plane)
    renamed = replace(settings, hostnames=("localhost", "127.0.0.1"))
    async with ControlPlane.serve(renamed, clock=clock) as plane:
        assert plane.agents_url.startswith("https://localhost:")
        assert (await with_agent(plane, context)).status == 200


async def test_without_the_root_key_everything_goes_on_but_a_new_epoch(settings: Settings, clock: StillClock) -> None:
    async with ControlPlane.serve(settings, clock=clock) as plane:
        context = await enrolled(plane)
    (settings.directory / "roles" / "root.key").unlink()
    async with ControlPlane.serve(settings, clock=clock) as plane:
        await plane.publish("east", a_document())
        assert (await with_agent(plane, context)).status == 200
        async with administering(plane) as admin:
            refused: Reply = await new_epoch(admin)
        assert (refused.status, refused.code) == (409, "RootOffline")


async def new_epoch(admin: Caller) -> Reply:
    return await admin.post("/trust/epoch")
