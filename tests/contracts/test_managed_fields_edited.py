"""Ownership that clients edit, empty or leave out, and what the server makes of their words."""

import json
from typing import Any

import pytest

from tests.support.kube import Json
from tests.support.objects import (
    Objects,
    but,
    config_map,
    container,
    deployment,
    entry,
    managers,
    owned,
)

IN_WEB = 'spec template spec containers {"name":"web"}'


def unversioned(stored: Json) -> Json:
    return but(stored, "metadata", "resourceVersion")


@pytest.mark.parametrize("nothing", [[], [{}]])
async def test_a_client_can_have_all_ownership_forgotten(objects: Objects, nothing: list[Any]) -> None:
    stored = await objects.apply(config_map(a="1"), "ann")
    stored = await objects.put(but(unversioned(stored), "metadata", "managedFields", value=nothing), "carl")
    assert managers(stored) == []
    stored = await objects.patch(stored, {"data": {"a": "2"}}, "pete")
    assert managers(stored) == []


async def test_what_was_there_before_anybody_owned_anything_is_owned_by_nobody_in_particular(objects: Objects) -> None:
    stored = await objects.apply(config_map(a="1", b="1"), "ann")
    stored = await objects.put(but(unversioned(stored), "metadata", "managedFields", value=[]), "carl")
    answer = await objects.try_apply(config_map(a="2"), "bob")
    assert answer.body["message"] == (
        'Apply failed with 1 conflict: conflict with "before-first-apply" using v1: .data.a'
    )
    stored = await objects.apply(config_map(a="2"), "bob", force=True)
    assert owned(stored, "before-first-apply", "Update") == {"data", "data b"}
    assert owned(stored, "bob") == {"data a"}


async def test_a_client_that_leaves_ownership_out_does_not_lose_it(objects: Objects) -> None:
    stored = await objects.apply(config_map(a="1"), "ann")
    bare = but(unversioned(stored), "metadata", "managedFields") | {"data": {"a": "1", "b": "1"}}
    stored = await objects.put(bare, "carl")
    assert owned(stored, "ann") == {"data a"}
    assert owned(stored, "carl", "Update") == {"data b"}


async def test_a_client_can_edit_ownership(objects: Objects) -> None:
    stored = await objects.apply(config_map(a="1", b="1"), "ann")
    mine = stored["metadata"]["managedFields"][0] | {"fieldsV1": {"f:data": {"f:b": {}, ".": {}, "x:y": {}}}}
    stored = await objects.put(but(unversioned(stored), "metadata", "managedFields", value=[mine]), "carl")
    assert owned(stored, "ann") == {"data", "data b"}
    assert entry(stored, "carl", "Update") is None


@pytest.mark.parametrize(
    "broken",
    [
        {"operation": "Guess"},
        {"apiVersion": ""},
        {"fieldsType": "FieldsV2"},
        {"fieldsType": ""},
        {"fieldsV1": {"f": {}}},
        {"fieldsV1": {"data": {}}},
        {"fieldsV1": {"k:nonsense": {}}},
        {"fieldsV1": "f:data"},
        {"fieldsV1": {"f:data": 1}},
    ],
)
async def test_ownership_that_cannot_be_read_is_not_taken_over(objects: Objects, broken: Json) -> None:
    stored = await objects.apply(config_map(a="1"), "ann")
    edited = [stored["metadata"]["managedFields"][0] | broken]
    assert await objects.patch(stored, {"metadata": {"managedFields": edited}}, "carl") == stored


async def test_an_entry_of_nobody_has_no_name(objects: Objects) -> None:
    stored = await objects.apply(config_map(a="1"), "ann")
    edited = [stored["metadata"]["managedFields"][0] | {"manager": ""}]
    stored = await objects.patch(stored, {"metadata": {"managedFields": edited}}, "carl")
    assert "manager" not in stored["metadata"]["managedFields"][0]
    answer = await objects.try_apply(config_map(a="2"), "ann")
    assert answer.body["message"] == 'Apply failed with 1 conflict: conflict with "": .data.a'


async def test_an_entry_without_fields_goes(objects: Objects) -> None:
    stored = await objects.apply(config_map(a="1"), "ann")
    edited = [stored["metadata"]["managedFields"][0] | {"fieldsV1": None}]
    stored = await objects.patch(stored, {"metadata": {"managedFields": edited}}, "carl")
    assert managers(stored) == []


async def test_the_keys_of_an_edited_entry_are_put_in_order(objects: Objects) -> None:
    ported = deployment()
    container(ported)["ports"] = [{"containerPort": 80, "protocol": "TCP"}]
    stored = await objects.apply(ported, "ann")
    edited = json.loads(
        json.dumps(stored["metadata"]["managedFields"][0]).replace(
            json.dumps('k:{"containerPort":80,"protocol":"TCP"}'),
            json.dumps('k:{"protocol":"TCP", "containerPort":80}'),
        )
    )
    assert edited != stored["metadata"]["managedFields"][0]
    after = await objects.patch(stored, {"metadata": {"managedFields": [edited]}}, "carl")
    assert owned(after, "ann") == owned(stored, "ann")


async def edited(objects: Objects, fields: Json) -> Json:
    """Put the ownership of one applier into other words, and return what is kept of them."""
    stored = await objects.apply(config_map(a="1", b="2"), "ann")
    entries = [stored["metadata"]["managedFields"][0] | {"fieldsV1": fields}]
    stored = await objects.patch(stored, {"metadata": {"managedFields": entries}}, "carl")
    kept: Json = stored["metadata"]["managedFields"][0]["fieldsV1"]
    return kept


async def test_elements_of_all_sorts_stand_in_the_order_of_the_server(objects: Objects) -> None:
    mixed = [
        'v:"b"', "i:20", "v:true", "v:10", "v:9", "v:1.5", 'v:"a"', "v:null", 'k:{"port":80,"protocol":"UDP"}', "f:b",
        'k:{"port":9}', 'k:{"port":80,"protocol":"TCP"}', 'k:{"port":true}', "f:a", "i:3",
    ]  # fmt: skip
    kept = await edited(objects, {"f:data": {element: {} for element in mixed}})
    assert list(kept["f:data"]) == [
        "f:a", "f:b", 'k:{"port":9}', 'k:{"port":80,"protocol":"TCP"}', 'k:{"port":80,"protocol":"UDP"}',
        'k:{"port":true}', "v:1.5", "v:9", "v:10", 'v:"a"', 'v:"b"', "v:true", "v:null", "i:3", "i:20",
    ]  # fmt: skip
    stored = await objects.apply(config_map(b="2"), "ann")
    assert stored["data"] == {"b": "2"}


@pytest.mark.parametrize(
    ("fields", "kept", "left"),
    [
        ({"f:data": {"f:a": {"f:x": {}}, 'k:{"b":1}': {"f:x": {"f:y": {}}}}}, ..., {"a": "1", "b": "2"}),
        (
            {"f:data": {".": {}, "f:a": {"f:x": {}}}, ".": {}},
            {"f:data": {".": {}, "f:a": {"f:x": {}}}},
            {"a": "1", "b": "2"},
        ),
        ({"f:data": {"f:a": {".": {}}, "f:zz": {}}}, {"f:data": {"f:a": {}, "f:zz": {}}}, {"b": "2"}),
        ({"f:kind": {"f:y": {}}, "f:nonsense": {"f:x": {}}}, ..., {"a": "1", "b": "2"}),
        ({"f:metadata": {"f:finalizers": {'v:"x"': {"f:y": {}}}}}, ..., {"a": "1", "b": "2"}),
    ],
)
async def test_ownership_of_what_cannot_be_owned_takes_nothing_away(
    objects: Objects, fields: Json, kept: Any, left: Json
) -> None:
    assert await edited(objects, fields) == (fields if kept is ... else kept)
    stored = await objects.apply(config_map(b="2"), "ann")
    assert stored["data"] == left
    assert owned(stored, "ann") == {"data b"}


async def test_fields_inside_a_leaf_stand_for_the_leaf(objects: Objects) -> None:
    """So it was before a list or map became a leaf in a later version of its schema."""
    document = deployment()
    container(document)["args"] = ["a"]
    stored = await objects.apply(document, "ann")
    inside = {
        "f:metadata": {"f:ownerReferences": {'k:{"uid":"1"}': {".": {}, "f:name": {}}}},
        "f:spec": {
            "f:selector": {"f:matchLabels": {"f:app": {}}},
            "f:template": {"f:spec": {"f:containers": {'k:{"name":"web"}': {"f:args": {"i:0": {}}}}}},
        },
    }
    entries = [stored["metadata"]["managedFields"][0] | {"fieldsV1": inside}]
    stored = await objects.patch(stored, {"metadata": {"managedFields": entries}}, "carl")
    assert owned(stored, "ann") == {'metadata ownerReferences {"uid":"1"}', "spec selector", f"{IN_WEB} args"}


async def test_ownership_in_a_version_that_does_not_exist_is_dropped(objects: Objects) -> None:
    stored = await objects.apply(config_map(a="1"), "ann")
    stranger = stored["metadata"]["managedFields"][0] | {"manager": "old", "apiVersion": "v9"}
    edited = [*stored["metadata"]["managedFields"], stranger]
    stored = await objects.put(but(unversioned(stored), "metadata", "managedFields", value=edited), "carl")
    stored = await objects.apply(config_map(a="1", b="1"), "ann")
    assert managers(stored) == [("ann", "Apply")]
