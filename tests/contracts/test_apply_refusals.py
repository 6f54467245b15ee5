"""What server-side apply refuses, with the code and the words of the real server."""

from typing import Any

import pytest

from tests.support.kube import Json, Kube
from tests.support.objects import APPLY_PATCH, Objects, but, config_map, container, deployment, managers


def with_spec(**spec: Any) -> Json:
    return deployment(**spec)


def with_container(**fields: Any) -> Json:
    changed = deployment()
    container(changed).update(fields)
    return changed


@pytest.mark.parametrize(
    ("applied", "problem"),
    [
        (with_spec(colour="blue"), ".spec.colour: field not declared in schema"),
        (
            with_container(colour="blue"),
            '.spec.template.spec.containers[name="web"].colour: field not declared in schema',
        ),
        (with_spec(replicas="3"), ".spec.replicas: expected numeric (int or float), got string"),
        (with_spec(replicas=True), ".spec.replicas: expected numeric (int or float), got bool"),
        (with_spec(replicas=[1]), ".spec.replicas: expected numeric (int or float), got []interface {}"),
        (with_spec(replicas={"a": 1}), ".spec.replicas: expected numeric (int or float), got map[string]interface {}"),
        (with_spec(paused="yes"), ".spec.paused: expected boolean, got &{yes}"),
        (with_spec(paused=1), ".spec.paused: expected boolean, got &{1}"),
        (with_spec(paused=[True, None]), ".spec.paused: expected boolean, got &{[true <nil>]}"),
        (with_spec(template="x"), ".spec.template: expected map, got &{x}"),
        (with_spec(template=False), ".spec.template: expected map, got &{false}"),
        (
            with_container(image=1),
            '.spec.template.spec.containers[name="web"].image: expected string, got &value.valueUnstructured{Value:1}',
        ),
        (
            with_container(image=["a", None]),
            (
                '.spec.template.spec.containers[name="web"].image: expected string, got '
                '&value.valueUnstructured{Value:[]interface {}{"a", interface {}(nil)}}'
            ),
        ),
        (
            with_container(image={"a": "b"}),
            (
                '.spec.template.spec.containers[name="web"].image: expected string, got '
                '&value.valueUnstructured{Value:map[string]interface {}{"a":"b"}}'
            ),
        ),
        (
            with_container(args={"a": "b"}),
            '.spec.template.spec.containers[name="web"].args: expected list, got &{map[a:b]}',
        ),
        (
            with_container(args=["a", 1]),
            (
                '.spec.template.spec.containers[name="web"].args[1]: expected string, got '
                "&value.valueUnstructured{Value:1}"
            ),
        ),
        (
            with_container(resources={"limits": {"cpu": ["1"]}}),
            '.spec.template.spec.containers[name="web"].resources.limits.cpu: expected any scalar, got &{[1]}',
        ),
        (
            with_container(env=[{"name": "A"}, {"name": "A"}]),
            '.spec.template.spec.containers[name="web"].env: duplicate entries for key [name="A"]',
        ),
        (
            with_container(ports=[{"containerPort": 80}, {"containerPort": 80, "protocol": "TCP"}]),
            (
                '.spec.template.spec.containers[name="web"].ports: duplicate entries for key '
                '[containerPort=80,protocol="TCP"]'
            ),
        ),
        (
            with_container(env=["A"]),
            (
                '.spec.template.spec.containers[name="web"].env: element 0: '
                "associative list with keys may not have non-map elements"
            ),
        ),
    ],
)
async def test_an_object_that_does_not_fit_its_schema(objects: Objects, applied: Json, problem: str) -> None:
    answer = await objects.try_apply(applied, "ann")
    assert answer.status == 500
    assert answer.body["message"] == f"failed to create typed patch object (/web; apps/v1, Kind=Deployment): {problem}"


@pytest.mark.parametrize(
    ("finalizers", "problem"),
    [
        (["a.b/c", "a.b/c"], 'duplicate entries for key [="a.b/c"]'),
        ([{"a": "b"}], "element 0: associative list without keys has an element that's a map type"),
        ([["a"]], "element 0: not supported: associative list with lists as elements"),
        ([None], "element 0: associative list without keys has an element that's an explicit null"),
    ],
)
async def test_a_set_that_is_none(objects: Objects, finalizers: list[Any], problem: str) -> None:
    applied = but(config_map(), "metadata", "finalizers", value=finalizers)
    answer = await objects.try_apply(applied, "ann")
    assert answer.status == 500
    assert answer.body["message"].endswith(f"Kind=ConfigMap): .metadata.finalizers: {problem}")


async def test_the_refusal_names_the_namespace_that_the_body_names(objects: Objects) -> None:
    applied = but(config_map(a="1"), "metadata", "namespace", value=objects.namespace) | {"colour": "blue"}
    answer = await objects.try_apply(applied, "ann")
    assert answer.body["message"].startswith(
        f"failed to create typed patch object ({objects.namespace}/settings; /v1, Kind=ConfigMap): "
    )


@pytest.mark.parametrize("managed", [[], [{"manager": "ann", "operation": "Apply"}]])
async def test_ownership_cannot_be_applied(objects: Objects, managed: list[Json]) -> None:
    answer = await objects.try_apply(but(config_map(), "metadata", "managedFields", value=managed), "ann")
    assert answer.status == 400
    assert answer.body["reason"] == "BadRequest"
    assert answer.body["message"] == "metadata.managedFields must be nil"


async def test_ownership_that_is_null_is_no_ownership(objects: Objects) -> None:
    stored = await objects.apply(but(config_map(a="1"), "metadata", "managedFields", value=None), "ann")
    assert managers(stored) == [("ann", "Apply")]


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"kind": "Secret"}, "/v1, Kind=Secret"),
        ({"apiVersion": "v2"}, "/v2, Kind=ConfigMap"),
        ({"apiVersion": "apps/v1"}, "apps/v1, Kind=ConfigMap"),
        ({"apiVersion": None, "kind": None}, "/, Kind="),
    ],
)
async def test_another_kind_than_the_path_says(
    kube: Kube, objects: Objects, change: dict[str, str | None], named: str
) -> None:
    path = objects.path(config_map())
    answer = await kube.request(
        "PATCH", path, config_map() | change, content_type=APPLY_PATCH, params={"fieldManager": "ann"}
    )
    assert answer.status == 400
    assert answer.body["reason"] == "BadRequest"
    assert answer.body["message"] == f"invalid object type: {named}"


async def test_nothing_is_stored_of_what_is_refused(kube: Kube, objects: Objects) -> None:
    await objects.try_apply(config_map() | {"colour": "blue"}, "ann")
    assert (await kube.request("GET", objects.path(config_map()))).status == 404


RULE = "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"
SUFFIX = "unable to parse quantity's suffix"


@pytest.mark.parametrize(
    ("quantity", "problem"),
    [("abc", RULE), ("1x", RULE), ("", RULE), ("1Ki3", SUFFIX), ("1e", SUFFIX), ("--1", SUFFIX), ("1KM", SUFFIX)],
)
async def test_a_quantity_that_is_none(objects: Objects, quantity: str, problem: str) -> None:
    applied = with_container(resources={"limits": {"cpu": quantity}})
    answer = await objects.try_apply(applied, "ann")
    assert answer.status == 500
    assert answer.body["message"] == (
        "failed to convert new object (/web; apps/v1, Kind=Deployment) to proper version: unable to convert "
        f"unstructured object to apps/v1, Kind=Deployment: {problem}"
    )


async def test_no_quantity_is_nothing(objects: Objects) -> None:
    stored = await objects.apply(with_container(resources={"limits": {"cpu": None}}), "ann")
    assert container(stored)["resources"]["limits"] == {"cpu": "0"}


MISSHAPEN: list[Json] = [
    {"spec": 5},
    {"spec": {"replicas": "3"}},
    {"spec": {"replicas": True}},
    {"spec": {"template": "x"}},
    {"metadata": {"labels": {"a": 1}}},
    {"metadata": {"finalizers": "x"}},
    {"spec": {"template": {"spec": {"containers": [{"name": "web", "image": 1}]}}}},
    {"spec": {"template": {"spec": {"containers": [{"name": "web", "image": ["i"]}]}}}},
    {"spec": {"template": {"spec": {"containers": [{"name": "web", "image": "i", "tty": {}}]}}}},
    {"spec": {"template": {"spec": {"containers": [{"name": "web", "image": "i", "env": ["A"]}]}}}},
    {"spec": {"template": {"spec": {"containers": [{"name": "web", "resources": {"limits": {"cpu": "x"}}}]}}}},
]


@pytest.mark.parametrize("part", MISSHAPEN)
async def test_a_patch_that_makes_no_object_of_its_kind(objects: Objects, part: Json) -> None:
    before = await objects.create(deployment(paused=True), "carl")
    answer = await objects.try_patch(before, part, "pete")
    assert answer.status == 422
    assert answer.body["reason"] == "Invalid"
    assert answer.body["message"].startswith(' "" is invalid: patch: Invalid value: ')
    assert [cause["field"] for cause in answer.body["details"]["causes"]] == ["patch"]


@pytest.mark.parametrize(
    "part", [{"spec": 5}, {"spec": {"replicas": "3"}}, {"metadata": {"name": "web", "labels": []}}]
)
async def test_a_document_that_is_no_object_of_its_kind(objects: Objects, part: Json) -> None:
    answer = await objects.kube.request("POST", objects.collection(deployment()), deployment() | part)
    assert answer.status == 400
    assert answer.body["reason"] == "BadRequest"
    assert answer.body["message"].startswith('Deployment in version "v1" cannot be handled as a Deployment: ')
