"""Instances through the admin API: applied, refused, deleted, rolled back, unlisted; every change a revision."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from control_plane.server import ControlPlane
from tests.control_plane.documents import FINANCE, SALES, a_document, a_report, a_status, new_id
from tests.control_plane.member import Caller, Reply, administering, an_agent
from tests.support.clock import StillClock

EAST = "/clusters/east/instances"
ONE = f"{EAST}/{SALES}"


@pytest.fixture
async def admin(plane: ControlPlane) -> AsyncIterator[Caller]:
    await plane.create_token("east")
    await plane.create_token("west")
    async with administering(plane) as caller:
        yield caller


async def apply(admin: Caller, raw: bytes | None = None, path: str = ONE, *, if_match: str = "") -> Reply:
    headers = {"If-Match": if_match} if if_match else {}
    return await admin.ask("PUT", path, data=a_document() if raw is None else raw, headers=headers)


async def revisions(admin: Caller) -> list[tuple[int, str, int | None]]:
    found = (await admin.get(f"{ONE}/history")).json["revisions"]
    return [(one["revision"], one["action"], one.get("restored")) for one in found]


async def present(admin: Caller) -> dict[str, Any]:
    document: dict[str, Any] = (await admin.get(ONE)).json["document"]
    return document


async def test_applying_makes_revisions(admin: Caller) -> None:
    first, second = await apply(admin), await apply(admin, a_document(team="b"))
    assert [(reply.status, reply.json["instance"]["revision"], reply.headers["ETag"]) for reply in (first, second)] == [
        (200, 1, '"1"'),
        (200, 2, '"2"'),
    ]
    assert await revisions(admin) == [(2, "applied", None), (1, "applied", None)]
    assert await present(admin) == json.loads(a_document(team="b"))


async def test_applying_the_same_again_changes_nothing_however_it_is_written(admin: Caller) -> None:
    await apply(admin)
    again = await apply(admin, json.dumps(json.loads(a_document()), indent=4).encode())
    assert (again.json["changed"], again.json["instance"]["revision"]) == (False, 1)
    assert await revisions(admin) == [(1, "applied", None)]


async def test_a_field_that_we_do_not_know_is_kept_and_named(admin: Caller) -> None:
    reply = await apply(admin, a_document(futureKnob=7))
    assert reply.json["unknownFields"] == ["spec.futureKnob"]
    assert (await present(admin))["spec"]["futureKnob"] == 7


@pytest.mark.parametrize(
    ("change", "status", "path"),
    [
        ({"airflow": {"version": "1.10.15"}}, 422, "spec.airflow.version"),
        ({"namespace": "kube-system"}, 400, "spec.namespace"),
        ({"namespace": "Not A Label"}, 400, "spec.namespace"),
        ({"paused": "yes"}, 400, "spec.paused"),
        ({"airflow": None}, 400, "spec.airflow"),
    ],
)
async def test_a_document_that_is_not_valid_is_refused_with_its_field(
    admin: Caller, change: dict[str, Any], status: int, path: str
) -> None:
    refused = await apply(admin, a_document(**change))
    assert refused.status == status, refused.body
    assert refused.json["error"]["message"].startswith(path)
    assert (await admin.get(ONE)).status == 404, "nothing was kept"


@pytest.mark.parametrize("body", [b"", b"null", b"[]", b"{", b'{"a":1,"a":2}', b'{"apiVersion":"perigee.dev/v2"}'])
async def test_what_is_no_document_is_refused(admin: Caller, body: bytes) -> None:
    assert (await apply(admin, body)).status in {400, 422}


async def test_a_document_of_endless_size_is_refused(admin: Caller) -> None:
    refused = await apply(admin, b" " * 300_000)
    assert (refused.status, refused.code) == (413, "TooLarge")


async def test_a_document_of_another_instance_is_refused(admin: Caller) -> None:
    refused = await apply(admin, a_document(FINANCE))
    assert refused.status == 422
    assert "metadata.id" in refused.json["error"]["message"]


async def test_an_unknown_cluster_is_not_made_by_a_typing_mistake(admin: Caller) -> None:
    refused = await apply(admin, path=f"/clusters/esat/instances/{SALES}")
    assert (refused.status, refused.code) == (404, "NotFound")


async def test_an_id_stays_in_its_cluster(admin: Caller) -> None:
    await apply(admin)
    elsewhere = f"/clusters/west/instances/{SALES}"
    refused = await apply(admin, path=elsewhere)
    assert (refused.status, refused.code) == (409, "InstanceElsewhere")
    for method, path in (("GET", elsewhere), ("DELETE", elsewhere), ("GET", f"{elsewhere}/status")):
        assert (await admin.ask(method, path)).status == 404


async def test_a_name_and_a_namespace_belong_to_one_living_instance(admin: Caller) -> None:
    await apply(admin)
    other = f"{EAST}/{FINANCE}"
    same_name = await apply(admin, a_document(FINANCE, namespace="elsewhere"), other)
    same_namespace = await apply(admin, a_document(FINANCE, name="finance", namespace="airflow-sales"), other)
    assert (same_name.code, same_namespace.code) == ("NameTaken", "NamespaceTaken")
    await admin.ask("DELETE", ONE)
    assert (await apply(admin, a_document(FINANCE), other)).status == 200


async def test_if_match_protects_from_overwriting_what_one_has_not_seen(admin: Caller) -> None:
    assert (await apply(admin, if_match='"0"')).status == 200
    stale = await apply(admin, a_document(team="b"), if_match='"0"')
    assert (stale.status, stale.code) == (412, "RevisionMismatch")
    assert (await apply(admin, a_document(team="b"), if_match='"1"')).status == 200
    for path in (f"{ONE}/rollback", f"{ONE}/unlist"):
        assert (await admin.post(path, json={"revision": 1}, headers={"If-Match": '"1"'})).status == 412
    assert (await admin.ask("DELETE", ONE, headers={"If-Match": '"1"'})).status == 412
    assert (await apply(admin, if_match="*")).status == 400


async def test_of_many_who_apply_at_once_on_one_revision_one_succeeds(plane: ControlPlane, admin: Caller) -> None:
    await apply(admin)
    replies = await asyncio.gather(
        *(apply(admin, a_document(team=f"t{number}"), if_match='"1"') for number in range(10))
    )
    assert sorted(reply.status for reply in replies) == [200] + [412] * 9
    assert len(await plane.services.publishing.history("east", SALES)) == 2


async def test_deleting_writes_a_tombstone_that_retains_everything(admin: Caller) -> None:
    await apply(admin, a_document(team="b", environment="prod"))
    reply = await admin.ask("DELETE", ONE)
    assert (reply.status, reply.json["instance"]["state"], reply.json["instance"]["listed"]) == (200, "deleted", True)
    assert (await present(admin))["spec"] == {"state": "deleted", "namespace": "airflow-sales"}
    again = await admin.ask("DELETE", ONE)
    assert (again.json["changed"], again.json["instance"]["revision"]) == (False, 2)


@pytest.mark.parametrize(
    ("query", "retain"),
    [("retain=none", []), ("retain=keys&retain=database", ["database", "keys"]), ("retain=logs", ["logs"])],
)
async def test_what_is_retained_is_said_explicitly(admin: Caller, query: str, retain: list[str]) -> None:
    await apply(admin)
    assert (await admin.ask("DELETE", f"{ONE}?{query}")).status == 200
    assert (await present(admin))["spec"]["retain"] == retain


@pytest.mark.parametrize("query", ["retain=none&retain=logs", "retain=everything", "keep=logs"])
async def test_a_deletion_that_is_not_understood_deletes_nothing(admin: Caller, query: str) -> None:
    await apply(admin)
    assert (await admin.ask("DELETE", f"{ONE}?{query}")).status == 400
    assert await revisions(admin) == [(1, "applied", None)]


async def test_rolling_back_is_a_new_revision_also_out_of_a_tombstone(admin: Caller) -> None:
    await apply(admin)
    await apply(admin, a_document(team="b"))
    assert (await admin.post(f"{ONE}/rollback", json={"revision": 1})).json["instance"]["revision"] == 3
    await admin.ask("DELETE", ONE)
    back = await admin.post(f"{ONE}/rollback", json={"revision": 2})
    assert (back.json["instance"]["revision"], back.json["instance"]["state"]) == (5, "running")
    assert await revisions(admin) == [
        (5, "rolled-back", 2),
        (4, "deleted", None),
        (3, "rolled-back", 1),
        (2, "applied", None),
        (1, "applied", None),
    ]
    assert await present(admin) == json.loads(a_document(team="b"))


@pytest.mark.parametrize("wish", [{"revision": 9}, {"revision": 0}, {"revision": "1"}, {}, {"to": 1}])
async def test_rolling_back_to_what_is_not_there_is_refused(admin: Caller, wish: dict[str, Any]) -> None:
    await apply(admin)
    assert (await admin.post(f"{ONE}/rollback", json=wish)).status in {400, 404}
    assert await revisions(admin) == [(1, "applied", None)]


async def test_unlisting_is_not_deleting(admin: Caller) -> None:
    await apply(admin)
    first, second = await admin.post(f"{ONE}/unlist"), await admin.post(f"{ONE}/unlist")
    assert [reply.json["changed"] for reply in (first, second)] == [True, False]
    (row,) = (await admin.get("/instances?cluster=east")).json["instances"]
    assert (row["listed"], row["state"], row["revision"]) == (False, "running", 1)
    back = await apply(admin)
    assert (back.json["changed"], back.json["instance"]["listed"]) == (True, True)


async def test_instances_are_listed_by_cluster_or_all(admin: Caller) -> None:
    await apply(admin)
    other = new_id()
    await apply(admin, a_document(other, name="ops"), f"/clusters/west/instances/{other}")
    assert [row["name"] for row in (await admin.get("/instances")).json["instances"]] == ["sales", "ops"]
    assert [row["name"] for row in (await admin.get("/instances?cluster=west")).json["instances"]] == ["ops"]
    assert (await admin.get("/instances?cluster=nowhere")).status == 404
    assert (await admin.get("/instances?cluster=NO")).status == 400
    assert (await admin.get("/instances?what=east")).status == 400


async def test_status_is_what_the_agent_told_last(plane: ControlPlane, admin: Caller, clock: StillClock) -> None:
    await apply(admin)
    silent = (await admin.get(f"{ONE}/status")).json
    assert (silent["applied"], silent.get("status"), silent["history"]) == (False, None, [])
    async with an_agent(plane) as agent:
        await agent.report(a_report(clock.now(), a_status(clock.now())))
    told = (await admin.get(f"{ONE}/status")).json
    assert told["applied"] is True
    assert told["status"]["conditions"][0]["type"] == "Ready"
    assert len(told["history"]) == 1
    await apply(admin, a_document(team="b"))
    assert (await admin.get(f"{ONE}/status")).json["applied"] is False
    cluster = (await admin.get("/clusters/east")).json
    assert cluster["cluster"]["agent"]["version"] == "0.1.0"
    assert len(cluster["certificates"]) == 1
