"""Which names and labels are taken, and what a refusal says."""

from __future__ import annotations

import pytest

from tests.support.kube import Json, Kube
from tests.support.objects import Objects, config_map

SUBDOMAIN = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and "
    "end with an alphanumeric character (e.g. 'example.com', regex used for validation is "
    r"'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
)
LABEL = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with "
    "an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is "
    "'[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
)
VALUE = (
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and "
    "end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is "
    "'(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"
)
KEY = (
    "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric "
    "character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is "
    "'([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
)


def cause(value: str, rule: str, field: str = "metadata.name") -> Json:
    return {"reason": "FieldValueInvalid", "message": f'Invalid value: "{value}": {rule}', "field": field}


async def refused(kube: Kube, path: str, document: Json) -> list[Json]:
    answer = await kube.request("POST", path, document)
    assert (answer.status, answer.body["reason"], answer.body["code"]) == (422, "Invalid", 422), answer.body
    causes: list[Json] = answer.body["details"]["causes"]
    sentences = [f"{each['field']}: {each['message']}" for each in causes]
    joined = sentences[0] if len(sentences) == 1 else f"[{', '.join(sentences)}]"
    assert answer.body["message"].endswith(f" is invalid: {joined}")
    return causes


@pytest.mark.parametrize("name", ["A_b", "-a", "a..b", "a b"])
async def test_a_name_is_a_subdomain(kube: Kube, objects: Objects, name: str) -> None:
    found = await refused(kube, objects.collection(config_map()), config_map(name))
    assert found == [cause(name, SUBDOMAIN)]


@pytest.mark.parametrize(("length", "taken"), [(253, True), (254, False)])
async def test_a_name_has_a_length(kube: Kube, objects: Objects, *, length: int, taken: bool) -> None:
    document = config_map("a" * length)
    if taken:
        await objects.create(document, "ann")
    else:
        found = await refused(kube, objects.collection(document), document)
        assert found == [cause("a" * length, "must be no more than 253 characters")]


async def test_an_object_without_a_name(kube: Kube, objects: Objects) -> None:
    bare = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {}}
    assert await refused(kube, objects.collection(config_map()), bare) == [
        {
            "reason": "FieldValueRequired",
            "message": "Required value: name or generateName is required",
            "field": "metadata.name",
        }
    ]


@pytest.mark.parametrize(("name", "rule"), [("a.b", "must not contain dots"), ("A", LABEL)])
async def test_a_namespace_is_a_label(kube: Kube, name: str, rule: str) -> None:
    document = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
    assert await refused(kube, "/api/v1/namespaces", document) == [cause(name, rule)]


async def test_a_service_is_a_label(kube: Kube, objects: Objects) -> None:
    service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "A"}, "spec": {"ports": [{"port": 80}]}}
    assert await refused(kube, objects.collection(service), service) == [cause("A", LABEL)]


async def test_a_role_may_have_any_name_that_fits_a_path(kube: Kube, objects: Objects) -> None:
    role = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": {"name": "system:One two"}}
    await objects.create(role | {"rules": []}, "ann")
    role["metadata"] = {"name": "a/b"}
    assert await refused(kube, objects.collection(role), role) == [cause("a/b", "may not contain '/'")]


@pytest.mark.parametrize(
    ("labels", "wrong", "rule"),
    [
        ({"a": "b c"}, "b c", VALUE),
        ({"a": "-"}, "-", VALUE),
        ({"a": "y" * 64}, "y" * 64, "must be no more than 63 bytes"),
        ({"a b": ""}, "a b", KEY),
        ({"x.test/a b": "c"}, "a b", KEY),
    ],
)
async def test_labels_have_a_form(kube: Kube, objects: Objects, labels: dict[str, str], wrong: str, rule: str) -> None:
    document = config_map() | {"metadata": {"name": "settings", "labels": labels}}
    found = await refused(kube, objects.collection(document), document)
    key = next(iter(labels))
    assert found == [cause(key if rule == KEY else wrong, rule, "metadata.labels")]


@pytest.mark.parametrize("labels", [{"a": ""}, {"x.test/a": "B.c_d-9"}, {"a": "y" * 63}])
async def test_labels_that_are_taken(objects: Objects, labels: dict[str, str]) -> None:
    document = config_map() | {"metadata": {"name": "settings", "labels": labels}}
    assert (await objects.create(document, "ann"))["metadata"]["labels"] == labels


async def test_every_fault_is_a_cause(kube: Kube, objects: Objects) -> None:
    document = config_map() | {"metadata": {"name": "A", "labels": {"a": "-"}}}
    found = await refused(kube, objects.collection(document), document)
    assert found == [cause("A", SUBDOMAIN), cause("-", VALUE, "metadata.labels")]
