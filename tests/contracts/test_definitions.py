"""Custom resources: kinds that are served from the moment on at which they are defined."""

from __future__ import annotations

import asyncio
from contextlib import aclosing

import pytest

from tests.support.behaving import is_true
from tests.support.kube import Json, Kube
from tests.support.objects import MERGE_PATCH, Objects, config_map
from tests.support.widgets import DEFINITIONS, Widgets, definition

HOLD = "contracts.test.invalid/hold"


async def test_a_definition_is_completed_and_accepted(kube: Kube, widgets: Widgets) -> None:
    stored = (await kube.request("GET", widgets.definition)).body
    names = {
        "kind": "Widget",
        "listKind": "WidgetList",
        "plural": "widgets",
        "singular": "widget",
        "shortNames": ["wd"],
    }
    assert stored["spec"]["names"] == stored["status"]["acceptedNames"] == names
    assert stored["spec"]["conversion"] == {"strategy": "None"}
    assert stored["status"]["storedVersions"] == ["v1"]
    assert is_true("NamesAccepted")(stored)


async def test_a_definition_is_named_after_what_it_defines(kube: Kube, objects: Objects) -> None:
    wrong = definition(f"{objects.namespace}.test.invalid") | {"metadata": {"name": "other.test.invalid"}}
    answer = await kube.request("POST", DEFINITIONS, wrong)
    assert answer.status == 422
    assert answer.body["details"]["causes"] == [
        {
            "reason": "FieldValueInvalid",
            "message": 'Invalid value: "other.test.invalid": must be spec.names.plural+"."+spec.group',
            "field": "metadata.name",
        }
    ]


async def test_a_defined_kind_is_discovered(kube: Kube, widgets: Widgets) -> None:
    body = (await kube.request("GET", f"/apis/{widgets.group}/v1")).body
    found = {each["name"]: each for each in body["resources"]}
    assert found.keys() == {"widgets", "widgets/status"}
    assert (found["widgets"]["kind"], found["widgets"]["shortNames"]) == ("Widget", ["wd"])
    assert (await kube.request("GET", f"/apis/{widgets.group}")).body["preferredVersion"]["version"] == "v1"


async def test_custom_objects_are_written_and_read(kube: Kube, widgets: Widgets) -> None:
    created = await kube.request("POST", widgets.collection, widgets.widget(other=[1], status={"seen": 1}))
    assert created.status == 201
    assert (created.body["other"], "status" in created.body) == ([1], False)
    assert created.body["metadata"]["generation"] == 1
    again = await kube.request("POST", widgets.collection, widgets.widget())
    assert again.body["message"] == f'widgets.{widgets.group} "w" already exists'
    listed = (await kube.request("GET", widgets.collection)).body
    assert (listed["kind"], listed["items"][0]["kind"]) == ("WidgetList", "Widget")
    missing = await kube.request("GET", f"{widgets.collection}/none")
    assert missing.body["message"] == f'widgets.{widgets.group} "none" not found'
    deleted = await kube.request("DELETE", f"{widgets.collection}/w")
    assert (deleted.status, deleted.body["status"]) == (200, "Success")


async def test_everything_but_labels_is_a_generation(kube: Kube, widgets: Widgets) -> None:
    await kube.request("POST", widgets.collection, widgets.widget())
    path = f"{widgets.collection}/w"
    changes: list[tuple[Json, int]] = [
        ({"metadata": {"labels": {"a": "b"}, "annotations": {"a": "b"}}}, 1),
        ({"other": 1}, 2),
        ({"spec": {"size": 2}}, 3),
    ]
    for patch, generation in changes:
        answer = await kube.request("PATCH", path, patch, content_type=MERGE_PATCH)
        assert answer.body["metadata"]["generation"] == generation


async def test_a_custom_status_has_its_own_door(kube: Kube, widgets: Widgets) -> None:
    await kube.request("POST", widgets.collection, widgets.widget())
    patch = {"metadata": {"labels": {"a": "b"}}, "spec": {"size": 9}, "status": {"seen": 1}}
    answer = await kube.request("PATCH", f"{widgets.collection}/w/status", patch, content_type=MERGE_PATCH)
    assert (answer.body["spec"], answer.body["status"]) == ({"size": 1}, {"seen": 1})
    assert "labels" not in answer.body["metadata"]
    assert answer.body["metadata"]["generation"] == 1


async def test_a_custom_object_is_replaced_at_a_known_version_only(kube: Kube, widgets: Widgets) -> None:
    await kube.request("POST", widgets.collection, widgets.widget())
    answer = await kube.request("PUT", f"{widgets.collection}/w", widgets.widget(spec={"size": 2}))
    assert answer.status == 422
    assert answer.body["message"] == (
        f'widgets.{widgets.group} "w" is invalid: '
        "metadata.resourceVersion: Invalid value: 0: must be specified for an update"
    )


async def test_custom_objects_are_not_merged_strategically(kube: Kube, widgets: Widgets) -> None:
    await kube.request("POST", widgets.collection, widgets.widget())
    form = "application/strategic-merge-patch+json"
    answer = await kube.request("PATCH", f"{widgets.collection}/w", {}, content_type=form)
    assert (answer.status, answer.body["reason"]) == (415, "UnsupportedMediaType")
    assert answer.body["message"] == (
        "the body of the request was in an unknown format - accepted media types include: "
        "application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml"
    )


async def test_history_from_before_a_kind_is_expired(kube: Kube, widgets: Widgets) -> None:
    params = {"resourceVersion": "1", "timeoutSeconds": "5"}
    async with asyncio.timeout(4), aclosing(kube.watch(widgets.collection, params)) as events:
        found = [event async for event in events]
    assert [(event["type"], event["object"]["kind"]) for event in found] == [("ERROR", "Status")]
    status = found[0]["object"]
    assert (status["code"], status["reason"]) == (410, "Expired")
    assert status["message"].startswith("too old resource version: 1 (")


async def test_a_definition_takes_its_objects_with_it(kube: Kube, widgets: Widgets) -> None:
    held = widgets.widget("held")
    held["metadata"]["finalizers"] = [HOLD]
    await kube.request("POST", widgets.collection, held)
    await kube.request("POST", widgets.collection, widgets.widget("free"))
    answer = await kube.request("DELETE", widgets.definition)
    assert answer.body["metadata"]["finalizers"] == ["customresourcecleanup.apiextensions.k8s.io"]
    await kube.until_gone(f"{widgets.collection}/free")
    again = await kube.request("DELETE", widgets.definition)
    assert again.body["metadata"]["finalizers"] == ["customresourcecleanup.apiextensions.k8s.io"]
    patch = {"metadata": {"finalizers": None}}
    await kube.request("PATCH", f"{widgets.collection}/held", patch, content_type=MERGE_PATCH)
    await kube.until_gone(widgets.definition)
    async with asyncio.timeout(20):
        while (await kube.request("GET", widgets.collection)).status != 404:
            pass


async def test_a_definition_goes_at_once_when_nothing_is_defined(kube: Kube, widgets: Widgets) -> None:
    await kube.request("DELETE", widgets.definition)
    await kube.until_gone(widgets.definition)


@pytest.mark.timeout(150)
async def test_custom_objects_own_and_are_owned(kube: Kube, objects: Objects, widgets: Widgets) -> None:
    owner = (await kube.request("POST", widgets.collection, widgets.widget())).body
    reference = {name: owner[name] for name in ("apiVersion", "kind")} | {
        name: owner["metadata"][name] for name in ("name", "uid")
    }
    child = config_map("child")
    child["metadata"]["ownerReferences"] = [reference]
    await objects.create(child, "ann")
    await kube.request("DELETE", f"{widgets.collection}/w")
    # The real garbage collector learns of new kinds every half minute.
    await kube.until_gone(objects.path(child), seconds=120)
