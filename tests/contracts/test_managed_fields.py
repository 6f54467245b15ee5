"""Ownership after creates, replacements and patches, and what becomes of it when applies follow."""

from tests.support.kube import Json
from tests.support.objects import (
    Objects,
    but,
    config_map,
    deployment,
    entry,
    managers,
    owned,
)
from tests.support.servertime import next_second

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


async def test_only_a_change_moves_the_time_of_an_entry(objects: Objects) -> None:
    stored = await objects.apply(config_map(a="1"), "ann")
    await next_second(objects.kube)
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
    await next_second(objects.kube)
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
    await next_second(objects.kube)
    stored = await objects.apply(zero, "ann")
    assert managers(stored) == [("bob", "Apply"), ("ann", "Apply")]


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
