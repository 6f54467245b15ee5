"""What agents poll: signed, woken at once, tagged, fresh, and nobody else's."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from agent.model.desired import Index, Standing
from agent.wire.codec import parse_document
from agent.wire.documents import DocumentsRequestV1, decode_answer
from agent.wire.index import IndexVerifier
from agent.wire.strict import digest
from agent.wire.trust import verify_first
from control_plane.bell import Bell
from control_plane.faults import Clash
from control_plane.server import ControlPlane
from control_plane.services import desired
from control_plane.settings import Settings
from tests.control_plane.documents import FINANCE, SALES, a_document, new_id
from tests.control_plane.member import Caller, Reply, an_agent, calling, enrolled
from tests.support.clock import StillClock

LONG = 30
AT_ONCE = 5.0
"""Far below the wait that the polls ask for, far above what waking takes on a busy machine."""


@pytest.fixture
async def agent(plane: ControlPlane) -> AsyncIterator[Caller]:
    async with an_agent(plane) as caller:
        yield caller


async def verified(plane: ControlPlane, reply: Reply, cluster: str = "east", newest: Standing | None = None) -> Index:
    assert reply.status == 200, reply.body
    bundle = verify_first(await plane.services.trust.envelope(), root_fingerprint=plane.root_fingerprint)
    now = plane.services.clock.now()
    return IndexVerifier(bundle, cluster).index(reply.body, now=now, newest=newest)


class WaitingBell:
    """Tells when somebody has begun to wait, so that no test has to guess."""

    def __init__(self, bell: Bell, monkeypatch: pytest.MonkeyPatch) -> None:
        self.begun = asyncio.Event()
        self._wait = bell.wait
        monkeypatch.setattr(bell, "wait", self.wait)

    async def wait(self, key: str, *, after: int, seconds: float) -> bool:
        self.begun.set()
        return await self._wait(key, after=after, seconds=seconds)


async def test_a_cluster_without_instances_has_a_signed_empty_index(plane: ControlPlane, agent: Caller) -> None:
    index = await verified(plane, await agent.poll())
    assert (index.entries, index.standing) == ((), Standing(1, 1))


async def test_the_date_is_in_every_answer(agent: Caller) -> None:
    assert "Date" in (await agent.poll()).headers


async def test_what_is_published_is_listed_and_served_byte_for_byte(plane: ControlPlane, agent: Caller) -> None:
    assert await plane.publish("east", a_document()) == 1
    index = await verified(plane, await agent.poll())
    (entry,) = index.entries
    raw = (await agent.get(f"/v1/documents/{entry.digest}")).body
    assert parse_document(entry, raw).instance.name == "sales"


async def test_many_documents_come_in_one_answer(plane: ControlPlane, agent: Caller) -> None:
    ids = [new_id() for _ in range(5)]
    for number, instance_id in enumerate(ids):
        await plane.publish("east", a_document(instance_id, name=f"team-{number}"))
    index = await verified(plane, await agent.poll())
    wanted = DocumentsRequestV1(digests=(*(entry.digest for entry in index.entries), "0" * 64))
    found = decode_answer((await agent.post("/v1/documents", data=wanted.to_bytes())).body)
    assert {digest(raw) for raw in found.values()} == {entry.digest for entry in index.entries}
    assert set(found) == {entry.digest for entry in index.entries}


async def test_another_clusters_documents_do_not_exist(plane: ControlPlane, agent: Caller) -> None:
    await plane.create_token("west")
    await plane.publish("west", a_document())
    theirs = digest(a_document())
    assert (await agent.get(f"/v1/documents/{theirs}")).status == 404
    request = DocumentsRequestV1(digests=(theirs,))
    assert decode_answer((await agent.post("/v1/documents", data=request.to_bytes())).body) == {}


@pytest.mark.parametrize("body", [b"", b"{}", b'{"digests":[]}', b'{"digests":["xyz"]}', b'{"digests":"x"}'])
async def test_a_request_for_nothing_is_refused(agent: Caller, body: bytes) -> None:
    refused = await agent.post("/v1/documents", data=body)
    assert (refused.status, refused.code) == (400, "Malformed")


async def test_a_known_index_is_not_sent_again(plane: ControlPlane, agent: Caller) -> None:
    await plane.publish("east", a_document())
    first = await agent.poll()
    again = await agent.poll(first.headers["ETag"])
    assert (again.status, again.body, again.headers["ETag"]) == (304, b"", first.headers["ETag"])
    await plane.publish("east", a_document(team="b"))
    assert (await agent.poll(first.headers["ETag"])).status == 200


async def test_a_poll_is_woken_by_what_is_published(
    plane: ControlPlane, agent: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    tag = (await agent.poll()).headers["ETag"]
    bell = WaitingBell(plane.services.news, monkeypatch)
    async with asyncio.timeout(AT_ONCE), asyncio.TaskGroup() as group:
        poll = group.create_task(agent.poll(tag, wait=LONG))
        await bell.begun.wait()
        await plane.publish("east", a_document())
    assert [entry.id for entry in (await verified(plane, poll.result())).entries] == [SALES]


async def test_nobody_is_woken_by_what_concerns_others(plane: ControlPlane, agent: Caller) -> None:
    await plane.create_token("west")
    tag, heard = (await agent.poll()).headers["ETag"], plane.services.news.heard("east")
    await plane.publish("west", a_document())
    assert plane.services.news.heard("east") == heard
    assert (await agent.poll(tag)).status == 304


async def test_a_poll_that_waits_is_answered_when_the_cluster_is_revoked(
    plane: ControlPlane, agent: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    tag = (await agent.poll()).headers["ETag"]
    bell = WaitingBell(plane.services.news, monkeypatch)
    async with asyncio.timeout(AT_ONCE), asyncio.TaskGroup() as group:
        poll = group.create_task(agent.poll(tag, wait=LONG))
        await bell.begun.wait()
        await plane.revoke("east")
    assert (poll.result().status, poll.result().code) == (403, "CertificateRevoked")


async def test_a_stop_lets_waiting_polls_go(
    settings: Settings, clock: StillClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def poll_once(url: str, context: ssl.SSLContext) -> Reply:
        async with calling(url, context) as agent:
            tag = (await agent.poll()).headers["ETag"]
            return await agent.poll(tag, wait=LONG)

    async with (
        asyncio.timeout(AT_ONCE * 2),
        asyncio.TaskGroup() as group,
        ControlPlane.serve(settings, clock=clock) as plane,
    ):
        bell = WaitingBell(plane.services.news, monkeypatch)
        poll = group.create_task(poll_once(plane.agents_url, await enrolled(plane)))
        await bell.begun.wait()
    assert poll.result().status == 304


async def test_too_many_polls_at_once_are_turned_away(
    plane: ControlPlane, agent: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plane.services.news, "listening", lambda _cluster: plane.services.settings.limits.polls)
    refused = await agent.poll()
    assert (refused.status, refused.code) == (429, "Throttled")


@pytest.mark.parametrize("wait", ["x", "-1", "1.5", ""])
async def test_a_wait_that_is_no_number_is_refused(agent: Caller, wait: str) -> None:
    refused = await agent.get("/v1/desired", params={"wait": wait})
    assert (refused.status, refused.code) == (400, "Malformed")


async def test_versions_only_grow_whatever_happens(plane: ControlPlane, agent: Caller) -> None:
    newest = (await verified(plane, await agent.poll())).standing
    for step in (
        plane.publish("east", a_document()),
        plane.publish("east", a_document(team="b")),
        plane.withdraw("east", SALES),
        plane.publish("east", a_document(team="b")),
        plane.delete("east", SALES),
    ):
        await step
        index = await verified(plane, await agent.poll(), newest=newest)
        assert index.standing > newest
        newest = index.standing


async def test_an_index_past_half_of_its_life_is_signed_anew_and_says_the_same(
    plane: ControlPlane, agent: Caller, clock: StillClock
) -> None:
    await plane.publish("east", a_document())
    first = await agent.poll()
    clock.pass_by(timedelta(days=3).total_seconds())
    assert (await agent.poll(first.headers["ETag"])).status == 304, "more than half is left"
    clock.pass_by(timedelta(days=1).total_seconds())
    second = await agent.poll(first.headers["ETag"])
    old, new = [await verified(plane, reply) for reply in (first, second)]
    assert (new.standing, new.entries) == (old.standing, old.entries)
    assert new.expires_at == clock.now() + timedelta(days=7)
    assert (await agent.poll(second.headers["ETag"])).status == 304


async def test_a_new_epoch_supersedes_what_agents_hold(plane: ControlPlane, agent: Caller) -> None:
    await plane.publish("east", a_document())
    first = await agent.poll()
    assert await plane.services.trust.new_epoch() == 2
    index = await verified(plane, await agent.poll(first.headers["ETag"]))
    assert index.standing == Standing(2, 2)
    assert [entry.id for entry in index.entries] == [SALES]


async def test_what_is_published_at_once_takes_a_version_each_and_none_is_lost(
    plane: ControlPlane, agent: Caller
) -> None:
    ids = [new_id() for _ in range(10)]
    await asyncio.gather(
        *(plane.publish("east", a_document(one, name=f"team-{number}")) for number, one in enumerate(ids))
    )
    index = await verified(plane, await agent.poll())
    assert {entry.id for entry in index.entries} == set(ids)
    assert index.standing == Standing(1, 10)


async def test_an_index_that_would_grow_too_large_stays_as_it_is(
    plane: ControlPlane, agent: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    await plane.publish("east", a_document())
    before = await agent.poll()
    monkeypatch.setattr(desired, "MAX_INSTANCES", 1)
    with pytest.raises(Clash, match="would grow beyond what an agent takes"):
        await plane.publish("east", a_document(FINANCE, name="finance"))
    assert (await agent.poll(before.headers["ETag"])).status == 304
    assert [row.id for row in await plane.services.publishing.instances("east")] == [SALES], "nothing was kept"


async def test_unlisting_takes_the_line_away_and_keeps_the_document(plane: ControlPlane, agent: Caller) -> None:
    await plane.publish("east", a_document())
    await plane.publish("east", a_document(FINANCE, name="finance"))
    await plane.withdraw("east", SALES)
    assert [entry.id for entry in (await verified(plane, await agent.poll())).entries] == [FINANCE]
    assert (await agent.get(f"/v1/documents/{digest(a_document())}")).status == 200
    await plane.publish("east", a_document())
    assert len((await verified(plane, await agent.poll())).entries) == 2
