"""The uplink against the reference control plane: the two were written apart and must mean the same."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
import yaml

from agent.loops.pace import SystemClock
from agent.model.desired import Entry, Index, Standing
from agent.model.errors import NotAuthorised
from agent.model.status import AgentStatus, InstanceStatus
from agent.settings import ClusterSettings, UplinkSettings
from agent.uplink.client import HttpUplink
from agent.uplink.enrol import enrol
from agent.uplink.identity import Identity
from agent.uplink.trust import first_bundle
from agent.wire.codec import parse_document
from agent.wire.index import IndexVerifier
from control_plane.server import ControlPlane
from control_plane.settings import Ports, Settings
from tests.support.told import a_report_of

NORTH = ClusterSettings(name="north")
HELLO = yaml.safe_load((Path(__file__).parents[3] / "config" / "examples" / "hello.yaml").read_text())
CLOCK = SystemClock()


@pytest.fixture
async def plane(tmp_path: Path) -> AsyncIterator[ControlPlane]:
    async with ControlPlane.serve(Settings(directory=tmp_path / "plane", ports=Ports.free())) as serving:
        yield serving


def settings(plane: ControlPlane, token: Path, **more: object) -> UplinkSettings:
    urls = {"agents_url": plane.agents_url, "enrol_url": plane.enrol_url, "token_file": token}
    return UplinkSettings.model_validate(urls | {"root_fingerprint": plane.root_fingerprint} | more)


async def enrolled(plane: ControlPlane, folder: Path, **more: object) -> tuple[UplinkSettings, Identity, bytes]:
    token = folder / "token"
    token.write_text(await plane.create_token("north"))
    uplink = settings(plane, token, **more)
    identity, trust = await enrol(uplink, NORTH, clock=CLOCK, version="1.2.3")
    return uplink, identity, trust


async def polled(client: HttpUplink, trust: bytes, etag: str = "", wait: float = 0) -> tuple[Index, str]:
    answer = await client.poll(etag=etag, wait_seconds=wait)
    assert answer is not None
    verifier = IndexVerifier(first_bundle(trust, root_fingerprint=None), "north")
    return verifier.index(answer.envelope, now=CLOCK.now(), newest=None), answer.etag


def an_instance(number: int) -> bytes:
    metadata = HELLO["metadata"] | {"id": f"00000000-0000-4000-8000-{number:012}", "name": f"hello-{number}"}
    spec = HELLO["spec"] | {"namespace": f"hello-{number}"}
    return json.dumps(HELLO | {"metadata": metadata, "spec": spec}).encode()


@pytest.mark.parametrize("by", ["pinned root", "CA file", "both"])
async def test_every_way_to_trust_leads_to_an_identity(plane: ControlPlane, tmp_path: Path, by: str) -> None:
    more: dict[str, object] = {}
    if by == "CA file":
        more = {"root_fingerprint": None}
    if by != "pinned root":
        more |= {"ca_file": plane.ca_file}
    uplink, identity, trust = await enrolled(plane, tmp_path, **more)
    assert identity.not_before < CLOCK.now() < identity.not_after
    async with HttpUplink(uplink, identity, clock=CLOCK) as client:
        index, _ = await polled(client, trust)
        assert index.entries == ()
        assert client.skew_seconds is not None
        assert abs(client.skew_seconds) < 5


async def test_a_token_serves_once(plane: ControlPlane, tmp_path: Path) -> None:
    uplink, _, _ = await enrolled(plane, tmp_path)
    with pytest.raises(NotAuthorised, match="TokenSpent") as raised:
        await enrol(uplink, NORTH, clock=CLOCK, version="1.2.3")
    assert raised.value.hint == "create a new one with `perigee control-plane token create --cluster north`"
    assert uplink.token_file.read_text() not in raised.value.explain()


async def test_an_unknown_token_is_not_taken(plane: ControlPlane, tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text(await plane.create_token("north", ttl=timedelta(minutes=1)) + "x")
    with pytest.raises(NotAuthorised, match="Token"):
        await enrol(settings(plane, token), NORTH, clock=CLOCK, version="1.2.3")


async def test_news_ends_the_wait_and_documents_are_what_the_index_says(plane: ControlPlane, tmp_path: Path) -> None:
    uplink, identity, trust = await enrolled(plane, tmp_path)
    async with HttpUplink(uplink, identity, clock=CLOCK) as client:
        _, etag = await polled(client, trust)
        assert await client.poll(etag=etag, wait_seconds=1) is None
        async with asyncio.TaskGroup() as group:
            waiting = group.create_task(polled(client, trust, etag, 50))
            await plane.publish("north", an_instance(1))
        index, etag = waiting.result()
        assert len(index.entries) == 1
        found = await client.documents(index.entries)
        assert parse_document(index.entries[0], found[index.entries[0].digest]).instance.name == "hello-1"
        for number in range(2, 6):
            await plane.publish("north", an_instance(number))
        index, _ = await polled(client, trust, etag)
        absent = Entry("x", 1, "0" * 64, 10)
        found = await client.documents([*index.entries, absent])
        names = {parse_document(entry, found[entry.digest]).instance.name for entry in index.entries}
        assert names == {f"hello-{number}" for number in range(1, 6)}
        assert absent.digest not in found
        assert await client.documents([absent]) == {}


async def test_a_report_sent_twice_counts_once(plane: ControlPlane, tmp_path: Path) -> None:
    uplink, identity, _ = await enrolled(plane, tmp_path)
    agent = AgentStatus("1.2.3", "north", Standing(1, 1), (), {}, CLOCK.now())
    await plane.publish("north", an_instance(1))
    known = json.loads(an_instance(1))["metadata"]["id"]

    def body(revision: int) -> bytes:
        status = InstanceStatus(known, "hello", "ns", revision, "running", (), (), (), CLOCK.now())
        return a_report_of(agent, [status])

    async with HttpUplink(uplink, identity, clock=CLOCK) as client:
        await client.report(stream="life", sequence=1, body=body(1))
        await client.report(stream="life", sequence=1, body=body(2))
        assert (await plane.statuses("north"))[known].revision == 1
        await client.report(stream="life", sequence=2, body=body(3))
        assert (await plane.statuses("north"))[known].revision == 3


async def test_a_revoked_cluster_is_shut_out(plane: ControlPlane, tmp_path: Path) -> None:
    uplink, identity, _ = await enrolled(plane, tmp_path)
    await plane.revoke("north")
    async with HttpUplink(uplink, identity, clock=CLOCK) as client:
        with pytest.raises(NotAuthorised):
            await client.poll(etag="", wait_seconds=0)
