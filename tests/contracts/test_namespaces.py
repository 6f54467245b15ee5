"""Namespaces: what a new one holds, and how one goes."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator

import pytest

from tests.support.kube import Json, Kube
from tests.support.objects import Objects, but, config_map

HOLD = "contracts.test.invalid/hold"


@pytest.fixture
async def space(kube: Kube) -> AsyncIterator[Objects]:
    """A namespace that a test may delete itself."""
    name = f"space-{uuid.uuid4().hex[:8]}"
    answer = await kube.request("POST", "/api/v1/namespaces", named(name))
    assert answer.status == 201, answer.body
    yield Objects(kube, name)
    await kube.request("DELETE", f"/api/v1/namespaces/{name}")


def named(name: str) -> Json:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}


def path(space: Objects) -> str:
    return f"/api/v1/namespaces/{space.namespace}"


async def test_a_new_namespace_is_active_and_labelled(kube: Kube, space: Objects) -> None:
    stored = (await kube.request("GET", path(space))).body
    assert stored["metadata"]["labels"] == {"kubernetes.io/metadata.name": space.namespace}
    assert stored["spec"] == {"finalizers": ["kubernetes"]}
    assert stored["status"] == {"phase": "Active"}
    params = {"fieldSelector": f"status.phase=Active,metadata.name={space.namespace}"}
    assert len((await kube.request("GET", "/api/v1/namespaces", params=params)).body["items"]) == 1


async def test_a_new_namespace_is_furnished(kube: Kube, space: Objects) -> None:
    await kube.until(f"{path(space)}/serviceaccounts/default", lambda _: True)
    certificate = await kube.until(f"{path(space)}/configmaps/kube-root-ca.crt", lambda _: True)
    assert certificate["data"]["ca.crt"].startswith("-----BEGIN CERTIFICATE-----")


async def test_the_furniture_comes_back(kube: Kube, space: Objects) -> None:
    account = f"{path(space)}/serviceaccounts/default"
    first = await kube.until(account, lambda _: True)
    await kube.request("DELETE", account)
    await kube.until(account, lambda stored: stored["metadata"]["uid"] != first["metadata"]["uid"])


async def test_nothing_is_created_in_a_namespace_that_is_missing(kube: Kube) -> None:
    answer = await kube.request("POST", "/api/v1/namespaces/there-is-none/configmaps", config_map())
    assert (answer.status, answer.body["reason"]) == (404, "NotFound")
    assert answer.body["message"] == 'namespaces "there-is-none" not found'
    assert answer.body["details"] == {"name": "there-is-none", "kind": "namespaces"}


async def test_a_namespace_goes_with_its_contents(kube: Kube, space: Objects) -> None:
    await space.create(config_map("a"), "ann")
    answer = await kube.request("DELETE", path(space))
    assert (answer.status, answer.body["kind"], answer.body["status"]["phase"]) == (200, "Namespace", "Terminating")
    assert "deletionTimestamp" in answer.body["metadata"]
    await kube.until_gone(path(space))
    assert (await kube.request("GET", f"{path(space)}/configmaps")).body["items"] == []


async def test_a_leaving_namespace_takes_nothing_new(kube: Kube, space: Objects) -> None:
    await space.create(but(config_map("a", v="1"), "metadata", "finalizers", value=[HOLD]), "ann")
    await kube.request("DELETE", path(space))
    answer = await kube.request("POST", f"{path(space)}/configmaps", config_map("b"))
    assert (answer.status, answer.body["reason"]) == (403, "Forbidden")
    assert answer.body["message"] == (
        'configmaps "b" is forbidden: unable to create new content in namespace '
        f"{space.namespace} because it is being terminated"
    )
    assert answer.body["details"] == {
        "name": "b",
        "kind": "configmaps",
        "causes": [
            {
                "reason": "NamespaceTerminating",
                "message": f"namespace {space.namespace} is being terminated",
                "field": "metadata.namespace",
            }
        ],
    }
    await space.patch(config_map("a"), {"data": {"v": "2"}}, "ann")
    await space.patch(config_map("a"), {"metadata": {"finalizers": None}}, "ann")
    await kube.until_gone(path(space))


async def test_what_holds_a_namespace_is_said(kube: Kube, space: Objects) -> None:
    await space.create(but(config_map("a"), "metadata", "finalizers", value=[HOLD]), "ann")
    await kube.request("DELETE", path(space))

    def says_why(stored: Json) -> bool:
        conditions = {each["type"]: each for each in stored["status"].get("conditions", [])}
        return bool(conditions.get("NamespaceFinalizersRemaining", {}).get("status") == "True")

    stored = await kube.until(path(space), says_why)
    found = {each["type"]: each for each in stored["status"]["conditions"]}
    assert found["NamespaceFinalizersRemaining"]["reason"] == "SomeFinalizersRemain"
    assert found["NamespaceFinalizersRemaining"]["message"] == (
        f"Some content in the namespace has finalizers remaining: {HOLD} in 1 resource instances"
    )
    assert found["NamespaceContentRemaining"]["status"] == "True"
    assert found["NamespaceContentRemaining"]["reason"] == "SomeResourcesRemain"
    assert found["NamespaceContentRemaining"]["message"] == (
        "Some resources are remaining: configmaps. has 1 resource instances"
    )
    assert found["NamespaceDeletionContentFailure"]["status"] == "False"
    await space.patch(config_map("a"), {"metadata": {"finalizers": None}}, "ann")
    await kube.until_gone(path(space))


async def test_a_namespace_keeps_its_own_finalizer(kube: Kube, space: Objects) -> None:
    answer = await kube.request("PUT", path(space), named(space.namespace))
    assert answer.body["spec"] == {"finalizers": ["kubernetes"]}
    patch = {"spec": {"finalizers": None}}
    answer = await kube.request("PATCH", path(space), patch, content_type="application/merge-patch+json")
    assert answer.body["spec"] == {"finalizers": ["kubernetes"]}


async def test_a_finalizer_of_its_own_keeps_an_empty_namespace(kube: Kube, space: Objects) -> None:
    form = "application/merge-patch+json"
    await kube.request("PATCH", path(space), {"metadata": {"finalizers": [HOLD]}}, content_type=form)
    await kube.request("DELETE", path(space))
    left = await kube.until(path(space), lambda stored: not stored["spec"].get("finalizers"))
    assert left["metadata"]["finalizers"] == [HOLD]
    await kube.request("PATCH", path(space), {"metadata": {"finalizers": None}}, content_type=form)
    await kube.until_gone(path(space))
