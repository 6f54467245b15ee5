"""Writing and reading single objects: identity, versions, preconditions, dry runs, addresses."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from tests.support.kube import Json, Kube
from tests.support.objects import APPLY_PATCH, JSON_PATCH, MERGE_PATCH, Objects, but, config_map

PARTIAL = {"Accept": "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"}


async def test_a_created_object_gets_an_identity(objects: Objects) -> None:
    created = await objects.create(config_map(a="1"), "ann")
    metadata = created["metadata"]
    assert (created["kind"], created["apiVersion"], created["data"]) == ("ConfigMap", "v1", {"a": "1"})
    assert metadata["namespace"] == objects.namespace
    assert {"uid", "resourceVersion", "creationTimestamp"} <= metadata.keys()
    assert await objects.get(config_map()) == created


async def test_the_server_overrules_an_identity_that_was_sent(objects: Objects) -> None:
    sent = but(config_map(), "metadata", "uid", value="mine")
    sent["metadata"] |= {"creationTimestamp": "2001-01-01T00:00:00Z", "deletionGracePeriodSeconds": 3}
    metadata = (await objects.create(sent, "ann"))["metadata"]
    assert metadata["uid"] != "mine"
    assert metadata["creationTimestamp"] != "2001-01-01T00:00:00Z"
    assert "deletionGracePeriodSeconds" not in metadata


async def test_a_second_object_of_the_same_name_is_refused(kube: Kube, objects: Objects) -> None:
    await objects.create(config_map(), "ann")
    answer = await kube.request("POST", objects.collection(config_map()), config_map())
    assert answer.status == 409
    assert answer.body == {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": 'configmaps "settings" already exists',
        "reason": "AlreadyExists",
        "details": {"name": "settings", "kind": "configmaps"},
        "code": 409,
    }


async def test_a_missing_object_of_a_group(kube: Kube, objects: Objects) -> None:
    answer = await kube.request("GET", f"/apis/apps/v1/namespaces/{objects.namespace}/deployments/none")
    assert (answer.status, answer.body["reason"]) == (404, "NotFound")
    assert answer.body["message"] == 'deployments.apps "none" not found'
    assert answer.body["details"] == {"name": "none", "group": "apps", "kind": "deployments"}


async def test_a_put_replaces_what_it_does_not_send(objects: Objects) -> None:
    await objects.create(but(config_map(a="1"), "metadata", "labels", value={"l": "1"}), "ann")
    replaced = await objects.put(config_map(b="2"), "ann")
    assert replaced["data"] == {"b": "2"}
    assert "labels" not in replaced["metadata"]


async def test_a_put_of_nothing_new_writes_nothing(objects: Objects) -> None:
    created = await objects.create(config_map(a="1"), "ann")
    assert await objects.put(config_map(a="1"), "ann") == created


async def test_a_put_of_an_old_version_is_refused(kube: Kube, objects: Objects) -> None:
    created = await objects.create(config_map(a="1"), "ann")
    await objects.put(config_map(a="2"), "ann")
    answer = await kube.request("PUT", objects.path(config_map()), but(created, "data", value={"a": "3"}))
    assert (answer.status, answer.body["reason"]) == (409, "Conflict")
    assert answer.body["message"] == (
        'Operation cannot be fulfilled on configmaps "settings": the object has been modified; '
        "please apply your changes to the latest version and try again"
    )
    assert answer.body["details"] == {"name": "settings", "kind": "configmaps"}


async def test_a_patch_of_an_old_version_is_refused(objects: Objects) -> None:
    await objects.create(config_map(a="1"), "ann")
    stale = {"metadata": {"resourceVersion": "1"}, "data": {"a": "2"}}
    answer = await objects.try_patch(config_map(), stale, "ann")
    assert (answer.status, answer.body["reason"]) == (409, "Conflict")


async def test_a_put_of_another_uid_is_refused(kube: Kube, objects: Objects) -> None:
    created = await objects.create(config_map(a="1"), "ann")
    sent = but(config_map(a="2"), "metadata", "uid", value="other")
    answer = await kube.request("PUT", objects.path(config_map()), sent)
    assert (answer.status, answer.body["reason"]) == (409, "Conflict")
    expected = f"Precondition failed: UID in precondition: other, UID in object meta: {created['metadata']['uid']}"
    assert answer.body["message"].endswith(expected)


@pytest.mark.parametrize("form", [MERGE_PATCH, APPLY_PATCH])
async def test_a_patch_of_another_uid_is_invalid(kube: Kube, objects: Objects, form: str) -> None:
    await objects.create(config_map(a="1"), "ann")
    sent = but(config_map(a="2"), "metadata", "uid", value="other")
    params = {"fieldManager": "bob"} | ({"force": "true"} if form == APPLY_PATCH else {})
    answer = await kube.request("PATCH", objects.path(config_map()), sent, content_type=form, params=params)
    assert (answer.status, answer.body["reason"]) == (422, "Invalid")
    assert answer.body["message"] == (
        'ConfigMap "settings" is invalid: metadata.uid: Invalid value: "other": field is immutable'
    )
    assert {cause["field"] for cause in answer.body["details"]["causes"]} == {"metadata.uid"}


async def test_an_apply_to_an_object_that_is_gone_does_not_make_another(objects: Objects) -> None:
    sent = but(config_map(a="1"), "metadata", "uid", value="gone")
    answer = await objects.try_apply(sent, "ann")
    assert (answer.status, answer.body["reason"]) == (409, "Conflict")
    assert answer.body["message"] == (
        'Operation cannot be fulfilled on configmaps "settings": '
        "uid mismatch: the provided object specified uid gone, and no existing object was found"
    )


async def test_an_apply_at_a_version_creates_all_the_same(objects: Objects) -> None:
    """A resourceVersion is compared with what is there; where nothing is, nothing is compared."""
    sent = but(config_map(a="1"), "metadata", "resourceVersion", value="7")
    assert (await objects.try_apply(sent, "ann")).status == 201
    answer = await objects.try_apply(sent, "ann")
    assert (answer.status, answer.body["reason"]) == (409, "Conflict")


async def test_a_put_does_not_create_most_kinds(kube: Kube, objects: Objects) -> None:
    answer = await kube.request("PUT", objects.path(config_map()), config_map())
    assert (answer.status, answer.body["reason"]) == (404, "NotFound")


async def test_a_put_creates_a_lease(kube: Kube, objects: Objects) -> None:
    lease = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": "leader"}}
    answer = await kube.request("PUT", objects.path(lease), lease | {"spec": {"holderIdentity": "ann"}})
    assert (answer.status, answer.body["spec"]) == (201, {"holderIdentity": "ann"})


async def test_a_lease_is_replaced_at_a_known_version_only(kube: Kube, objects: Objects) -> None:
    lease = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": "leader"}}
    created = await objects.create(lease | {"spec": {"holderIdentity": "ann"}}, "ann")
    answer = await kube.request("PUT", objects.path(lease), lease | {"spec": {"holderIdentity": "bob"}})
    assert (answer.status, answer.body["reason"]) == (422, "Invalid")
    assert answer.body["message"] == (
        'leases.coordination.k8s.io "leader" is invalid: '
        "metadata.resourceVersion: Invalid value: 0: must be specified for an update"
    )
    assert answer.body["details"]["kind"] == "leases"
    await objects.put(but(created, "spec", "holderIdentity", value="bob"), "ann")


async def test_a_generated_name_begins_as_asked(objects: Objects) -> None:
    unnamed = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"generateName": "made-"}}
    first, second = [await objects.create(unnamed | {"data": {"a": "1"}}, "ann") for _ in range(2)]
    assert first["metadata"]["generateName"] == "made-"
    assert first["metadata"]["name"].startswith("made-")
    assert len(first["metadata"]["name"]) == len("made-") + 5
    assert first["metadata"]["name"] != second["metadata"]["name"]


async def test_dry_runs_store_nothing(kube: Kube, objects: Objects) -> None:
    collection, path, dry = objects.collection(config_map()), objects.path(config_map()), {"dryRun": "All"}
    answer = await kube.request("POST", collection, config_map(a="1"), params=dry)
    assert answer.status == 201
    assert "uid" in answer.body["metadata"]
    assert "resourceVersion" not in answer.body["metadata"]
    assert (await kube.request("GET", path)).status == 404
    created = await objects.create(config_map(a="1"), "ann")
    answer = await kube.request("PATCH", path, {"data": {"a": "2"}}, content_type=MERGE_PATCH, params=dry)
    assert answer.body["data"] == {"a": "2"}
    assert answer.body["metadata"]["resourceVersion"] == created["metadata"]["resourceVersion"]
    assert (await kube.request("DELETE", path, {"dryRun": ["All"]})).body["status"] == "Success"
    assert (await kube.request("DELETE", path, params=dry)).body["status"] == "Success"
    assert await objects.get(config_map()) == created


@pytest.mark.parametrize(
    ("method", "kind"),
    [("POST", "CreateOptions"), ("PUT", "UpdateOptions"), ("PATCH", "PatchOptions"), ("DELETE", "DeleteOptions")],
)
async def test_only_everything_can_be_dry(kube: Kube, objects: Objects, method: str, kind: str) -> None:
    path = objects.collection(config_map()) if method == "POST" else objects.path(config_map())
    form = MERGE_PATCH if method == "PATCH" else "application/json"
    await objects.create(config_map("settings"), "ann")
    body = None if method == "DELETE" else config_map()
    answer = await kube.request(method, path, body, content_type=form, params={"dryRun": "Some"})
    assert (answer.status, answer.body["reason"]) == (422, "Invalid")
    assert answer.body["details"]["kind"] == kind
    assert answer.body["details"]["causes"] == [
        {
            "reason": "FieldValueNotSupported",
            "message": 'Unsupported value: ["Some"]: supported values: "All"',
            "field": "dryRun",
        }
    ]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"metadata": {"name": "other"}},
            "the name of the object (other) does not match the name on the URL (settings)",
        ),
        (
            {"metadata": {"name": "settings", "namespace": "other"}},
            "the namespace of the provided object does not match the namespace sent on the request",
        ),
    ],
)
async def test_an_address_other_than_the_path(kube: Kube, objects: Objects, change: Json, message: str) -> None:
    await objects.create(config_map(), "ann")
    answer = await kube.request("PUT", objects.path(config_map()), config_map() | change)
    assert (answer.status, answer.body["reason"]) == (400, "BadRequest")
    assert answer.body["message"] == message


async def test_a_patch_cannot_rename(objects: Objects) -> None:
    await objects.create(config_map(), "ann")
    answer = await objects.try_patch(config_map(), {"metadata": {"name": "other"}}, "ann")
    assert answer.body["message"] == "the name of the object (other) does not match the name on the URL (settings)"


async def test_the_path_says_what_the_body_leaves_out(kube: Kube, objects: Objects) -> None:
    answer = await kube.request("POST", objects.collection(config_map()), {"metadata": {"name": "bare"}})
    assert (answer.status, answer.body["kind"]) == (201, "ConfigMap")


@pytest.mark.parametrize(
    "body",
    ['{"a', "[]", {"metadata": "x"}, config_map() | {"kind": "Deployment", "apiVersion": "apps/v1"}],
    ids=["cut off", "a list", "text for metadata", "another kind"],
)
async def test_a_body_that_is_no_such_object(kube: Kube, objects: Objects, body: Any) -> None:
    answer = await kube.request("POST", objects.collection(config_map()), body)
    assert (answer.status, answer.body["reason"]) == (400, "BadRequest")


@pytest.mark.parametrize("spec", ["x", {"template": {"spec": {"containers": "x"}}}], ids=["spec", "containers"])
async def test_a_content_that_is_none(kube: Kube, objects: Objects, spec: Any) -> None:
    broken = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": spec}
    answer = await kube.request("POST", objects.collection(broken), broken)
    assert (answer.status, answer.body["reason"]) == (400, "BadRequest")
    assert answer.body["message"].startswith('Deployment in version "v1" cannot be handled as a Deployment: ')


async def test_yaml_is_taken_too_and_times_stay_text(kube: Kube, objects: Objects) -> None:
    text = "kind: ConfigMap\napiVersion: v1\nmetadata: {name: settings}\ndata: {day: '2001-01-01'}\n"
    answer = await kube.request("POST", objects.collection(config_map()), text, content_type="application/yaml")
    assert (answer.status, answer.body["data"]) == (201, {"day": "2001-01-01"})


async def test_other_formats_are_refused(kube: Kube, objects: Objects) -> None:
    answer = await kube.request("POST", objects.collection(config_map()), "x", content_type="text/plain")
    assert (answer.status, answer.body["reason"]) == (415, "UnsupportedMediaType")
    assert answer.body["message"] == (
        "the body of the request was in an unknown format - accepted media types include: "
        "application/json, application/yaml, application/vnd.kubernetes.protobuf"
    )


async def test_a_patch_needs_the_type_of_a_patch(kube: Kube, objects: Objects) -> None:
    await objects.create(config_map(), "ann")
    answer = await kube.request("PATCH", objects.path(config_map()), {}, content_type="application/json")
    assert (answer.status, answer.body["reason"]) == (415, "UnsupportedMediaType")


async def test_json_patch_changes_in_order(objects: Objects) -> None:
    await objects.create(config_map(a="1"), "ann")
    steps = [
        {"op": "test", "path": "/data/a", "value": "1"},
        {"op": "add", "path": "/data/b", "value": "2"},
        {"op": "move", "from": "/data/a", "path": "/data/c"},
    ]
    assert (await objects.patch(config_map(), steps, "ann", form=JSON_PATCH))["data"] == {"b": "2", "c": "1"}


@pytest.mark.parametrize(
    "step",
    [{"op": "test", "path": "/data/a", "value": "9"}, {"op": "remove", "path": "/data/none"}],
    ids=["test", "missing"],
)
async def test_json_patch_that_does_not_fit(objects: Objects, step: Json) -> None:
    created = await objects.create(config_map(a="1"), "ann")
    steps = [{"op": "add", "path": "/data/b", "value": "2"}, step]
    answer = await objects.try_patch(config_map(), steps, "ann", form=JSON_PATCH)
    assert (answer.status, answer.body["reason"]) == (422, "Invalid")
    assert answer.body["message"] == "the server rejected our request due to an error in our request"
    assert await objects.get(config_map()) == created


@pytest.mark.parametrize(
    ("form", "patch"), [(JSON_PATCH, {"a": "b"}), (MERGE_PATCH, "{"), (MERGE_PATCH, [])], ids=["map", "cut off", "list"]
)
async def test_a_patch_that_is_none(objects: Objects, form: str, patch: Any) -> None:
    await objects.create(config_map(a="1"), "ann")
    answer = await objects.try_patch(config_map(), patch, "ann", form=form)
    assert (answer.status, answer.body["reason"]) == (400, "BadRequest")


async def test_force_is_for_applies(kube: Kube, objects: Objects) -> None:
    await objects.create(config_map(), "ann")
    path, params = objects.path(config_map()), {"force": "true"}
    answer = await kube.request("PATCH", path, {}, content_type=MERGE_PATCH, params=params)
    assert answer.status == 422
    assert answer.body["message"] == (
        'PatchOptions.meta.k8s.io "" is invalid: force: Forbidden: may not be specified for non-apply patch'
    )


async def test_an_apply_needs_a_manager(kube: Kube, objects: Objects) -> None:
    path, form = objects.path(config_map()), "application/apply-patch+yaml"
    answer = await kube.request("PATCH", path, config_map(), content_type=form)
    assert answer.status == 422
    assert answer.body["details"] == {
        "group": "meta.k8s.io",
        "kind": "PatchOptions",
        "causes": [
            {
                "reason": "FieldValueRequired",
                "message": "Required value: is required for apply patch",
                "field": "fieldManager",
            }
        ],
    }


async def test_without_a_manager_the_program_owns_what_it_writes(kube: Kube, objects: Objects) -> None:
    answer = await kube.request("POST", objects.collection(config_map()), config_map(a="1"))
    assert [entry["manager"] for entry in answer.body["metadata"]["managedFields"]] == ["contracts"]


async def test_metadata_alone_can_be_asked_for(kube: Kube, objects: Objects) -> None:
    created = await objects.create(config_map(a="1"), "ann")
    answer = await kube.request("GET", objects.path(config_map()), headers=PARTIAL)
    assert answer.body == {
        "kind": "PartialObjectMetadata",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": created["metadata"],
    }


async def test_a_secret_is_written_in_plain_text_and_stored_coded(objects: Objects) -> None:
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "key"}, "data": {"a": "YQ=="}}
    created = await objects.create(secret | {"stringData": {"b": "b"}}, "ann")
    assert created["data"] == {"a": "YQ==", "b": "Yg=="}
    assert "stringData" not in created
    assert (await objects.patch(secret, {"stringData": {"a": "c"}}, "ann"))["data"] == {"a": "Yw==", "b": "Yg=="}


async def test_a_service_gets_an_address_and_keeps_it(kube: Kube, objects: Objects) -> None:
    service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"}, "spec": {"ports": [{"port": 80}]}}
    first = await objects.create(service, "ann")
    second = await objects.create(but(service, "metadata", "name", value="other"), "ann")
    assert first["spec"]["clusterIP"] != second["spec"]["clusterIP"]
    assert first["spec"]["clusterIPs"] == [first["spec"]["clusterIP"]]
    replaced = await objects.put(but(service, "spec", "ports", value=[{"port": 81}]), "ann")
    assert replaced["spec"]["clusterIP"] == first["spec"]["clusterIP"]
    answer = await kube.request("DELETE", objects.path(service))
    assert (answer.body["kind"], answer.body["metadata"]["uid"]) == ("Service", first["metadata"]["uid"])


async def test_a_headless_or_external_service_gets_none(objects: Objects) -> None:
    head = {"apiVersion": "v1", "kind": "Service"}
    headless = head | {"metadata": {"name": "a"}, "spec": {"clusterIP": "None", "ports": [{"port": 80}]}}
    assert (await objects.create(headless, "ann"))["spec"]["clusterIPs"] == ["None"]
    external = head | {"metadata": {"name": "b"}, "spec": {"type": "ExternalName", "externalName": "x.test.invalid"}}
    assert "clusterIP" not in (await objects.create(external, "ann"))["spec"]


async def test_fifty_writers_at_once_lose_nothing(kube: Kube, objects: Objects) -> None:
    await objects.create(config_map(start="0"), "ann")
    patches = [{"data": {f"k{number}": str(number)}} for number in range(50)]
    await asyncio.gather(*(objects.patch(config_map(), patch, "ann") for patch in patches))
    answer = await kube.request("GET", objects.path(config_map()))
    assert len(answer.body["data"]) == 51, json.dumps(answer.body)
