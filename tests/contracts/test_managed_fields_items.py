"""Ownership of items of lists: items without a name, of one name, moved, and in part changed by updaters."""

import pytest

from tests.support.kube import Json
from tests.support.objects import (
    JSON_PATCH,
    STRATEGIC_PATCH,
    Objects,
    container,
    deployment,
    entry,
    managers,
    owned,
)

IN_WEB = 'spec template spec containers {"name":"web"}'


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
