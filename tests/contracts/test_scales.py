"""Who owns replicas that are set through a Scale, and under which preconditions they are set."""

from __future__ import annotations

import pytest

from tests.support.kube import Json, Kube, Response
from tests.support.objects import APPLY_PATCH, MERGE_PATCH, Objects, accepted, deployment, entry, managers, owned

WEB = deployment(paused=True)
REPLICAS = {"spec replicas"}


def scale(replicas: int | None, **metadata: str) -> Json:
    head = {"kind": "Scale", "apiVersion": "autoscaling/v1", "metadata": {"name": "web"} | metadata}
    return head if replicas is None else head | {"spec": {"replicas": replicas}}


@pytest.fixture
async def web(kube: Kube, objects: Objects) -> Objects:
    """The objects of a namespace with a Deployment whose replicas nobody owns, seen by its controller."""
    await objects.create(WEB, "carl")
    await kube.until(objects.path(WEB), lambda stored: stored["status"].get("observedGeneration") == 1)
    return objects


async def applied(objects: Objects, document: Json, manager: str, *, force: bool = False) -> Response:
    params = {"fieldManager": manager} | ({"force": "true"} if force else {})
    path = objects.path(WEB, "scale")
    return await objects.kube.request("PATCH", path, document, content_type=APPLY_PATCH, params=params)


async def test_an_entry_of_the_scale_has_no_time(web: Objects) -> None:
    """It gets lost between the Scale and the object, for applies, replacements and patches alike."""
    accepted(await applied(web, scale(2), "ann", force=True))
    await web.kube.request("PUT", web.path(WEB, "scale"), scale(3), params={"fieldManager": "bob"})
    await web.patch(WEB, {"spec": {"replicas": 4}}, "carla", subresource="scale")
    stored = await web.get(WEB)
    assert stored["spec"]["replicas"] == 4
    assert entry(stored, "carla", "Update", "scale") == {
        "manager": "carla",
        "operation": "Update",
        "apiVersion": "apps/v1",
        "fieldsType": "FieldsV1",
        "fieldsV1": {"f:spec": {"f:replicas": {}}},
        "subresource": "scale",
    }
    assert {name for name, _ in managers(stored)} == {"carl", "carla", "kube-controller-manager"}


async def test_the_same_again_writes_nothing(web: Objects) -> None:
    accepted(await applied(web, scale(2), "ann", force=True))
    stored = await web.get(WEB)
    accepted(await applied(web, scale(2), "ann"))
    assert entry(await web.get(WEB), "ann", "Apply", "scale") == entry(stored, "ann", "Apply", "scale")
    assert (await web.get(WEB))["metadata"]["generation"] == stored["metadata"]["generation"]


async def test_two_may_own_the_same_replicas(web: Objects) -> None:
    accepted(await applied(web, scale(2), "ann", force=True))
    accepted(await applied(web, scale(2), "bob"))
    await web.apply(deployment(paused=True, replicas=2), "main", force=True)
    stored = await web.get(WEB)
    for manager in ("ann", "bob"):
        assert owned(stored, manager, "Apply", "scale") == REPLICAS
    assert owned(stored, "main") >= REPLICAS


async def test_who_gives_up_the_scale_leaves_it_to_the_other_owners(web: Objects) -> None:
    accepted(await applied(web, scale(2), "ann", force=True))
    accepted(await applied(web, scale(2), "bob"))
    assert accepted(await applied(web, scale(None), "bob"))["spec"] == {"replicas": 2}
    stored = await web.get(WEB)
    assert entry(stored, "bob", "Apply", "scale") is None
    assert owned(stored, "ann", "Apply", "scale") == REPLICAS


async def test_when_the_last_owner_gives_up_the_scale_nothing_is_left_running(web: Objects) -> None:
    """Through the object itself it would be one replica, its default."""
    accepted(await applied(web, scale(2), "ann", force=True))
    assert accepted(await applied(web, scale(None), "ann"))["spec"] == {}
    stored = await web.get(WEB)
    assert stored["spec"]["replicas"] == 0
    assert entry(stored, "ann", "Apply", "scale") is None


async def test_the_object_and_its_scale_are_two_doors_of_one_manager(web: Objects) -> None:
    """Giving up one of them keeps the other."""
    accepted(await applied(web, scale(2), "ann", force=True))
    head = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}}
    await web.apply(head | {"spec": {"replicas": 2}}, "ann")
    await web.apply(head, "ann")
    stored = await web.get(WEB)
    assert (stored["spec"]["replicas"], owned(stored, "ann", "Apply", "scale")) == (2, REPLICAS)
    assert entry(stored, "ann") is None


async def test_each_door_names_the_other_owners_in_its_own_version(web: Objects) -> None:
    await web.patch(WEB, {"spec": {"replicas": 3}}, "bob", subresource="scale")
    refused = await applied(web, scale(5), "ann")
    assert refused.status == 409
    assert refused.body["message"] == (
        'Apply failed with 1 conflict: conflict with "bob" with subresource "scale" using autoscaling/v1: '
        ".spec.replicas"
    )
    refused = await web.try_apply(deployment(paused=True, replicas=5), "ann")
    assert 'conflict with "bob" with subresource "scale" using apps/v1' in {
        cause["message"] for cause in refused.body["details"]["causes"]
    }


@pytest.mark.parametrize(("method", "form"), [("PUT", "application/json"), ("PATCH", APPLY_PATCH)])
@pytest.mark.parametrize("field", ["resourceVersion", "uid"])
async def test_preconditions_that_hold(web: Objects, method: str, form: str, field: str) -> None:
    stored = await web.get(WEB)
    sent, path = scale(2, **{field: stored["metadata"][field]}), web.path(WEB, "scale")
    params = {"fieldManager": "ann"} | ({"force": "true"} if form == APPLY_PATCH else {})
    answer = await web.kube.request(method, path, sent, content_type=form, params=params)
    assert (answer.status, answer.body["spec"]) == (200, {"replicas": 2})


OBJECT = {"name": "web", "group": "apps", "kind": "deployments"}
DOOR = {"name": "web", "group": "apps", "kind": "deployments/scale"}


@pytest.mark.parametrize(
    ("method", "form", "field", "details"),
    [
        ("PUT", "application/json", "resourceVersion", OBJECT),
        ("PATCH", MERGE_PATCH, "resourceVersion", OBJECT),
        ("PATCH", APPLY_PATCH, "resourceVersion", OBJECT),
        ("PUT", "application/json", "uid", OBJECT),
        ("PATCH", MERGE_PATCH, "uid", DOOR),
        ("PATCH", APPLY_PATCH, "uid", DOOR),
    ],
)
async def test_preconditions_that_do_not_hold(web: Objects, method: str, form: str, field: str, details: Json) -> None:
    sent, path = scale(2, **{field: "1"}), web.path(WEB, "scale")
    params = {"fieldManager": "ann"} | ({"force": "true"} if form == APPLY_PATCH else {})
    answer = await web.kube.request(method, path, sent, content_type=form, params=params)
    assert (answer.status, answer.body["reason"], answer.body["details"]) == (409, "Conflict", details)
    assert (await web.get(WEB))["spec"].get("replicas", 0) == 0
