"""Metadata without content: what a client that needs no more asks for, in every verb."""

from __future__ import annotations

import asyncio
from contextlib import aclosing

import pytest

from tests.support.kube import Json, Kube
from tests.support.objects import APPLY_PATCH, MERGE_PATCH, Objects, but, config_map, deployment
from tests.support.widgets import Widgets

ONE = {"Accept": "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"}
MANY = {"Accept": "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"}
OR_WHOLE = {"Accept": MANY["Accept"] + ",application/json"}


def partial(stored: Json) -> Json:
    return {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": stored["metadata"]}


@pytest.mark.parametrize("headers", [MANY, OR_WHOLE])
async def test_a_list_shows_who_owns_what(kube: Kube, objects: Objects, headers: dict[str, str]) -> None:
    created = await objects.apply(deployment(paused=True), "ann")
    answer = await kube.request("GET", objects.collection(created), headers=headers)
    assert (answer.status, answer.body["kind"]) == (200, "PartialObjectMetadataList")
    [item] = answer.body["items"]
    assert item.keys() == {"kind", "apiVersion", "metadata"}
    assert item["metadata"]["managedFields"][0] == created["metadata"]["managedFields"][0]
    assert int(answer.body["metadata"]["resourceVersion"]) >= int(item["metadata"]["resourceVersion"])


async def test_pages_of_metadata(kube: Kube, objects: Objects) -> None:
    await kube.until(objects.path(config_map("kube-root-ca.crt")), lambda _: True)
    await objects.create(config_map("a"), "ann")
    collection = objects.collection(config_map())
    first = await kube.request("GET", collection, headers=MANY, params={"limit": "1"})
    assert first.body["metadata"]["remainingItemCount"] == 1
    params = {"limit": "1", "continue": first.body["metadata"]["continue"]}
    second = await kube.request("GET", collection, headers=MANY, params=params)
    names = [item["metadata"]["name"] for page in (first, second) for item in page.body["items"]]
    assert names == ["a", "kube-root-ca.crt"]


async def test_writes_answer_with_metadata_too(kube: Kube, objects: Objects) -> None:
    document, path, who = config_map(a="1"), objects.path(config_map()), {"fieldManager": "ann"}
    answer = await kube.request("PATCH", path, document, content_type=APPLY_PATCH, params=who, headers=ONE)
    assert (answer.status, answer.body) == (201, partial(await objects.get(document)))
    patch = {"data": {"b": "1"}}
    answer = await kube.request("PATCH", path, patch, content_type=MERGE_PATCH, params=who, headers=ONE)
    assert (answer.status, answer.body) == (200, partial(await objects.get(document)))
    answer = await kube.request("DELETE", path, headers=ONE)
    assert (answer.status, answer.body["kind"]) == (200, "Status")


async def test_a_watch_of_metadata_begins_changes_and_ends(kube: Kube, objects: Objects) -> None:
    created = await objects.create(config_map("a", v="1"), "ann")
    params = {"fieldSelector": "metadata.name=a"}
    async with aclosing(kube.watch(objects.collection(created), params, headers=ONE)) as events:
        assert await anext(events) == {"type": "ADDED", "object": partial(created)}
        changed = await objects.patch(created, {"data": {"v": "2"}}, "ann")
        assert await anext(events) == {"type": "MODIFIED", "object": partial(changed)}
        await kube.request("DELETE", objects.path(created))
        gone = await anext(events)
    assert (gone["type"], gone["object"].keys()) == ("DELETED", {"kind", "apiVersion", "metadata"})
    assert int(gone["object"]["metadata"]["resourceVersion"]) > int(changed["metadata"]["resourceVersion"])


async def test_a_streaming_list_of_metadata_says_where_it_ends(kube: Kube, objects: Objects) -> None:
    created = await objects.create(config_map("a"), "ann")
    params = {
        "fieldSelector": "metadata.name=a",
        "sendInitialEvents": "true",
        "resourceVersionMatch": "NotOlderThan",
        "allowWatchBookmarks": "true",
    }
    async with aclosing(kube.watch(objects.collection(created), params, headers=ONE)) as events:
        assert await anext(events) == {"type": "ADDED", "object": partial(created)}
        mark = await anext(events)
    assert (mark["type"], mark["object"]["kind"]) == ("BOOKMARK", "PartialObjectMetadata")
    assert mark["object"]["apiVersion"] == "meta.k8s.io/v1"
    assert mark["object"]["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}


async def test_bookmarks_of_metadata(kube: Kube, objects: Objects) -> None:
    created = await objects.create(config_map("a"), "ann")
    await objects.create(config_map("b"), "ann")
    params = {
        "resourceVersion": created["metadata"]["resourceVersion"],
        "fieldSelector": "metadata.name=none",
        "allowWatchBookmarks": "true",
        "timeoutSeconds": "6",
    }
    async with aclosing(kube.watch(objects.collection(created), params, headers=ONE)) as events:
        found = [event async for event in events]
    assert {(event["type"], event["object"]["kind"], event["object"]["apiVersion"]) for event in found} == {
        ("BOOKMARK", "PartialObjectMetadata", "meta.k8s.io/v1")
    }


async def test_what_went_wrong_is_told_whole(kube: Kube, widgets: Widgets) -> None:
    answer = await kube.request("GET", f"{widgets.collection}/none", headers=ONE)
    assert (answer.status, answer.body["kind"], answer.body["reason"]) == (404, "Status", "NotFound")
    params = {"resourceVersion": "1"}
    async with aclosing(kube.watch(widgets.collection, params, headers=ONE)) as events:
        event = await anext(events)
    assert (event["type"], event["object"]["kind"], event["object"]["code"]) == ("ERROR", "Status", 410)


async def test_a_watch_shows_one_object_at_a_time(kube: Kube, objects: Objects) -> None:
    """Asked for lists, the server hangs up at the first event."""
    await objects.create(config_map("a"), "ann")
    params = {"fieldSelector": "metadata.name=a", "timeoutSeconds": "20"}
    async with (
        asyncio.timeout(15),
        aclosing(kube.watch(objects.collection(config_map()), params, headers=MANY)) as events,
    ):
        assert [event async for event in events] == []


async def test_custom_objects_have_metadata_too(kube: Kube, widgets: Widgets) -> None:
    created = (await kube.request("POST", widgets.collection, widgets.widget())).body
    listed = await kube.request("GET", widgets.collection, headers=MANY)
    assert listed.body["items"] == [partial(created)]
    answer = await kube.request("GET", f"{widgets.collection}/w", headers=ONE)
    assert answer.body == partial(created)


@pytest.mark.parametrize(
    ("document", "listed"),
    [
        (config_map("a"), "*core.ConfigMapList"),
        (but(deployment("a"), "spec", "paused", value=True), "*apps.DeploymentList"),
    ],
)
async def test_a_list_is_not_one_object(kube: Kube, objects: Objects, document: Json, listed: str) -> None:
    await objects.create(document, "ann")
    answer = await kube.request("GET", objects.collection(document), headers=ONE)
    assert (answer.status, answer.body["reason"]) == (406, "NotAcceptable")
    assert answer.body["message"] == (
        f"you requested PartialObjectMetadata, but the requested object is a list ({listed})"
    )
    answer = await kube.request("GET", objects.path(document), headers=MANY)
    assert (answer.status, answer.body["reason"]) == (406, "NotAcceptable")
    assert answer.body["message"] == (
        "you requested PartialObjectMetadataList, but the requested object is not a list "
        f"({listed.removesuffix('List')})"
    )
