"""Leases: taken, renewed and lost under preconditions, and watched by name."""

from __future__ import annotations

from contextlib import aclosing
from typing import Any

import pytest

from tests.support.kube import Json, Kube
from tests.support.objects import MERGE_PATCH, Objects, but

TIME = "2026-01-02T03:04:05.600000Z"
LEASE: Json = {
    "apiVersion": "coordination.k8s.io/v1",
    "kind": "Lease",
    "metadata": {"name": "leader"},
    "spec": {
        "holderIdentity": "ann",
        "leaseDurationSeconds": 10,
        "acquireTime": TIME,
        "renewTime": TIME,
        "leaseTransitions": 0,
    },
}


async def test_a_lease_is_kept_as_it_was_sent(objects: Objects) -> None:
    created = await objects.create(LEASE, "ann")
    assert created["spec"] == LEASE["spec"]
    assert "generation" not in created["metadata"]


async def test_a_second_lease_of_the_name_is_refused(kube: Kube, objects: Objects) -> None:
    await objects.create(LEASE, "ann")
    answer = await kube.request("POST", objects.collection(LEASE), LEASE)
    assert (answer.status, answer.body["reason"]) == (409, "AlreadyExists")


async def test_of_two_who_renew_at_one_version_one_wins(kube: Kube, objects: Objects) -> None:
    created = await objects.create(LEASE, "ann")
    renewed = but(created, "spec", "renewTime", value="2026-01-02T03:04:07.600000Z")
    taken = but(created, "spec", "holderIdentity", value="bob")
    assert (await kube.request("PUT", objects.path(LEASE), renewed)).status == 200
    lost = await kube.request("PUT", objects.path(LEASE), taken)
    assert (lost.status, lost.body["reason"]) == (409, "Conflict")
    assert lost.body["details"] == {"name": "leader", "group": "coordination.k8s.io", "kind": "leases"}
    assert (await objects.get(LEASE))["spec"]["holderIdentity"] == "ann"


@pytest.mark.parametrize(("field", "status", "reason"), [("resourceVersion", 409, "Conflict"), ("uid", 422, "Invalid")])
async def test_a_patch_may_carry_a_precondition(
    kube: Kube, objects: Objects, field: str, status: int, reason: str
) -> None:
    created = await objects.create(LEASE, "ann")
    patch = {"metadata": {field: "1"}, "spec": {"holderIdentity": ""}}
    answer = await kube.request("PATCH", objects.path(LEASE), patch, content_type=MERGE_PATCH)
    assert (answer.status, answer.body["reason"]) == (status, reason)
    patch["metadata"][field] = created["metadata"][field]
    assert (await kube.request("PATCH", objects.path(LEASE), patch, content_type=MERGE_PATCH)).status == 200


async def test_a_lease_that_is_gone_comes_back_unless_its_uid_is_named(kube: Kube, objects: Objects) -> None:
    """A version alone does not keep a PUT from creating."""
    created = await objects.create(LEASE, "ann")
    await kube.request("DELETE", objects.path(LEASE))
    refused = await kube.request("PUT", objects.path(LEASE), created)
    assert (refused.status, refused.body["reason"]) == (409, "Conflict")
    assert refused.body["message"].endswith(
        f"Precondition failed: UID in precondition: {created['metadata']['uid']}, UID in object meta: "
    )
    versioned = but(LEASE, "metadata", "resourceVersion", value=created["metadata"]["resourceVersion"])
    answer = await kube.request("PUT", objects.path(LEASE), versioned)
    assert answer.status == 201
    assert answer.body["metadata"]["uid"] != created["metadata"]["uid"]


async def test_a_lease_is_given_up(objects: Objects) -> None:
    created = await objects.create(LEASE, "ann")
    given_up = but(but(created, "spec", "holderIdentity", value=""), "spec", "leaseDurationSeconds", value=1)
    stored = await objects.put(given_up, "ann")
    assert (stored["spec"]["holderIdentity"], stored["spec"]["leaseDurationSeconds"]) == ("", 1)


async def test_one_lease_is_watched_by_its_name(kube: Kube, objects: Objects) -> None:
    created = await objects.create(LEASE, "ann")
    params = {"fieldSelector": "metadata.name=leader", "resourceVersion": created["metadata"]["resourceVersion"]}
    async with aclosing(kube.watch(objects.collection(LEASE), params)) as events:
        await objects.create(but(LEASE, "metadata", "name", value="other"), "ann")
        await objects.put(but(created, "spec", "holderIdentity", value="bob"), "bob")
        changed = await anext(events)
        await kube.request("DELETE", objects.path(LEASE))
        gone = await anext(events)
    assert (changed["type"], changed["object"]["spec"]["holderIdentity"]) == ("MODIFIED", "bob")
    assert (gone["type"], gone["object"]["metadata"]["name"]) == ("DELETED", "leader")


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("leaseDurationSeconds", 0, "Invalid value: 0: must be greater than 0"),
        ("leaseTransitions", -1, "Invalid value: -1: must be greater than or equal to 0"),
    ],
)
async def test_numbers_that_make_no_sense(objects: Objects, field: str, value: int, message: str) -> None:
    await objects.create(LEASE, "ann")
    answer = await objects.try_patch(LEASE, {"spec": {field: value}}, "ann")
    assert (answer.status, answer.body["reason"]) == (422, "Invalid")
    assert answer.body["details"]["causes"] == [
        {"reason": "FieldValueInvalid", "message": message, "field": f"spec.{field}"}
    ]


@pytest.mark.parametrize("value", ["now", "2026-01-02T03:04:05Z", 7])
async def test_times_need_their_microseconds(kube: Kube, objects: Objects, value: Any) -> None:
    lease = but(LEASE, "spec", "renewTime", value=value)
    answer = await kube.request("POST", objects.collection(LEASE), lease)
    assert (answer.status, answer.body["reason"]) == (400, "BadRequest")
    await objects.create(LEASE, "ann")
    answer = await objects.try_patch(LEASE, {"spec": {"renewTime": value}}, "ann")
    assert (answer.status, answer.body["reason"]) == (422, "Invalid")


async def test_times_are_kept_in_utc(objects: Objects) -> None:
    created = await objects.create(but(LEASE, "spec", "renewTime", value="2026-01-02T03:04:05.600000+01:00"), "ann")
    assert created["spec"]["renewTime"] == "2026-01-02T02:04:05.600000Z"
