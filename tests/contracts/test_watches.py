"""Watches: where they begin, what they show, how they end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

import pytest

from tests.support.kube import Json, Kube
from tests.support.objects import Objects, but, config_map
from tests.support.widgets import Widgets

PARTIAL = {"Accept": "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"}
ROOT = "kube-root-ca.crt"


def labelled(name: str, value: str, **data: str) -> Json:
    return but(config_map(name, **data), "metadata", "labels", value={"w": value})


async def taken(events: AsyncIterator[Json], count: int) -> list[Json]:
    """The next events of a watch."""
    async with asyncio.timeout(10):
        return [await anext(events) for _ in range(count)]


def told(events: list[Json]) -> list[tuple[str, Any]]:
    return [(event["type"], event["object"]["metadata"].get("name")) for event in events]


async def history(objects: Objects) -> str:
    """Make a few changes; return the version before them."""
    first = await objects.create(labelled("a", "1", v="1"), "ann")
    await objects.create(config_map("b"), "ann")
    await objects.patch(config_map("a"), {"data": {"v": "2"}}, "ann")
    await objects.patch(config_map("a"), {"metadata": {"labels": {"w": "2"}}}, "ann")
    await objects.patch(config_map("a"), {"metadata": {"labels": {"w": "1"}}}, "ann")
    await objects.kube.request("DELETE", objects.path(config_map("a")))
    await objects.kube.request("DELETE", objects.path(config_map("b")))
    return str(int(first["metadata"]["resourceVersion"]) - 1)


async def test_a_watch_tells_what_happened_after_a_version(kube: Kube, objects: Objects) -> None:
    version = await history(objects)
    params = {"resourceVersion": version}
    async with aclosing(kube.watch(objects.collection(config_map()), params)) as events:
        found = [event for event in await taken(events, 7) if event["object"]["metadata"]["name"] != ROOT]
    assert told(found)[:3] == [("ADDED", "a"), ("ADDED", "b"), ("MODIFIED", "a")]
    versions = [int(event["object"]["metadata"]["resourceVersion"]) for event in found]
    assert versions == sorted(set(versions))
    assert found[2]["object"]["data"] == {"v": "2"}
    assert found[0]["object"]["kind"] == "ConfigMap"


async def test_an_object_that_leaves_the_selection_is_deleted_for_the_watcher(kube: Kube, objects: Objects) -> None:
    version = await history(objects)
    params = {"resourceVersion": version, "labelSelector": "w=1"}
    async with aclosing(kube.watch(objects.collection(config_map()), params)) as events:
        found = await taken(events, 5)
    assert told(found) == [("ADDED", "a"), ("MODIFIED", "a"), ("DELETED", "a"), ("ADDED", "a"), ("DELETED", "a")]
    left = found[2]["object"]
    assert (left["metadata"]["labels"], left["data"]) == ({"w": "1"}, {"v": "2"})
    assert int(left["metadata"]["resourceVersion"]) > int(found[1]["object"]["metadata"]["resourceVersion"])


async def test_a_watch_of_one_object(kube: Kube, objects: Objects) -> None:
    version = await history(objects)
    params = {"resourceVersion": version, "fieldSelector": "metadata.name=b"}
    async with aclosing(kube.watch(objects.collection(config_map()), params, headers=PARTIAL)) as events:
        found = await taken(events, 2)
    assert told(found) == [("ADDED", "b"), ("DELETED", "b")]
    assert found[0]["object"].keys() == {"kind", "apiVersion", "metadata"}
    assert found[0]["object"]["kind"] == "PartialObjectMetadata"


@pytest.mark.parametrize("version", [{}, {"resourceVersion": "0"}, {"resourceVersion": ""}])
async def test_without_a_version_a_watch_begins_with_what_is_there(
    kube: Kube, objects: Objects, version: dict[str, str]
) -> None:
    await kube.until(objects.path(config_map(ROOT)), lambda _: True)
    await objects.create(labelled("a", "1"), "ann")
    params = version | {"labelSelector": "w"}
    async with aclosing(kube.watch(objects.collection(config_map()), params)) as events:
        assert told(await taken(events, 1)) == [("ADDED", "a")]
        await objects.create(labelled("b", "1"), "ann")
        assert told(await taken(events, 1)) == [("ADDED", "b")]


async def test_a_watch_over_all_namespaces(kube: Kube, objects: Objects) -> None:
    created = await objects.create(labelled("a", objects.namespace), "ann")
    params = {"labelSelector": f"w={objects.namespace}", "resourceVersion": created["metadata"]["resourceVersion"]}
    async with aclosing(kube.watch("/api/v1/configmaps", params)) as events:
        await objects.patch(config_map("a"), {"data": {"v": "2"}}, "ann")
        assert told(await taken(events, 1)) == [("MODIFIED", "a")]


async def test_a_streaming_list_says_where_it_ends(kube: Kube, objects: Objects) -> None:
    await objects.create(labelled("a", "1"), "ann")
    params = {
        "labelSelector": "w",
        "sendInitialEvents": "true",
        "resourceVersionMatch": "NotOlderThan",
        "allowWatchBookmarks": "true",
    }
    async with aclosing(kube.watch(objects.collection(config_map()), params)) as events:
        found = await taken(events, 2)
    assert [event["type"] for event in found] == ["ADDED", "BOOKMARK"]
    assert found[1]["object"]["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}
    assert int(found[1]["object"]["metadata"]["resourceVersion"]) >= int(
        found[0]["object"]["metadata"]["resourceVersion"]
    )


async def test_a_streaming_list_without_bookmarks_does_not(kube: Kube, objects: Objects) -> None:
    await objects.create(labelled("a", "1"), "ann")
    params = {"labelSelector": "w", "sendInitialEvents": "true", "resourceVersionMatch": "NotOlderThan"}
    async with aclosing(kube.watch(objects.collection(config_map()), params)) as events:
        assert told(await taken(events, 1)) == [("ADDED", "a")]
        await objects.create(labelled("b", "1"), "ann")
        assert told(await taken(events, 1)) == [("ADDED", "b")]


async def test_a_watch_may_begin_with_changes_only(kube: Kube, objects: Objects) -> None:
    created = await objects.create(labelled("a", "1"), "ann")
    params = {
        "labelSelector": "w",
        "sendInitialEvents": "false",
        "resourceVersionMatch": "NotOlderThan",
        "resourceVersion": created["metadata"]["resourceVersion"],
    }
    async with aclosing(kube.watch(objects.collection(config_map()), params)) as events:
        await objects.create(labelled("b", "1"), "ann")
        assert told(await taken(events, 1)) == [("ADDED", "b")]


async def test_a_silent_watch_gets_a_bookmark_before_it_ends(kube: Kube, objects: Objects) -> None:
    created = await objects.create(config_map("a"), "ann")
    unseen = await objects.create(config_map("b"), "ann")
    params = {
        "resourceVersion": created["metadata"]["resourceVersion"],
        "fieldSelector": "metadata.name=none",
        "allowWatchBookmarks": "true",
        "timeoutSeconds": "6",
    }
    async with asyncio.timeout(12), aclosing(kube.watch(objects.collection(config_map()), params)) as events:
        found = [event async for event in events]
    assert {(event["type"], event["object"]["kind"]) for event in found} == {("BOOKMARK", "ConfigMap")}
    assert int(found[-1]["object"]["metadata"]["resourceVersion"]) >= int(unseen["metadata"]["resourceVersion"])


async def test_a_bookmark_brings_a_newer_version_or_does_not_come(kube: Kube, widgets: Widgets) -> None:
    """Where nothing of a kind was written there is nothing to mark: silence is no sign of a dead connection."""
    listed = await kube.request("GET", widgets.collection)
    version = listed.body["metadata"]["resourceVersion"]
    params = {"resourceVersion": version, "allowWatchBookmarks": "true", "timeoutSeconds": "6"}
    async with aclosing(kube.watch(widgets.collection, params)) as events:
        found = [event async for event in events]
    assert {event["type"] for event in found} <= {"BOOKMARK"}
    assert all(int(event["object"]["metadata"]["resourceVersion"]) > int(version) for event in found)


async def test_a_watch_ends_when_its_time_is_over(kube: Kube, objects: Objects) -> None:
    params = {"fieldSelector": "metadata.name=none", "timeoutSeconds": "1"}
    async with asyncio.timeout(10), aclosing(kube.watch(objects.collection(config_map()), params)) as events:
        assert [event async for event in events] == []


@pytest.mark.parametrize(
    ("params", "messages"),
    [
        (
            {"sendInitialEvents": "true"},
            ["Forbidden: sendInitialEvents requires setting resourceVersionMatch to NotOlderThan"],
        ),
        (
            {"resourceVersionMatch": "NotOlderThan"},
            ["Forbidden: resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided"],
        ),
        (
            {"sendInitialEvents": "true", "resourceVersionMatch": "Exact"},
            [
                "Forbidden: sendInitialEvents requires setting resourceVersionMatch to NotOlderThan",
                'Unsupported value: "Exact": supported values: "NotOlderThan"',
            ],
        ),
    ],
)
async def test_options_that_contradict_each_other(
    kube: Kube, objects: Objects, params: dict[str, str], messages: list[str]
) -> None:
    answer = await kube.request("GET", objects.collection(config_map()), params={"watch": "true"} | params)
    assert (answer.status, answer.body["details"]["kind"]) == (422, "ListOptions")
    assert [each["message"] for each in answer.body["details"]["causes"]] == messages


@pytest.mark.parametrize("params", [{"timeoutSeconds": "x"}, {"labelSelector": "a=b=c"}, {"fieldSelector": "a=b"}])
async def test_options_that_are_not_understood(kube: Kube, objects: Objects, params: dict[str, str]) -> None:
    answer = await kube.request("GET", objects.collection(config_map()), params={"watch": "1"} | params)
    assert (answer.status, answer.body["reason"]) == (400, "BadRequest")
