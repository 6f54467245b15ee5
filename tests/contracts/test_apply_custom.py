"""Server-side apply of custom resources whose definition says nothing of their content: every list is a leaf."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.support.kube import Json
from tests.support.objects import Objects, entry, managers, owned

GROUP = "contracts.test.invalid"


@pytest.fixture
async def widget(objects: Objects) -> AsyncIterator[Json]:
    """A document of a kind that was defined for this test, with a status of its own."""
    kind = f"Widget{uuid.uuid4().hex[:6]}"
    plural = f"{kind.lower()}s"
    free = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    definition = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{GROUP}"},
        "spec": {
            "group": GROUP,
            "names": {"kind": kind, "plural": plural, "singular": kind.lower(), "listKind": f"{kind}List"},
            "scope": "Namespaced",
            "versions": [
                {
                    "name": "v1",
                    "served": True,
                    "storage": True,
                    "schema": {"openAPIV3Schema": free},
                    "subresources": {"status": {}},
                }
            ],
        },
    }
    definitions = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
    answer = await objects.kube.request("POST", definitions, definition)
    assert answer.status == 201, answer.body
    document = {"apiVersion": f"{GROUP}/v1", "kind": kind, "metadata": {"name": "w"}, "spec": {"size": 1}}
    await served(objects, document)
    yield document
    await objects.kube.request("DELETE", f"{definitions}/{plural}.{GROUP}")


async def served(objects: Objects, document: Json) -> None:
    """Return when the kind is served: its definition is Established, and its collection answers."""
    name = f"{document['kind'].lower()}s.{GROUP}"

    def established(definition: Json) -> bool:
        conditions = definition.get("status", {}).get("conditions") or []
        return any(item["type"] == "Established" and item["status"] == "True" for item in conditions)

    await objects.kube.until(f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{name}", established)
    async with asyncio.timeout(20):
        while (await objects.kube.request("GET", objects.collection(document))).status != 200:
            pass


def sized(widget: Json, **spec: Any) -> Json:
    return widget | {"spec": spec}


async def test_fields_are_owned_one_by_one_and_lists_whole(objects: Objects, widget: Json) -> None:
    applied = sized(widget, size=1, parts=[{"name": "a"}], nested={"deep": {"er": True}}, none={})
    stored = await objects.apply(applied, "ann")
    assert owned(stored, "ann") == {
        "spec",
        "spec size",
        "spec parts",
        "spec nested",
        "spec nested deep",
        "spec nested deep er",
        "spec none",
    }


async def test_two_appliers_share_a_map_and_not_a_list(objects: Objects, widget: Json) -> None:
    await objects.apply(sized(widget, a=1, parts=[1, 2]), "ann")
    stored = await objects.apply(sized(widget, b=1), "bob")
    assert stored["spec"] == {"a": 1, "b": 1, "parts": [1, 2]}
    answer = await objects.try_apply(sized(widget, parts=[1]), "bob")
    assert answer.status == 409
    assert [cause["field"] for cause in answer.body["details"]["causes"]] == [".spec.parts"]
    stored = await objects.apply(sized(widget, a=1), "ann")
    assert stored["spec"] == {"a": 1, "b": 1}


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (1, {"x": 1}),
        ({"x": 1}, 1),
        ([1], {"x": 1}),
        ({"x": 1}, [1]),
        ("1", 1),
        (1, True),
        ([1], 1),
        (1, {}),
        ({"x": 1}, {}),
        ({"x": 1}, None),
        ("x", None),
        ([1], None),
        ([], {}),
        (None, 1),
    ],
)
async def test_a_value_may_become_another_sort_of_value(
    objects: Objects, widget: Json, before: object, after: object
) -> None:
    await objects.apply(sized(widget, v=before), "ann")
    stored = await objects.apply(sized(widget, v=after), "bob", force=True)
    assert stored["spec"].get("v", None) == (before if after in ({}, None) and isinstance(before, dict) else after)


async def test_an_updater_may_change_the_sort_of_a_value(objects: Objects, widget: Json) -> None:
    await objects.apply(sized(widget, v={"x": 1, "y": [1]}, w=1, u=[1]), "ann")
    stored = await objects.patch(widget, {"spec": {"v": 1, "w": {"x": 1}, "u": {"x": {"y": 1}}}}, "pete")
    assert owned(stored, "pete", "Update") == {"spec v", "spec w", "spec w x", "spec u", "spec u x", "spec u x y"}
    mine = owned(stored, "ann")
    assert not {"spec v", "spec v x", "spec w", "spec u"} & mine


@pytest.mark.parametrize("value", [1, None, [1], {"y": 1}])
async def test_ownership_of_what_is_not_there_takes_nothing_away(objects: Objects, widget: Json, value: object) -> None:
    stored = await objects.apply(sized(widget, v=value), "ann")
    claim = stored["metadata"]["managedFields"][0] | {"fieldsV1": {"f:spec": {"f:v": {"f:x": {}}}}}
    await objects.patch(widget, {"metadata": {"managedFields": [claim]}}, "carl")
    stored = await objects.apply(sized(widget, size=1), "ann")
    assert stored["spec"] == {"size": 1, "v": value}


async def test_the_metadata_are_those_of_every_kind(objects: Objects, widget: Json) -> None:
    held = widget | {"metadata": {"name": "w", "finalizers": ["a.b/a"], "labels": {"x": "1"}}}
    await objects.apply(held, "ann")
    more = {**widget, "metadata": {"name": "w", "finalizers": ["a.b/b"]}}
    stored = await objects.apply(more, "bob")
    assert set(stored["metadata"]["finalizers"]) == {"a.b/a", "a.b/b"}
    assert 'metadata finalizers "a.b/b"' in owned(stored, "bob")
    await objects.patch(widget, {"metadata": {"finalizers": None}}, "ann")


async def test_the_status_is_apart(objects: Objects, widget: Json) -> None:
    await objects.apply(widget | {"status": {"ready": True}}, "ann")
    stored = await objects.get(widget)
    assert "status" not in stored
    assert not {path for path in owned(stored, "ann") if path.startswith("status")}
    status = {"status": {"ready": True}, "spec": {"size": 9}, "metadata": {"labels": {"a": "1"}}}
    stored = await objects.patch(widget, status, "watcher", subresource="status")
    assert stored["spec"] == {"size": 1}
    assert "labels" not in stored["metadata"]
    assert owned(stored, "watcher", "Update", "status") == {"status", "status ready"}


async def test_unknown_fields_are_kept_and_owned(objects: Objects, widget: Json) -> None:
    stored = await objects.apply(widget | {"extra": {"a": 1}}, "ann")
    assert stored["extra"] == {"a": 1}
    assert {"extra", "extra a"} <= owned(stored, "ann")
    stored = await objects.apply(widget, "ann")
    assert "extra" not in stored


async def test_a_second_apply_changes_nothing(objects: Objects, widget: Json) -> None:
    stored = await objects.apply(sized(widget, a=[{"b": None}], c=1.5), "ann")
    assert await objects.apply(sized(widget, a=[{"b": None}], c=1.5), "ann") == stored
    assert managers(stored) == [("ann", "Apply")]
    assert entry(stored, "ann") is not None
