"""Ownership after creates, replacements and patches, and what becomes of it when applies follow."""

import asyncio
import json
from typing import Any

import pytest

from tests.support.kube import Json
from tests.support.objects import (
    JSON_PATCH,
    STRATEGIC_PATCH,
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


async def test_a_create_owns_what_it_sends_its_defaults_and_the_containers_around_them(objects: Objects) -> None:
    sent = but(config_map(a="1"), "metadata", "labels", value={"x": "1"})
    stored = await objects.create(sent, "carl")
    assert owned(stored, "carl", "Update") == {"data", "data a", "metadata labels", "metadata labels x"}
    stored = await objects.create(deployment(), "carl")
    mine = owned(stored, "carl", "Update")
    assert {"spec progressDeadlineSeconds", "spec strategy type", "spec strategy rollingUpdate", IN_WEB} <= mine
    assert not {"spec", "spec template", "spec strategy", "spec template spec containers", "status"} & mine


async def test_who_writes_what_was_there_already_gains_nothing(objects: Objects) -> None:
    stored = await objects.create(config_map(a="1"), "carl")
    assert await objects.patch(stored, {"data": {"a": "1"}}, "pete") == stored


async def test_a_create_drops_what_its_kind_does_not_have(objects: Objects) -> None:
    stored = await objects.create(config_map(a="1") | {"colour": "blue"}, "carl")
    assert "colour" not in stored
    assert owned(stored, "carl", "Update") == {"data", "data a"}


async def test_null_in_a_list_of_structs_is_an_empty_struct(objects: Objects) -> None:
    policy = {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": "open"},
        "spec": {"podSelector": {}, "ingress": [None]},
    }
    assert (await objects.apply(policy, "ann"))["spec"]["ingress"] == [{}]


def account(*secrets: Json) -> Json:
    return {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "robot"}, "secrets": list(secrets)}


NAMELESS = (
    ".secrets: element 0: associative list with keys has an element that omits all key fields "
    '["name"] (and doesn\'t have default values for any key fields)'
)


async def test_an_item_without_a_name_cannot_be_applied(objects: Objects) -> None:
    """A ServiceAccount's secrets are found by their names, and nothing says that they must have one."""
    answer = await objects.try_apply(account({"kind": "Secret"}), "ann")
    assert answer.status == 500
    assert answer.body["message"] == (
        f"failed to create typed patch object (/robot; /v1, Kind=ServiceAccount): {NAMELESS}"
    )


async def test_an_item_without_a_name_leaves_an_object_without_owners(objects: Objects) -> None:
    stored = await objects.create(account({"kind": "Secret"}), "carl")
    assert managers(stored) == []
    answer = await objects.try_apply(account({"name": "a"}), "ann")
    assert answer.status == 500
    whose = f"{objects.namespace}/robot; /v1, Kind=ServiceAccount"
    assert answer.body["message"] == (
        f"failed to create manager for existing fields: failed to convert new object ({whose}) to smd typed: {NAMELESS}"
    )


async def test_an_item_that_loses_its_name_takes_all_ownership_along(objects: Objects) -> None:
    await objects.apply(account({"name": "a"}), "ann")
    stored = await objects.patch(account(), {"secrets": [{"kind": "Secret"}]}, "pete")
    assert managers(stored) == []


async def test_only_a_change_moves_the_time_of_an_entry(objects: Objects) -> None:
    stored = await objects.apply(config_map(a="1"), "ann")
    await next_second(objects)
    assert await objects.apply(config_map(a="1"), "ann") == stored
    assert await objects.patch(config_map(), {"data": {"a": "1"}}, "pete") == stored
    later = entry(await objects.apply(config_map(a="2"), "ann"), "ann")
    first = entry(stored, "ann")
    assert first is not None
    assert later is not None
    assert later["time"] > first["time"]


async def test_a_zero_that_does_not_stay_is_written_once(objects: Objects) -> None:
    """Every apply sets it anew; but what is stored is the same, and so nothing is stored."""
    zero = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "web"},
        "spec": {"ports": [{"port": 80}], "publishNotReadyAddresses": False},
    }
    stored = await objects.apply(zero, "ann")
    await next_second(objects)
    assert await objects.apply(zero, "ann") == stored


async def test_a_zero_that_does_not_stay_can_change_the_order_of_entries(objects: Objects) -> None:
    """And then it is stored: the times are compared place by place."""
    zero = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "web"},
        "spec": {"ports": [{"port": 80}], "publishNotReadyAddresses": False},
    }
    await objects.apply(zero, "ann")
    labelled = but(but(zero, "spec", "publishNotReadyAddresses"), "metadata", "labels", value={"a": "1"})
    await objects.apply(labelled, "bob")
    await next_second(objects)
    stored = await objects.apply(zero, "ann")
    assert managers(stored) == [("bob", "Apply"), ("ann", "Apply")]


async def next_second(objects: Objects) -> None:
    """Return when the server's clock shows another second than now."""
    first = (await objects.kube.request("GET", "/version")).headers["Date"]
    async with asyncio.timeout(5):
        while (await objects.kube.request("GET", "/version")).headers["Date"] == first:
            pass


async def test_a_changed_field_changes_hands(objects: Objects) -> None:
    await objects.apply(config_map(a="1", b="1"), "ann")
    stored = await objects.patch(config_map(), {"data": {"a": "2", "c": "3"}}, "pete")
    assert owned(stored, "ann") == {"data b"}
    assert owned(stored, "pete", "Update") == {"data a", "data c"}


async def test_a_removed_field_is_nobodys(objects: Objects) -> None:
    await objects.apply(config_map(a="1", b="1"), "ann")
    await objects.apply(config_map(b="1"), "bob")
    stored = await objects.patch(config_map(), {"data": {"b": None}}, "pete")
    assert stored["data"] == {"a": "1"}
    assert owned(stored, "ann") == {"data a"}
    assert managers(stored) == [("ann", "Apply")]


async def test_one_name_under_two_operations_makes_two_entries(objects: Objects) -> None:
    await objects.apply(config_map(a="1"), "ann")
    stored = await objects.patch(config_map(), {"data": {"b": "1"}}, "ann")
    assert managers(stored) == [("ann", "Apply"), ("ann", "Update")]
    answer = await objects.try_apply(config_map(a="1", b="2"), "ann")
    assert answer.status == 409
    assert answer.body["message"] == 'Apply failed with 1 conflict: conflict with "ann" using v1: .data.b'


async def test_an_updater_gathers_fields_in_one_entry(objects: Objects) -> None:
    await objects.create(config_map(a="1"), "carl")
    stored = await objects.patch(config_map(), {"data": {"b": "1"}}, "carl")
    assert owned(stored, "carl", "Update") == {"data", "data a", "data b"}
    stored = await objects.put(unversioned(stored) | {"data": {"b": "2"}}, "carl")
    assert owned(stored, "carl", "Update") == {"data", "data b"}


async def test_what_an_updater_set_is_not_removed_by_an_applier_who_never_sent_it(objects: Objects) -> None:
    await objects.create(config_map(a="1", b="1"), "carl")
    await objects.apply(config_map(a="1"), "ann")
    stored = await objects.apply(config_map(c="1"), "ann")
    assert stored["data"] == {"a": "1", "b": "1", "c": "1"}


async def test_fields_of_an_item_that_an_updater_changed_stay_with_the_item(objects: Objects) -> None:
    """An Update owns a field in an item and not the item: when its applier drops the item, the field stays in it."""
    applied = deployment()
    applied["spec"]["template"]["spec"]["containers"].append({"name": "side", "image": "side:1"})
    await objects.apply(applied, "ann")
    patch = {"spec": {"template": {"spec": {"containers": [{"name": "side", "image": "side:2"}]}}}}
    stored = await objects.patch(applied, patch, "pete", form=STRATEGIC_PATCH)
    side = 'spec template spec containers {"name":"side"}'
    assert owned(stored, "pete", "Update") == {f"{side} image"}
    assert side in owned(stored, "ann")
    stored = await objects.apply(deployment(), "ann")
    assert [item["name"] for item in stored["spec"]["template"]["spec"]["containers"]] == ["web"]
    assert managers(stored)[0] == ("ann", "Apply")


async def test_items_that_move_stay_owned(objects: Objects) -> None:
    listed = deployment()
    container(listed)["env"] = [{"name": "A", "value": "1"}, {"name": "B", "value": "1"}]
    stored = await objects.apply(listed, "ann")
    before = owned(stored, "ann")
    moved = [{"op": "replace", "path": "/spec/template/spec/containers/0/env", "value": container(listed)["env"][::-1]}]
    stored = await objects.patch(listed, moved, "pete", form=JSON_PATCH)
    assert owned(stored, "ann") == before
    assert entry(stored, "pete", "Update") is None


@pytest.mark.parametrize(("first", "second"), [("AA", "A"), ("A", "AA"), ("AA", "AA"), ("AAB", "B"), ("B", "AAB")])
async def test_items_of_one_name_count_together(objects: Objects, first: str, second: str) -> None:
    """Updates may leave items of one name in a list (environment variables are not checked): they are one leaf."""

    def listed(names: str, when: str) -> list[Json]:
        return [{"name": name, "value": f"{when} {index}"} for index, name in enumerate(names)]

    sent = deployment()
    container(sent)["env"] = listed(first, "before")
    stored = await objects.create(sent, "carl")
    twice = f'{IN_WEB} env {{"name":"A"}}'
    assert (f"{twice} value" in owned(stored, "carl", "Update")) == (first.count("A") == 1)
    path = "/spec/template/spec/containers/0/env"
    stored = await objects.patch(
        sent, [{"op": "replace", "path": path, "value": listed(second, "after")}], "pete", form=JSON_PATCH
    )
    pete = owned(stored, "pete", "Update")
    assert (f"{twice} value" in pete) == (second.count("A") == 1)
    assert (twice in pete) == ("A" in second)


async def test_applying_over_items_of_one_name_replaces_them(objects: Objects) -> None:
    sent = deployment()
    container(sent)["env"] = [{"name": "A", "value": "1"}, {"name": "A", "value": "2"}, {"name": "B", "value": "1"}]
    await objects.create(sent, "carl")
    container(sent)["env"] = [{"name": "A", "value": "3"}]
    answer = await objects.try_apply(sent, "ann")
    assert answer.status == 409
    fields = {cause["field"] for cause in answer.body["details"]["causes"]}
    assert fields == {'.spec.template.spec.containers[name="web"].env[name="A"]'}
    stored = await objects.apply(sent, "ann", force=True)
    assert container(stored)["env"] == [{"name": "A", "value": "3"}, {"name": "B", "value": "1"}]
    container(sent)["env"] = []
    stored = await objects.apply(sent, "ann")
    assert container(stored)["env"] == [{"name": "B", "value": "1"}]


async def test_applying_over_items_of_one_name_keeps_the_order_of_the_others(objects: Objects) -> None:
    sent = deployment()
    container(sent)["env"] = [{"name": "A", "value": "1"}, {"name": "A", "value": "2"}, {"name": "B", "value": "1"}]
    await objects.create(sent, "carl")
    container(sent)["env"] = [{"name": "A", "value": "3"}, {"name": "C", "value": "1"}]
    stored = await objects.apply(sent, "ann", force=True)
    assert [item["name"] for item in container(stored)["env"]] == ["A", "C", "B"]


async def test_items_of_one_name_that_nobody_applies_stay_as_they_are(objects: Objects) -> None:
    sent = deployment()
    twice = [{"name": "A", "value": "1"}, {"name": "A", "value": "2"}]
    container(sent)["env"] = twice
    await objects.create(sent, "carl")
    container(sent)["env"] = [{"name": "B", "value": "1"}, {"name": "C", "value": "1"}]
    await objects.apply(sent, "ann")
    container(sent)["env"] = [{"name": "B", "value": "1"}]
    stored = await objects.apply(sent, "ann")
    assert sorted(item["value"] for item in container(stored)["env"]) == ["1", "1", "2"]
    assert [item for item in container(stored)["env"] if item["name"] == "A"] == twice


async def test_status_has_entries_of_its_own(objects: Objects) -> None:
    await objects.apply(deployment(paused=True), "ann")
    status = {"status": {"availableReplicas": 0, "observedGeneration": 7}, "spec": {"replicas": 5}}
    stored = await objects.patch(deployment(), status, "watcher", subresource="status")
    assert stored["spec"]["replicas"] == 0
    found = entry(stored, "watcher", "Update", "status")
    assert found is not None
    assert found["subresource"] == "status"
    assert owned(stored, "watcher", "Update", "status") == {"status observedGeneration"}
    assert "spec replicas" in owned(stored, "ann")


async def test_status_on_the_object_itself_is_neither_written_nor_owned(objects: Objects) -> None:
    applied = deployment() | {"status": {"observedGeneration": 99}}
    stored = await objects.apply(applied, "ann")
    assert not {path for path in owned(stored, "ann") if path.startswith("status")}
    assert stored["status"].get("observedGeneration") != 99
    stored = await objects.patch(deployment(), {"status": {"observedGeneration": 99}}, "pete")
    assert entry(stored, "pete", "Update") is None


async def test_an_applied_status_does_not_own_the_spec(objects: Objects) -> None:
    quota: Json = {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {"name": "q", "labels": {"a": "1"}},
        "spec": {"hard": {"pods": "5"}},
    }
    await objects.apply(quota, "ann")
    stored = await objects.apply(
        quota | {"status": {"hard": {"pods": "4"}}}, "watcher", subresource="status", force=True
    )
    assert owned(stored, "watcher", "Apply", "status") == {"metadata labels a", "status hard pods"}
    answer = await objects.try_apply(quota | {"status": {"hard": {"pods": "3"}}}, "other", subresource="status")
    assert 'conflict with "watcher" with subresource "status": .status.hard.pods' in answer.body["message"]


async def test_a_deployments_labels_cannot_be_reached_through_its_status(objects: Objects) -> None:
    await objects.apply(deployment(paused=True), "ann")
    patch = {"metadata": {"labels": {"a": "1"}, "annotations": {"b": "1"}}}
    stored = await objects.patch(deployment(), patch, "watcher", subresource="status")
    assert "labels" not in stored["metadata"]
    assert owned(stored, "watcher", "Update", "status") - {"metadata annotations"} == {"metadata annotations b"}


async def test_scaling_owns_the_replicas_through_the_scale(objects: Objects) -> None:
    await objects.apply(deployment(replicas=0, paused=True), "ann")
    await objects.patch(deployment(), {"spec": {"replicas": 2}}, "scaler", subresource="scale")
    stored = await objects.get(deployment())
    assert stored["spec"]["replicas"] == 2
    assert owned(stored, "scaler", "Update", "scale") == {"spec replicas"}
    assert "spec replicas" not in owned(stored, "ann")
    answer = await objects.try_apply(deployment(replicas=0, paused=True), "ann")
    expected = 'conflict with "scaler" with subresource "scale" using apps/v1: .spec.replicas'
    assert answer.body["message"] == f"Apply failed with 1 conflict: {expected}"


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


async def test_old_updaters_are_put_together_when_there_are_more_than_ten(objects: Objects) -> None:
    await objects.apply(config_map(a="1"), "ann")
    for number in range(12):
        stored = await objects.patch(config_map(), {"data": {f"k{number}": "1"}}, f"m{number:02}")
    names = [name for name, operation in managers(stored) if operation == "Update"]
    assert len(names) == 10
    assert "ancient-changes" in names
    everything = set().union(*(owned(stored, name, "Update") for name in names))
    assert everything == {f"data k{number}" for number in range(12)}
    assert owned(stored, "ann") == {"data a"}


async def test_without_a_name_the_program_is_the_manager(objects: Objects) -> None:
    answer = await objects.kube.request("POST", objects.collection(config_map()), config_map(a="1"))
    assert managers(answer.body) == [("contracts", "Update")]


async def test_entries_stand_in_order_of_operation_time_and_name(objects: Objects) -> None:
    await objects.patch(await objects.create(config_map(a="1"), "zoe"), {"data": {"b": "1"}}, "amy")
    await objects.apply(config_map(c="1"), "zoe")
    stored = await objects.apply(config_map(d="1"), "amy")
    keys = [(item["operation"], item["time"], item["manager"]) for item in stored["metadata"]["managedFields"]]
    assert keys == sorted(keys)
