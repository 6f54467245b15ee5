"""Deletion: preconditions, finalizers, and what becomes of dependents."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.kube import Json, Kube
from tests.support.objects import Objects, but, config_map, deployment

HOLD = "contracts.test.invalid/hold"


def held(name: str, *finalizers: str) -> Json:
    return but(config_map(name), "metadata", "finalizers", value=list(finalizers or (HOLD,)))


def child(name: str, *owners: Json, **reference: Any) -> Json:
    """A ConfigMap that names its owners."""
    references = [
        {"apiVersion": "v1", "kind": "ConfigMap", "name": owner["metadata"]["name"], "uid": owner["metadata"]["uid"]}
        | reference
        for owner in owners
    ]
    return but(config_map(name), "metadata", "ownerReferences", value=references)


def is_leaving(stored: Json) -> bool:
    return "deletionTimestamp" in stored["metadata"]


async def test_a_deleted_object_is_gone_and_named(kube: Kube, objects: Objects) -> None:
    created = await objects.create(config_map(), "ann")
    answer = await kube.request("DELETE", objects.path(config_map()))
    assert (answer.status, answer.body["status"]) == (200, "Success")
    assert answer.body["details"] == {
        "name": "settings",
        "kind": "configmaps",
        "uid": created["metadata"]["uid"],
    }
    assert (await kube.request("GET", objects.path(config_map()))).status == 404
    assert (await kube.request("DELETE", objects.path(config_map()))).status == 404


async def test_some_kinds_answer_with_what_was_deleted(kube: Kube, objects: Objects) -> None:
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "ann"}}
    await objects.create(account, "ann")
    answer = await kube.request("DELETE", objects.path(account))
    assert (answer.status, answer.body["kind"], answer.body["metadata"]["name"]) == (200, "ServiceAccount", "ann")


@pytest.mark.parametrize(
    ("name", "field", "message"),
    [
        ("uid", "UID", "The object might have been deleted and then recreated"),
        ("resourceVersion", "ResourceVersion", "The object might have been modified"),
    ],
)
async def test_a_precondition_that_does_not_hold(
    kube: Kube, objects: Objects, name: str, field: str, message: str
) -> None:
    created = await objects.create(config_map(), "ann")
    answer = await kube.request("DELETE", objects.path(config_map()), {"preconditions": {name: "1"}})
    assert (answer.status, answer.body["reason"]) == (409, "Conflict")
    assert answer.body["message"] == (
        f'Operation cannot be fulfilled on ConfigMap "settings": the {field} in the precondition (1) does not match '
        f"the {field} in record ({created['metadata'][name]}). {message}"
    )
    assert answer.body["details"] == {"name": "settings", "kind": "ConfigMap"}


@pytest.mark.parametrize(("wrong", "field"), [("uid", "UID"), ("resourceVersion", "ResourceVersion")])
@pytest.mark.parametrize("dry", [{}, {"dryRun": ["All"]}])
async def test_both_preconditions_must_hold(kube: Kube, objects: Objects, wrong: str, field: str, dry: Json) -> None:
    metadata = (await objects.create(config_map(), "ann"))["metadata"]
    conditions = {name: metadata[name] for name in ("uid", "resourceVersion")} | {wrong: "1"}
    answer = await kube.request("DELETE", objects.path(config_map()), {"preconditions": conditions} | dry)
    assert (answer.status, answer.body["reason"]) == (409, "Conflict")
    assert f"the {field} in the precondition (1)" in answer.body["message"]
    assert (await objects.get(config_map()))["metadata"] == metadata


async def test_a_deletion_that_waits_still_looks_at_its_preconditions(kube: Kube, objects: Objects) -> None:
    """The mark of the first deletion is a change, too."""
    metadata = (await objects.create(held("settings"), "ann"))["metadata"]
    conditions = {name: metadata[name] for name in ("uid", "resourceVersion")}
    path = objects.path(config_map())
    assert (await kube.request("DELETE", path, {"preconditions": conditions})).status == 200
    answer = await kube.request("DELETE", path, {"preconditions": conditions})
    assert (answer.status, answer.body["reason"]) == (409, "Conflict")


async def test_preconditions_that_hold(kube: Kube, objects: Objects) -> None:
    metadata = (await objects.create(config_map(), "ann"))["metadata"]
    conditions = {"uid": metadata["uid"], "resourceVersion": metadata["resourceVersion"]}
    assert (await kube.request("DELETE", objects.path(config_map()), {"preconditions": conditions})).status == 200


async def test_a_policy_that_does_not_exist(kube: Kube, objects: Objects) -> None:
    await objects.create(config_map(), "ann")
    answer = await kube.request("DELETE", objects.path(config_map()), {"propagationPolicy": "Nope"})
    assert (answer.status, answer.body["details"]["kind"]) == (422, "DeleteOptions")
    assert [each["message"] for each in answer.body["details"]["causes"]] == [
        'Unsupported value: "Nope": supported values: "Foreground", "Background", "Orphan", "nil"'
    ]


async def test_a_finalizer_holds_an_object(kube: Kube, objects: Objects) -> None:
    path = objects.path(config_map())
    created = await objects.create(held("settings"), "ann")
    answer = await kube.request("DELETE", path)
    assert (answer.status, answer.body["kind"], is_leaving(answer.body)) == (200, "ConfigMap", True)
    assert answer.body["metadata"]["deletionGracePeriodSeconds"] == 0
    assert answer.body["metadata"]["uid"] == created["metadata"]["uid"]
    again = await kube.request("DELETE", path)
    assert again.body == answer.body
    labelled = await objects.patch(config_map(), {"metadata": {"labels": {"a": "b"}}}, "ann")
    assert is_leaving(labelled)
    await objects.patch(config_map(), {"metadata": {"finalizers": None}}, "ann")
    assert (await kube.request("GET", path)).status == 404


async def test_a_leaving_object_takes_no_new_finalizer(kube: Kube, objects: Objects) -> None:
    await objects.create(held("settings"), "ann")
    await kube.request("DELETE", objects.path(config_map()))
    patch = {"metadata": {"finalizers": [HOLD, "contracts.test.invalid/more"]}}
    answer = await objects.try_patch(config_map(), patch, "ann")
    assert (answer.status, answer.body["reason"]) == (422, "Invalid")
    assert answer.body["details"]["causes"][0] == {
        "reason": "FieldValueForbidden",
        "field": "metadata.finalizers",
        "message": "Forbidden: no new finalizers can be added if the object is being deleted, found new finalizers "
        '[]string{"contracts.test.invalid/more"}',
    }


async def test_deletion_is_a_generation(kube: Kube, objects: Objects) -> None:
    await objects.create(but(deployment(), "metadata", "finalizers", value=[HOLD]), "ann")
    answer = await kube.request("DELETE", objects.path(deployment()))
    assert answer.body["metadata"]["generation"] == 2
    await objects.patch(deployment(), {"metadata": {"finalizers": None}}, "ann")


async def test_dependents_follow_their_owner(kube: Kube, objects: Objects) -> None:
    owner = await objects.create(config_map("owner"), "ann")
    dependent = await objects.create(child("dependent", owner), "ann")
    await objects.create(child("grandchild", dependent), "ann")
    await kube.request("DELETE", objects.path(owner), {"propagationPolicy": "Background"})
    await kube.until_gone(objects.path(config_map("dependent")))
    await kube.until_gone(objects.path(config_map("grandchild")))


async def test_an_object_whose_owner_never_was_is_collected(kube: Kube, objects: Objects) -> None:
    owner = {"metadata": {"name": "owner", "uid": "11111111-1111-1111-1111-111111111111"}}
    await objects.create(child("orphan", owner), "ann")
    await kube.until_gone(objects.path(config_map("orphan")))


async def test_an_object_keeps_living_for_its_other_owner(kube: Kube, objects: Objects) -> None:
    one, other = [await objects.create(config_map(name), "ann") for name in ("one", "other")]
    await objects.create(child("shared", one, other), "ann")
    await kube.request("DELETE", objects.path(one))
    left = await kube.until(
        objects.path(config_map("shared")), lambda stored: len(stored["metadata"]["ownerReferences"]) == 1
    )
    assert left["metadata"]["ownerReferences"][0]["name"] == "other"


async def test_dependents_are_orphaned(kube: Kube, objects: Objects) -> None:
    owner = await objects.create(config_map("owner"), "ann")
    await objects.create(child("dependent", owner), "ann")
    answer = await kube.request("DELETE", objects.path(owner), {"propagationPolicy": "Orphan"})
    assert answer.body["metadata"]["finalizers"] == ["orphan"]
    await kube.until_gone(objects.path(owner))
    assert "ownerReferences" not in (await objects.get(config_map("dependent")))["metadata"]


async def test_an_owner_waits_for_dependents_that_block_it(kube: Kube, objects: Objects) -> None:
    owner = await objects.create(config_map("owner"), "ann")
    await objects.create(child("blocking", owner, blockOwnerDeletion=True) | {}, "ann")
    await objects.patch(config_map("blocking"), {"metadata": {"finalizers": [HOLD]}}, "ann")
    answer = await kube.request("DELETE", objects.path(owner), params={"propagationPolicy": "Foreground"})
    assert (answer.status, answer.body["metadata"]["finalizers"]) == (200, ["foregroundDeletion"])
    await kube.until(objects.path(config_map("blocking")), is_leaving)
    assert is_leaving(await objects.get(owner))
    again = await kube.request("DELETE", objects.path(owner))
    assert again.body["metadata"]["finalizers"] == ["foregroundDeletion"]
    await objects.patch(config_map("blocking"), {"metadata": {"finalizers": None}}, "ann")
    await kube.until_gone(objects.path(owner))


async def test_an_owner_does_not_wait_for_the_others(kube: Kube, objects: Objects) -> None:
    owner = await objects.create(config_map("owner"), "ann")
    await objects.create(child("slow", owner) | {}, "ann")
    await objects.patch(config_map("slow"), {"metadata": {"finalizers": [HOLD]}}, "ann")
    await kube.request("DELETE", objects.path(owner), {"propagationPolicy": "Foreground"})
    await kube.until_gone(objects.path(owner))
    assert is_leaving(await kube.until(objects.path(config_map("slow")), is_leaving))
    await objects.patch(config_map("slow"), {"metadata": {"finalizers": None}}, "ann")


async def test_an_owner_of_a_kind_that_is_not_served_counts_as_unknown(kube: Kube, objects: Objects) -> None:
    owner = await objects.create(config_map("owner"), "ann")
    unknown = {"apiVersion": "nobody.test.invalid/v1", "kind": "Nothing", "name": "n", "uid": "n"}
    document = child("half", owner)
    document["metadata"]["ownerReferences"].append(unknown)
    await objects.create(document, "ann")
    await kube.request("DELETE", objects.path(owner))
    await kube.until_gone(objects.path(owner))
    assert (await kube.request("GET", objects.path(config_map("half")))).status == 200
