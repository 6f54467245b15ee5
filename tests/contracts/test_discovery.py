"""What a server says about itself, and to whom."""

from __future__ import annotations

import asyncio
import json
import uuid

import pytest

from sandbox.testcluster import TestCluster
from tests.support.kube import Json, Kube
from tests.support.objects import Objects, config_map


async def test_the_version(kube: Kube) -> None:
    body = (await kube.request("GET", "/version")).body
    assert body["gitVersion"].startswith("v1.")
    assert (body["major"], body["minor"].isdigit()) == ("1", True)


@pytest.mark.parametrize("path", ["/healthz", "/livez", "/readyz"])
async def test_health(kube: Kube, path: str) -> None:
    answer = await kube.request("GET", path)
    assert (answer.status, answer.body) == (200, "ok")
    assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"


async def test_the_core_group(kube: Kube) -> None:
    body = (await kube.request("GET", "/api")).body
    assert (body["kind"], body["versions"]) == ("APIVersions", ["v1"])


async def test_the_groups(kube: Kube) -> None:
    body = (await kube.request("GET", "/apis")).body
    assert (body["kind"], body["apiVersion"]) == ("APIGroupList", "v1")
    groups = {group["name"]: group for group in body["groups"]}
    assert {"apps", "batch", "networking.k8s.io", "rbac.authorization.k8s.io", "policy"} <= groups.keys()
    assert groups["apps"]["preferredVersion"] == {"groupVersion": "apps/v1", "version": "v1"}


async def test_one_group(kube: Kube) -> None:
    assert (await kube.request("GET", "/apis/apps")).body == {
        "kind": "APIGroup",
        "apiVersion": "v1",
        "name": "apps",
        "versions": [{"groupVersion": "apps/v1", "version": "v1"}],
        "preferredVersion": {"groupVersion": "apps/v1", "version": "v1"},
    }


def resources(body: Json) -> dict[str, Json]:
    plain = {"name", "singularName", "namespaced", "kind", "shortNames", "categories", "group", "version"}
    return {
        each["name"]: {name: value for name, value in each.items() if name in plain} | {"verbs": sorted(each["verbs"])}
        for each in body["resources"]
    }


ALL_VERBS = ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"]


async def test_resources_of_a_group(kube: Kube) -> None:
    body = (await kube.request("GET", "/apis/apps/v1")).body
    assert (body["kind"], body["groupVersion"]) == ("APIResourceList", "apps/v1")
    found = resources(body)
    common = {"namespaced": True, "kind": "Deployment"}
    assert found["deployments"] == common | {
        "name": "deployments",
        "singularName": "deployment",
        "shortNames": ["deploy"],
        "categories": ["all"],
        "verbs": ALL_VERBS,
    }
    parts = ["get", "patch", "update"]
    assert found["deployments/status"] == common | {"name": "deployments/status", "singularName": "", "verbs": parts}
    assert found["deployments/scale"] == common | {
        "name": "deployments/scale",
        "singularName": "",
        "kind": "Scale",
        "group": "autoscaling",
        "version": "v1",
        "verbs": parts,
    }
    assert found["controllerrevisions"]["verbs"] == ALL_VERBS


async def test_resources_of_the_core(kube: Kube) -> None:
    body = (await kube.request("GET", "/api/v1")).body
    assert body["groupVersion"] == "v1"
    found = resources(body)
    assert found["namespaces"]["namespaced"] is False
    assert found["namespaces"]["verbs"] == [verb for verb in ALL_VERBS if verb != "deletecollection"]
    assert found["namespaces/finalize"]["verbs"] == ["update"]
    assert found["pods/log"]["verbs"] == ["get"]
    assert "shortNames" not in found["secrets"]


async def test_questions_can_only_be_asked(kube: Kube) -> None:
    body = (await kube.request("GET", "/apis/authorization.k8s.io/v1")).body
    assert resources(body)["selfsubjectaccessreviews"]["verbs"] == ["create"]
    answer = await kube.request("GET", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews")
    assert (answer.status, answer.body["reason"]) == (405, "MethodNotAllowed")


async def test_an_administrator_may_do_everything(kube: Kube) -> None:
    review = {
        "kind": "SelfSubjectAccessReview",
        "apiVersion": "authorization.k8s.io/v1",
        "spec": {"resourceAttributes": {"verb": "get", "resource": "pods"}},
    }
    answer = await kube.request("POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", review)
    assert (answer.status, answer.body["status"]["allowed"]) == (201, True)
    assert answer.body["spec"] == review["spec"]


@pytest.mark.parametrize("path", ["/nowhere", "/apis/nobody.test.invalid", "/apis/nobody.test.invalid/v1/things"])
async def test_paths_below_which_nothing_is_served(kube: Kube, path: str) -> None:
    answer = await kube.request("GET", path)
    assert (answer.status, answer.body) == (404, "404 page not found\n")


@pytest.mark.parametrize(
    "path", ["/api/v1/things", "/apis/apps/v1/namespaces/default/things/x", "/api/v7", "/apis/apps/v7"]
)
async def test_resources_that_a_group_does_not_have(kube: Kube, path: str) -> None:
    answer = await kube.request("GET", path)
    assert (answer.status, answer.body["reason"]) == (404, "NotFound")
    assert answer.body["message"] == "the server could not find the requested resource"


async def test_a_wrong_token_opens_nothing(kube: Kube) -> None:
    answer = await kube.request("GET", "/version", headers={"Authorization": "Bearer wrong"})
    assert (answer.status, answer.body["reason"], answer.body["message"]) == (401, "Unauthorized", "Unauthorized")


@pytest.mark.parametrize(("path", "status"), [("/version", 200), ("/healthz", 200), ("/apis", 403)])
async def test_without_a_token_little_is_open(kube: Kube, path: str, status: int) -> None:
    answer = await kube.request("GET", path, headers={"Authorization": ""})
    assert answer.status == status
    if status == 403:
        assert answer.body["reason"] == "Forbidden"
        assert answer.body["message"] == f'forbidden: User "system:anonymous" cannot get path "{path}"'


async def test_every_request_is_audited(any_cluster: TestCluster, kube: Kube, objects: Objects) -> None:
    agent = {"User-Agent": f"audited-{uuid.uuid4().hex[:8]}/1.0"}
    collection = objects.collection(config_map())
    path = objects.path(config_map())
    dry = {"dryRun": "All"}
    await kube.request("POST", collection, config_map(), headers=agent)
    await kube.request("PUT", path, config_map(), headers=agent)
    await kube.request("PATCH", path, {}, content_type="application/merge-patch+json", headers=agent, params=dry)
    await kube.request("GET", path, headers=agent)
    await kube.request("GET", collection, headers=agent)
    await kube.request("GET", "/version", headers=agent)
    await kube.request("DELETE", path, headers=agent)
    await kube.request("DELETE", collection, headers=agent)
    await kube.request("GET", path, headers=agent)
    async for _ in kube.watch(collection, {"timeoutSeconds": "1"}, headers=agent):
        pass
    found = await audited(any_cluster, agent["User-Agent"], 10)
    assert [(event["verb"], event["responseStatus"]["code"]) for event in found] == [
        ("create", 201),
        ("update", 200),
        ("patch", 200),
        ("get", 200),
        ("list", 200),
        ("get", 200),
        ("delete", 200),
        ("deletecollection", 200),
        ("get", 404),
        ("watch", 200),
    ]
    assert {(event["kind"], event["apiVersion"], event["level"], event["stage"]) for event in found} == {
        ("Event", "audit.k8s.io/v1", "Metadata", "ResponseComplete")
    }
    reference = {"resource": "configmaps", "namespace": objects.namespace, "apiVersion": "v1", "name": "settings"}
    assert reference.items() <= found[0]["objectRef"].items()
    assert found[2]["requestURI"].endswith("/configmaps/settings?dryRun=All")
    assert "objectRef" not in found[5]
    assert "name" not in found[4]["objectRef"]
    assert {event["user"]["username"] for event in found} == {found[0]["user"]["username"]}


async def test_the_door_is_audited_too(any_cluster: TestCluster, kube: Kube, objects: Objects) -> None:
    agent = {"User-Agent": f"audited-{uuid.uuid4().hex[:8]}/1.0"}
    await kube.request("GET", f"/apis/apps/v1/namespaces/{objects.namespace}/deployments/x/scale", headers=agent)
    (event,) = await audited(any_cluster, agent["User-Agent"], 1)
    assert event["objectRef"] == {
        "resource": "deployments",
        "namespace": objects.namespace,
        "name": "x",
        "apiGroup": "apps",
        "apiVersion": "v1",
        "subresource": "scale",
    }


async def audited(cluster: TestCluster, agent: str, count: int) -> list[Json]:
    """The audit events of one program, as soon as there are so many."""
    async with asyncio.timeout(10):
        while True:
            text = await asyncio.to_thread(cluster.audit_log.read_text, encoding="utf-8")
            events = [json.loads(line) for line in text.splitlines() if agent in line]
            complete = [event for event in events if event["stage"] == "ResponseComplete"]
            if len(complete) >= count:
                return complete
