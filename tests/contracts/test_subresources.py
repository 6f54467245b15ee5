"""The doors to a part of an object: status, scale, finalize."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.kube import Json, Kube
from tests.support.objects import MERGE_PATCH, Objects, but, deployment, entry, owned

QUIET = deployment(paused=True)


def scale(replicas: int, **metadata: str) -> Json:
    spec = {"replicas": replicas}
    return {"kind": "Scale", "apiVersion": "autoscaling/v1", "metadata": {"name": "web"} | metadata, "spec": spec}


@pytest.fixture
async def web(kube: Kube, objects: Objects) -> Objects:
    """The objects of a namespace with a Deployment that its controller has seen."""
    await objects.create(QUIET, "ann")
    await kube.until(objects.path(QUIET), lambda stored: stored["status"].get("observedGeneration") == 1)
    return objects


async def test_the_object_itself_does_not_change_its_status(web: Objects) -> None:
    stored = await web.patch(QUIET, {"status": {"collisionCount": 9}, "metadata": {"labels": {"l": "1"}}}, "ann")
    assert stored["metadata"]["labels"] == {"l": "1"}
    assert "collisionCount" not in stored["status"]


async def test_a_status_is_not_created(objects: Objects) -> None:
    budget = {"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": {"name": "b"}}
    spec = {"minAvailable": 1, "selector": {"matchLabels": {"there": "none"}}}
    created = await objects.create(budget | {"spec": spec, "status": {"expectedPods": 9}}, "ann")
    assert created["status"]["expectedPods"] == 0


@pytest.mark.parametrize(
    ("path", "kept"),
    [
        ("deployments", {"l": "old"}),
        ("ingresses", {"l": "new"}),
    ],
)
async def test_the_status_door_lets_through_the_status(objects: Objects, path: str, kept: Json) -> None:
    backend = {"service": {"name": "web", "port": {"number": 80}}}
    ingress = {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": {"name": "web"},
        "spec": {"defaultBackend": backend},
    }
    document = {"deployments": QUIET, "ingresses": ingress}[path]
    await objects.create(but(document, "metadata", "labels", value={"l": "old"}), "ann")
    patch = {
        "metadata": {"labels": {"l": "new"}, "annotations": {"a": "1"}},
        "spec": {"replicas": 7, "ingressClassName": "other"},
        "status": {"collisionCount": 3, "loadBalancer": {"ingress": [{"ip": "192.0.2.7"}]}},
    }
    stored = await objects.patch(document, patch, "ann", subresource="status")
    assert stored["metadata"]["labels"] == kept
    assert stored["metadata"]["annotations"]["a"] == "1"
    assert stored["spec"].get("replicas") in {None, 0}
    assert "ingressClassName" not in stored["spec"]
    assert 3 in stored["status"].values() or stored["status"]["loadBalancer"]["ingress"][0]["ip"] == "192.0.2.7"
    assert stored["metadata"]["generation"] == 1


async def test_what_the_status_door_wrote_is_owned_through_it(web: Objects) -> None:
    stored = await web.apply(
        {k: v for k, v in QUIET.items() if k != "spec"} | {"status": {"collisionCount": 3}}, "ann", subresource="status"
    )
    assert stored["status"]["collisionCount"] == 3
    assert owned(stored, "ann", subresource="status") == {"status collisionCount"}


async def test_a_scale_shows_replicas(kube: Kube, web: Objects) -> None:
    await web.patch(QUIET, {"spec": {"replicas": 2}}, "ann")
    answer = await kube.request("GET", web.path(QUIET, "scale"))
    stored = await web.get(QUIET)
    assert (answer.body["kind"], answer.body["apiVersion"]) == ("Scale", "autoscaling/v1")
    assert answer.body["spec"] == {"replicas": 2}
    assert answer.body["status"]["selector"] == "app=web"
    assert answer.body["metadata"]["uid"] == stored["metadata"]["uid"]


async def test_a_scale_of_nothing_says_nothing(kube: Kube, web: Objects) -> None:
    assert (await kube.request("GET", web.path(QUIET, "scale"))).body["spec"] == {}


async def test_replicas_are_put(kube: Kube, web: Objects) -> None:
    answer = await kube.request("PUT", web.path(QUIET, "scale"), scale(2), params={"fieldManager": "scaler"})
    assert (answer.status, answer.body["spec"]) == (200, {"replicas": 2})
    stored = await web.get(QUIET)
    assert (stored["spec"]["replicas"], stored["metadata"]["generation"]) == (2, 2)
    assert owned(stored, "scaler", "Update", "scale") == {"spec replicas"}


async def test_replicas_are_patched(web: Objects) -> None:
    patch = {"spec": {"replicas": 3}}
    assert (await web.patch(QUIET, patch, "ann", form=MERGE_PATCH, subresource="scale"))["spec"] == {"replicas": 3}
    assert (await web.get(QUIET))["spec"]["replicas"] == 3


async def test_an_applied_scale_meets_other_owners(kube: Kube, web: Objects) -> None:
    await web.patch(QUIET, {"spec": {"replicas": 2}}, "bob")
    form, params = "application/apply-patch+yaml", {"fieldManager": "scaler"}
    answer = await kube.request("PATCH", web.path(QUIET, "scale"), scale(1), content_type=form, params=params)
    assert (answer.status, answer.body["reason"]) == (409, "Conflict")
    assert [each["field"] for each in answer.body["details"]["causes"]] == [".spec.replicas"]


async def test_an_applied_scale_owns_replicas(kube: Kube, web: Objects) -> None:
    params = {"fieldManager": "scaler", "force": "true"}
    form = "application/apply-patch+yaml"
    path = web.path(QUIET, "scale")
    answer = await kube.request("PATCH", path, scale(1), content_type=form, params=params)
    assert (answer.status, answer.body["spec"]) == (200, {"replicas": 1})
    stored = await web.get(QUIET)
    assert owned(stored, "scaler", subresource="scale") == {"spec replicas"}
    found = entry(stored, "scaler", subresource="scale")
    assert found is not None
    assert found["apiVersion"] == "apps/v1"


async def test_a_scale_of_an_old_version_is_refused(kube: Kube, web: Objects) -> None:
    answer = await kube.request("PUT", web.path(QUIET, "scale"), scale(2, resourceVersion="1"))
    assert (answer.status, answer.body["reason"]) == (409, "Conflict")


@pytest.mark.parametrize("door", ["", "scale"])
async def test_there_are_no_fewer_than_no_replicas(web: Objects, door: str) -> None:
    answer = await web.try_patch(QUIET, {"spec": {"replicas": -1}}, "ann", subresource=door)
    assert (answer.status, answer.body["details"]["kind"]) == (422, "Scale" if door else "Deployment")
    assert answer.body["details"]["causes"] == [
        {
            "reason": "FieldValueInvalid",
            "message": "Invalid value: -1: must be greater than or equal to 0",
            "field": "spec.replicas",
        }
    ]


@pytest.mark.parametrize("door", ["status", "scale"])
@pytest.mark.parametrize(("method", "form"), [("GET", ""), ("PUT", "json"), ("PATCH", "apply-patch+yaml")])
async def test_doors_of_nothing(kube: Kube, objects: Objects, door: str, method: str, form: str) -> None:
    body: Any = {"scale": scale(1), "status": QUIET}[door] if form else None
    path, params = objects.path(QUIET, door), {"fieldManager": "ann"}
    answer = await kube.request(method, path, body, content_type=f"application/{form}", params=params)
    assert (answer.status, answer.body["message"]) == (404, 'deployments.apps "web" not found')


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/apis/apps/v1/namespaces/%s/deployments/web"),
        ("POST", "/apis/apps/v1/namespaces/%s/deployments/web/status"),
        ("DELETE", "/apis/apps/v1/namespaces/%s/deployments/web/status"),
        ("PATCH", "/apis/apps/v1/namespaces/%s/deployments"),
        ("GET", "/api/v1/namespaces/%s/finalize"),
        ("PUT", "/api/v1/namespaces/%s/pods/web/log"),
    ],
)
async def test_methods_that_a_path_does_not_know(kube: Kube, objects: Objects, method: str, path: str) -> None:
    answer = await kube.request(method, path.replace("%s", objects.namespace), {})
    assert (answer.status, answer.body["reason"]) == (405, "MethodNotAllowed")
    assert answer.body["message"] == "the server does not allow this method on the requested resource"


async def test_a_part_that_a_kind_does_not_have(kube: Kube, objects: Objects) -> None:
    answer = await kube.request("GET", f"/api/v1/namespaces/{objects.namespace}/configmaps/a/status")
    assert (answer.status, answer.body["message"]) == (404, "the server could not find the requested resource")


async def test_a_namespace_shows_its_status(kube: Kube, objects: Objects) -> None:
    answer = await kube.request("GET", f"/api/v1/namespaces/{objects.namespace}/status")
    assert answer.body["status"] == {"phase": "Active"}
