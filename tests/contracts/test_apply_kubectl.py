"""The way from client-side apply to server-side apply: kubectl's annotation counts as ownership, for kubectl only."""

import json

import pytest

from tests.support.kube import Json
from tests.support.objects import Objects, but, config_map, managers, owned

ANNOTATION = "kubectl.kubernetes.io/last-applied-configuration"


def last_applied(document: Json) -> str:
    return json.dumps(document)


async def client_side(objects: Objects, applied: Json, *, last: str | None = None) -> Json:
    """What `kubectl apply` without --server-side leaves behind."""
    written = last_applied(applied) if last is None else last
    noted = but(applied, "metadata", "annotations", value={ANNOTATION: written})
    return await objects.create(noted, "kubectl-client-side-apply")


async def test_what_kubectl_applied_before_is_no_conflict(objects: Objects) -> None:
    await client_side(objects, config_map(a="1", b="1"))
    stored = await objects.apply(config_map(a="2", b="1"), "kubectl")
    assert stored["data"] == {"a": "2", "b": "1"}
    assert "data a" in owned(stored, "kubectl")
    assert "data a" not in owned(stored, "kubectl-client-side-apply", "Update")


async def test_for_others_it_is_one(objects: Objects) -> None:
    await client_side(objects, config_map(a="1"))
    assert (await objects.try_apply(config_map(a="2"), "ann")).status == 409


async def test_what_somebody_changed_since_is_a_conflict(objects: Objects) -> None:
    await client_side(objects, config_map(a="1", b="1"))
    await objects.patch(config_map(), {"data": {"b": "2"}}, "pete")
    answer = await objects.try_apply(config_map(a="3", b="3"), "kubectl")
    assert answer.status == 409
    assert answer.body["message"] == 'Apply failed with 1 conflict: conflict with "pete" using v1: .data.b'


async def test_the_annotation_follows_what_kubectl_applies(objects: Objects) -> None:
    await client_side(objects, config_map(a="1"))
    stored = await objects.apply(config_map(a="2"), "kubectl")
    written = stored["metadata"]["annotations"][ANNOTATION]
    assert json.loads(written) == config_map(a="2")
    assert written.endswith("}\n")


async def test_the_annotation_does_not_contain_itself(objects: Objects) -> None:
    noted = but(config_map(a="1"), "metadata", "annotations", value={"x": "<&>", ANNOTATION: "not this"})
    stored = await objects.apply(noted, "kubectl")
    written = stored["metadata"]["annotations"][ANNOTATION]
    assert json.loads(written) == but(config_map(a="1"), "metadata", "annotations", value={"x": "<&>"})
    stored = await objects.apply(config_map(a="1"), "kubectl")
    assert "annotations" not in stored["metadata"]


async def test_without_an_annotation_none_is_written(objects: Objects) -> None:
    stored = await objects.apply(config_map(a="1"), "kubectl")
    assert "annotations" not in stored["metadata"]


async def test_others_leave_the_annotation_alone(objects: Objects) -> None:
    before = await client_side(objects, config_map(a="1"))
    stored = await objects.apply(config_map(b="1"), "ann")
    assert stored["metadata"]["annotations"] == before["metadata"]["annotations"]


@pytest.mark.parametrize(
    "last",
    [
        "",
        "no json",
        "[]",
        json.dumps(config_map(a="1") | {"apiVersion": "v2"}),
        json.dumps(config_map(a="1") | {"colour": "blue"}),
    ],
)
async def test_an_annotation_that_cannot_be_read_allows_nothing(objects: Objects, last: str) -> None:
    await client_side(objects, config_map(a="1"), last=last)
    answer = await objects.try_apply(config_map(a="2"), "kubectl")
    assert answer.status == 409


async def test_kubectl_conflicts_with_others_as_everybody_does(objects: Objects) -> None:
    await objects.apply(config_map(a="1"), "ann")
    answer = await objects.try_apply(config_map(a="2"), "kubectl")
    assert answer.body["message"] == 'Apply failed with 1 conflict: conflict with "ann": .data.a'
    stored = await objects.apply(config_map(a="2"), "kubectl", force=True)
    assert managers(stored) == [("kubectl", "Apply")]
