"""Applies that are only tried: they answer as the real apply would, and nothing of it stays."""

from __future__ import annotations

import pytest

from tests.support.kube import Json, Kube, Response
from tests.support.objects import (
    APPLY_PATCH,
    MERGE_PATCH,
    Objects,
    accepted,
    config_map,
    container,
    deployment,
    entry,
    managers,
    owned,
)
from tests.support.servertime import next_second

QUIET = deployment(paused=True)


async def tried(objects: Objects, document: Json, manager: str, *, force: bool = False) -> Response:
    params = {"fieldManager": manager, "dryRun": "All"} | ({"force": "true"} if force else {})
    return await objects.kube.request(
        "PATCH", objects.path(document), document, content_type=APPLY_PATCH, params=params
    )


@pytest.fixture
async def web(kube: Kube, objects: Objects) -> Json:
    """A Deployment that one manager applied and its controller has seen, one second ago or more."""
    await objects.apply(QUIET, "ann")
    seen = await settled(objects)
    await next_second(kube)
    return seen


async def settled(objects: Objects) -> Json:
    """The Deployment, once its controller has seen it as it is."""

    def is_seen(stored: Json) -> bool:
        return bool(stored["status"].get("observedGeneration") == stored["metadata"]["generation"])

    return await objects.kube.until(objects.path(QUIET), is_seen)


async def test_a_try_of_nothing_new_answers_with_what_is_there(objects: Objects, web: Json) -> None:
    """Not even the time of the manager's entry moves: this is how a client compares without a write."""
    assert accepted(await tried(objects, QUIET, "ann")) == web
    assert await objects.get(QUIET) == web


async def test_a_try_of_a_change_shows_it_and_keeps_nothing(objects: Objects, web: Json) -> None:
    changed = deployment(paused=True, replicas=2)
    container(changed)["image"] = "web:2"
    shown = accepted(await tried(objects, changed, "ann"))
    assert (shown["spec"]["replicas"], container(shown)["image"]) == (2, "web:2")
    assert shown["metadata"]["resourceVersion"] == web["metadata"]["resourceVersion"]
    assert shown["metadata"]["generation"] == web["metadata"]["generation"] + 1
    before, after = entry(web, "ann"), entry(shown, "ann")
    assert before is not None
    assert after is not None
    assert after["time"] > before["time"]
    assert after["fieldsV1"] == before["fieldsV1"]
    assert await objects.get(QUIET) == web


@pytest.mark.usefixtures("web")
async def test_a_try_shows_what_a_stranger_changed(objects: Objects) -> None:
    await objects.patch(QUIET, {"spec": {"template": {"spec": {"terminationGracePeriodSeconds": 5}}}}, "bob")
    there = await settled(objects)
    assert accepted(await tried(objects, QUIET, "ann")) == there
    patch = [{"op": "replace", "path": "/spec/template/spec/containers/0/image", "value": "web:9"}]
    await objects.patch(QUIET, patch, "bob", form="application/json-patch+json")
    refused = await tried(objects, QUIET, "ann")
    assert (refused.status, refused.body["reason"]) == (409, "Conflict")
    assert [each["field"] for each in refused.body["details"]["causes"]] == [
        '.spec.template.spec.containers[name="web"].image'
    ]
    forced = accepted(await tried(objects, QUIET, "ann", force=True))
    assert container(forced)["image"] == "web:1"
    assert owned(forced, "bob", "Update") == {"spec template spec terminationGracePeriodSeconds"}
    assert container(await objects.get(QUIET))["image"] == "web:9"


async def test_a_try_of_less_shows_what_would_go(objects: Objects) -> None:
    stored = await objects.apply(config_map(a="1", b="1"), "ann")
    shown = accepted(await tried(objects, config_map(a="1"), "ann"))
    assert (shown["data"], owned(shown, "ann")) == ({"a": "1"}, {"data a"})
    assert await objects.get(config_map()) == stored


async def test_a_try_of_a_new_manager_shows_its_entry(objects: Objects) -> None:
    stored = await objects.apply(config_map(a="1"), "ann")
    shown = accepted(await tried(objects, config_map(a="1"), "bob"))
    assert set(managers(shown)) == {("ann", "Apply"), ("bob", "Apply")}
    assert await objects.get(config_map()) == stored


async def test_a_try_of_a_new_object_gives_it_an_identity_but_no_version(objects: Objects) -> None:
    answer = await tried(objects, config_map(a="1"), "ann")
    assert (answer.status, answer.body["data"]) == (201, {"a": "1"})
    assert answer.body["metadata"].keys() == {"name", "namespace", "uid", "creationTimestamp", "managedFields"}
    assert owned(answer.body, "ann") == {"data a"}
    assert (await objects.kube.request("GET", objects.path(config_map()))).status == 404


async def test_a_try_is_refused_as_the_apply_would_be(objects: Objects, web: Json) -> None:
    other = deployment(paused=True, selector={"matchLabels": {"app": "other"}})
    other["spec"]["template"]["metadata"]["labels"] = {"app": "other"}
    refused = await tried(objects, other, "ann")
    assert (refused.status, refused.body["reason"]) == (422, "Invalid")
    assert [each["field"] for each in refused.body["details"]["causes"]] == ["spec.selector"]
    assert await objects.get(QUIET) == web


@pytest.mark.parametrize("subresource", ["status", "scale"])
async def test_the_other_doors_can_be_tried_too(kube: Kube, objects: Objects, web: Json, subresource: str) -> None:
    patch = {"status": {"status": {"collisionCount": 3}}, "scale": {"spec": {"replicas": 3}}}[subresource]
    params = {"fieldManager": "ann", "dryRun": "All"}
    path = objects.path(QUIET, subresource)
    shown = accepted(await kube.request("PATCH", path, patch, content_type=MERGE_PATCH, params=params))
    assert 3 in {shown["status"].get("collisionCount"), shown["spec"].get("replicas")}
    assert shown["metadata"]["resourceVersion"] == web["metadata"]["resourceVersion"]
    assert await objects.get(QUIET) == web
