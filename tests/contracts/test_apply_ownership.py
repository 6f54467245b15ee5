"""Who owns what after server-side applies, on every cluster."""

import pytest

from tests.support.objects import Objects, but, config_map, container, deployment, entry, managers, owned

IMAGE = 'spec template spec containers {"name":"web"} image'


async def test_an_apply_owns_what_it_sends_and_nothing_that_the_server_adds(objects: Objects) -> None:
    stored = await objects.apply(deployment(), "ann")
    assert owned(stored, "ann") == {
        "spec replicas",
        "spec selector",
        "spec template metadata labels app",
        'spec template spec containers {"name":"web"}',
        'spec template spec containers {"name":"web"} name',
        IMAGE,
    }
    assert stored["spec"]["progressDeadlineSeconds"] == 600
    written = entry(stored, "ann")
    assert written is not None
    assert {name: value for name, value in written.items() if name not in {"time", "fieldsV1"}} == {
        "manager": "ann",
        "operation": "Apply",
        "apiVersion": "apps/v1",
        "fieldsType": "FieldsV1",
    }


async def test_the_same_apply_again_changes_nothing(objects: Objects) -> None:
    await objects.apply(config_map(a="1"), "ann")
    before = await objects.get(config_map())
    assert await objects.apply(config_map(a="1"), "ann") == before


async def test_an_apply_that_says_nothing_owns_nothing(objects: Objects) -> None:
    assert managers(await objects.apply(config_map(), "ann")) == []
    await objects.apply(config_map(a="1"), "ann")
    emptied = await objects.apply(config_map(), "ann")
    assert managers(emptied) == []
    assert "data" not in emptied


async def test_what_is_not_applied_any_more_leaves_the_object(objects: Objects) -> None:
    await objects.apply(config_map(a="1", b="2"), "ann")
    stored = await objects.apply(config_map(a="1"), "ann")
    assert stored["data"] == {"a": "1"}
    assert owned(stored, "ann") == {"data a"}


async def test_what_somebody_else_applies_too_stays(objects: Objects) -> None:
    await objects.apply(config_map(a="1", b="2"), "ann")
    await objects.apply(config_map(b="2"), "bob")
    stored = await objects.apply(config_map(a="1"), "ann")
    assert stored["data"] == {"a": "1", "b": "2"}
    assert owned(stored, "bob") == {"data b"}


async def test_what_nobody_owns_stays(objects: Objects) -> None:
    """The sole owner of replicas stops sending them: the field goes, and the server puts its default there."""
    await objects.apply(deployment(replicas=0), "ann")
    stored = await objects.apply(but(deployment(), "spec", "replicas"), "ann")
    assert stored["spec"]["replicas"] == 1
    assert stored["spec"]["revisionHistoryLimit"] == 10


async def test_replicas_handed_over_beforehand_keep_their_value(objects: Objects) -> None:
    await objects.apply(deployment(replicas=0), "ann")
    scale = {name: deployment()[name] for name in ("apiVersion", "kind", "metadata")} | {"spec": {"replicas": 0}}
    await objects.apply(scale, "scaler")
    stored = await objects.apply(but(deployment(), "spec", "replicas"), "ann")
    assert stored["spec"]["replicas"] == 0
    assert owned(stored, "scaler") == {"spec replicas"}
    assert "spec replicas" not in owned(stored, "ann")


async def test_equal_values_are_shared_and_the_second_entry_has_no_time(objects: Objects) -> None:
    await objects.apply(config_map(a="1"), "zoe")
    stored = await objects.apply(config_map(a="1"), "ann")
    assert managers(stored) == [("ann", "Apply"), ("zoe", "Apply")]
    first, second = entry(stored, "zoe"), entry(stored, "ann")
    assert first is not None
    assert "time" in first
    assert second is not None
    assert "time" not in second
    assert owned(stored, "ann") == owned(stored, "zoe") == {"data a"}


async def test_a_shared_field_goes_with_its_last_owner(objects: Objects) -> None:
    await objects.apply(config_map(a="1"), "ann")
    await objects.apply(config_map(a="1"), "bob")
    assert (await objects.apply(config_map(), "ann"))["data"] == {"a": "1"}
    assert "data" not in await objects.apply(config_map(), "bob")


async def test_another_value_is_a_conflict_that_names_manager_and_field(objects: Objects) -> None:
    await objects.apply(deployment(), "ann")
    other = deployment()
    container(other)["image"] = "web:2"
    answer = await objects.try_apply(other, "bob")
    assert answer.status == 409
    assert answer.body["reason"] == "Conflict"
    field = '.spec.template.spec.containers[name="web"].image'
    assert answer.body["message"] == f'Apply failed with 1 conflict: conflict with "ann": {field}'
    assert answer.body["details"]["causes"] == [
        {"reason": "FieldManagerConflict", "message": 'conflict with "ann"', "field": field}
    ]


async def test_conflicts_with_several_managers_are_told_one_by_one(objects: Objects) -> None:
    await objects.create(config_map(a="1", b="1", c="1"), "clara")
    await objects.apply(config_map(a="1", b="1"), "ann")
    await objects.apply(config_map(a="1"), "bob")
    answer = await objects.try_apply(config_map(a="2", b="2", c="1"), "dora")
    assert answer.status == 409
    assert answer.body["message"] == (
        'Apply failed with 5 conflicts: conflicts with "ann":\n- .data.a\n- .data.b\nconflicts with "bob":\n- .data.a\n'
        'conflicts with "clara" using v1:\n- .data.a\n- .data.b'
    )
    causes = {(cause["message"], cause["field"]) for cause in answer.body["details"]["causes"]}
    assert causes == {
        ('conflict with "ann"', ".data.a"),
        ('conflict with "ann"', ".data.b"),
        ('conflict with "bob"', ".data.a"),
        ('conflict with "clara" using v1', ".data.a"),
        ('conflict with "clara" using v1', ".data.b"),
    }
    assert (await objects.get(config_map()))["data"] == {"a": "1", "b": "1", "c": "1"}


async def test_force_takes_what_changes_and_leaves_what_does_not(objects: Objects) -> None:
    await objects.apply(config_map(a="1", b="1"), "ann")
    stored = await objects.apply(config_map(a="2", b="1"), "bob", force=True)
    assert stored["data"] == {"a": "2", "b": "1"}
    assert owned(stored, "ann") == {"data b"}
    assert owned(stored, "bob") == {"data a", "data b"}


async def test_a_manager_from_whom_all_is_taken_disappears(objects: Objects) -> None:
    await objects.apply(config_map(a="1"), "ann")
    assert managers(await objects.apply(config_map(a="2"), "bob", force=True)) == [("bob", "Apply")]


async def test_an_item_goes_with_all_that_was_defaulted_in_it(objects: Objects) -> None:
    two = deployment()
    two["spec"]["template"]["spec"]["containers"].append({"name": "side", "image": "side:1"})
    await objects.apply(two, "ann")
    stored = await objects.apply(deployment(), "ann")
    assert [item["name"] for item in stored["spec"]["template"]["spec"]["containers"]] == ["web"]


async def test_an_item_in_which_somebody_else_owns_something_stays(objects: Objects) -> None:
    """Only what the applier owned alone leaves the item; what the server put there goes with the item or not at all."""
    two = deployment()
    two["spec"]["template"]["spec"]["containers"].append({"name": "side", "image": "side:1", "args": ["a"]})
    await objects.apply(two, "ann")
    part = {name: two[name] for name in ("apiVersion", "kind", "metadata")} | {
        "spec": {"template": {"spec": {"containers": [{"name": "side", "image": "side:1"}]}}}
    }
    await objects.apply(part, "bob")
    stored = await objects.apply(deployment(), "ann")
    assert {item["name"] for item in stored["spec"]["template"]["spec"]["containers"]} == {"side", "web"}
    side = next(item for item in stored["spec"]["template"]["spec"]["containers"] if item["name"] == "side")
    assert "args" not in side
    assert side["image"] == "side:1"


async def test_a_struct_goes_with_the_last_field_in_it(objects: Objects) -> None:
    limited = deployment()
    container(limited)["resources"] = {"limits": {"cpu": "1"}}
    container(limited)["securityContext"] = {"runAsUser": 5}
    await objects.apply(limited, "ann")
    stored = await objects.apply(deployment(), "ann")
    assert container(stored)["resources"] == {}
    assert "securityContext" not in container(stored)


async def test_a_struct_in_which_others_own_something_keeps_it(objects: Objects) -> None:
    limited = deployment()
    container(limited)["resources"] = {"limits": {"cpu": "1", "memory": "1Gi"}}
    await objects.apply(limited, "ann")
    del container(limited)["resources"]["limits"]["cpu"]
    await objects.apply(limited, "bob")
    stored = await objects.apply(deployment(), "ann")
    assert container(stored)["resources"] == {"limits": {"memory": "1Gi"}}


@pytest.mark.parametrize("force", [False, True])
async def test_who_applies_over_his_own_fields_conflicts_with_nobody(objects: Objects, *, force: bool) -> None:
    await objects.apply(config_map(a="1"), "ann")
    stored = await objects.apply(config_map(a="2"), "ann", force=force)
    assert stored["data"] == {"a": "2"}
    assert managers(stored) == [("ann", "Apply")]
