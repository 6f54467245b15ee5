"""Strategic merge patches: lists that are sets or maps, and the directives that stand inside a patch."""

from typing import Any

import pytest

from tests.support.kube import Json
from tests.support.objects import STRATEGIC_PATCH, Objects, but, config_map, container, deployment


def web(**fields: Any) -> Json:
    return {"spec": {"template": {"spec": {"containers": [{"name": "web", **fields}]}}}}


def env(names: str) -> list[Json]:
    return [{"name": name, "value": name.lower()} for name in names]


async def created(objects: Objects, **fields: Any) -> Json:
    document = deployment(paused=True)
    container(document).update(fields)
    return await objects.create(document, "carl")


async def patched(objects: Objects, patch: Json) -> Json:
    return await objects.patch(deployment(), patch, "pete", form=STRATEGIC_PATCH)


def names(items: list[Json]) -> str:
    return "".join(item["name"] for item in items)


async def test_an_item_is_found_by_its_key_and_merged(objects: Objects) -> None:
    await created(objects, env=env("A"))
    stored = await patched(objects, web(image="web:2", env=[{"name": "A", "value": "x"}]))
    assert container(stored)["image"] == "web:2"
    assert container(stored)["env"] == [{"name": "A", "value": "x"}]


async def test_a_new_item_comes_as_early_as_it_can(objects: Objects) -> None:
    await created(objects, env=env("AB"))
    assert names(container(await patched(objects, web(env=env("C"))))["env"]) == "CAB"
    assert names(container(await patched(objects, web(env=env("BD"))))["env"]) == "CABD"


@pytest.mark.parametrize(
    ("before", "items", "order", "after"),
    [
        ("ABC", "", "CBA", "CBA"),
        ("ABC", "D", "ABCD", "ABCD"),
        ("ABC", "D", "DC", "DABC"),
        ("", "AB", "AB", "AB"),
        ("BC", "A", "CA", "BCA"),
        ("ABC", "", "B", "ABC"),
    ],
)
async def test_the_order_of_items_can_be_given(
    objects: Objects, before: str, items: str, order: str, after: str
) -> None:
    await created(objects, **({"env": env(before)} if before else {}))
    ordered = {"$setElementOrder/env": [{"name": name} for name in order]}
    patch = web(**ordered, **({"env": env(items)} if items else {}))
    assert names(container(await patched(objects, patch))["env"]) == after


async def test_an_order_of_what_is_not_there_says_nothing(objects: Objects) -> None:
    before = await created(objects)
    stored = await patched(objects, web(**{"$setElementOrder/env": [{"name": "A"}]}))
    assert stored["spec"] == before["spec"]


@pytest.mark.parametrize("order", ["A", [{"name": "C"}, {"name": "B"}], [{"name": "B"}]])
async def test_an_order_that_does_not_fit_the_patch_is_refused(objects: Objects, order: Any) -> None:
    await created(objects, env=env("A"))
    patch = web(**{"$setElementOrder/env": order, "env": env("BC")})
    answer = await objects.try_patch(deployment(), patch, "pete", form=STRATEGIC_PATCH)
    assert answer.status == 500


async def test_an_item_can_be_deleted(objects: Objects) -> None:
    await created(objects, env=env("ABC"))
    stored = await patched(objects, web(env=[{"name": "B", "$patch": "delete"}, {"name": "D", "value": "d"}]))
    assert names(container(stored)["env"]) == "DAC"


async def test_deleting_what_is_not_there_is_no_mistake(objects: Objects) -> None:
    await created(objects)
    stored = await patched(objects, web(env=[{"name": "B", "$patch": "delete"}]))
    assert "env" not in container(stored)


async def test_a_list_can_be_replaced(objects: Objects) -> None:
    await created(objects, env=env("ABC"))
    stored = await patched(objects, web(env=[{"$patch": "replace"}, {"name": "D", "value": "d"}]))
    assert names(container(stored)["env"]) == "D"


async def test_a_map_can_be_replaced_or_deleted(objects: Objects) -> None:
    await created(objects, resources={"limits": {"cpu": "1"}, "requests": {"cpu": "1"}})
    stored = await patched(objects, web(resources={"$patch": "replace", "limits": {"cpu": "2"}}))
    assert container(stored)["resources"] == {"limits": {"cpu": "2"}}
    stored = await patched(objects, web(resources={"$patch": "delete"}))
    assert container(stored)["resources"] == {}
    stored = await patched(objects, web(securityContext={"$patch": "delete", "runAsUser": 1}))
    assert "securityContext" not in container(stored)


async def test_null_takes_a_field_away_and_is_nothing_where_there_is_none(objects: Objects) -> None:
    await created(objects, workingDir="/a")
    stored = await patched(
        objects, web(workingDir=None, securityContext={"runAsUser": 1, "runAsGroup": None}, tty=None)
    )
    assert "workingDir" not in container(stored)
    assert container(stored)["securityContext"] == {"runAsUser": 1}


async def test_a_leaf_list_is_replaced_whole(objects: Objects) -> None:
    await created(objects, args=["a", "b"])
    assert container(await patched(objects, web(args=["c"])))["args"] == ["c"]


async def test_a_list_where_there_was_none_is_taken_without_its_directives(objects: Objects) -> None:
    await created(objects)
    stored = await patched(objects, web(env=[{"name": "A", "value": "a"}, {"name": "B", "$patch": "delete"}]))
    assert container(stored)["env"] == env("A")


async def test_a_set_is_merged_and_can_be_deleted_from(objects: Objects) -> None:
    held = but(config_map(), "metadata", "finalizers", value=["a.b/a", "a.b/b"])
    await objects.create(held, "carl")
    more = {"metadata": {"finalizers": ["a.b/c", "a.b/a"]}}
    stored = await objects.patch(config_map(), more, "pete", form=STRATEGIC_PATCH)
    assert stored["metadata"]["finalizers"] == ["a.b/c", "a.b/a", "a.b/b"]
    less = {"metadata": {"$deleteFromPrimitiveList/finalizers": ["a.b/c", "a.b/b"]}}
    stored = await objects.patch(config_map(), less, "pete", form=STRATEGIC_PATCH)
    assert stored["metadata"]["finalizers"] == ["a.b/a"]
    nothing = {"metadata": {"$deleteFromPrimitiveList/finalizers": ["a.b/a"], "finalizers": None}}
    stored = await objects.patch(config_map(), nothing, "pete", form=STRATEGIC_PATCH)
    assert "finalizers" not in stored["metadata"]
    stored = await objects.patch(
        config_map(), {"metadata": {"$deleteFromPrimitiveList/finalizers": ["a.b/a"]}}, "pete", form=STRATEGIC_PATCH
    )
    assert "finalizers" not in stored["metadata"]


async def test_retained_keys_let_one_source_replace_another(objects: Objects) -> None:
    document = deployment(paused=True)
    document["spec"]["template"]["spec"]["volumes"] = [{"name": "v", "emptyDir": {}}]
    await objects.create(document, "carl")
    source = {"name": "v", "$retainKeys": ["name", "configMap"], "configMap": {"name": "c"}, "emptyDir": None}
    stored = await patched(objects, {"spec": {"template": {"spec": {"volumes": [source]}}}})
    volumes = stored["spec"]["template"]["spec"]["volumes"]
    assert volumes == [{"name": "v", "configMap": {"name": "c", "defaultMode": 420}}]
    recreate = {"spec": {"strategy": {"$retainKeys": ["type"], "type": "Recreate"}}}
    assert (await patched(objects, recreate))["spec"]["strategy"] == {"type": "Recreate"}


@pytest.mark.parametrize("kept", [["type"], "type"])
async def test_retained_keys_must_be_a_list_of_all_that_is_given(objects: Objects, kept: Any) -> None:
    await created(objects)
    strategy = {"$retainKeys": kept, "type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1}}
    answer = await objects.try_patch(deployment(), {"spec": {"strategy": strategy}}, "pete", form=STRATEGIC_PATCH)
    assert answer.status == 400
    assert "invalid patch format of retainKeys" in answer.body["message"]


async def test_a_field_of_its_own_strategy_is_replaced_whole(objects: Objects) -> None:
    budget = {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": {"name": "web"},
        "spec": {"selector": {"matchLabels": {"a": "1"}}, "maxUnavailable": 1},
    }
    await objects.create(budget, "carl")
    patch = {"spec": {"selector": {"matchLabels": {"b": "1"}}}}
    stored = await objects.patch(budget, patch, "pete", form=STRATEGIC_PATCH)
    assert stored["spec"]["selector"] == {"matchLabels": {"b": "1"}}


async def test_free_maps_are_merged_key_by_key(objects: Objects) -> None:
    await objects.create(config_map(a="1", b="1"), "carl")
    stored = await objects.patch(config_map(), {"data": {"a": None, "c": "1"}}, "pete", form=STRATEGIC_PATCH)
    assert stored["data"] == {"b": "1", "c": "1"}


async def test_an_unknown_directive_is_refused(objects: Objects) -> None:
    await created(objects, env=env("A"))
    for patch in ({"spec": {"$patch": "guess"}}, web(env=[{"name": "A", "$patch": "guess"}])):
        answer = await objects.try_patch(deployment(), patch, "pete", form=STRATEGIC_PATCH)
        assert answer.status == 500
        assert "guess" in answer.body["message"].lower()


async def test_an_item_without_its_key_is_refused(objects: Objects) -> None:
    await created(objects, env=env("A"))
    for item in ({"value": "b"}, {"$patch": "delete"}):
        answer = await objects.try_patch(deployment(), web(env=[item]), "pete", form=STRATEGIC_PATCH)
        assert answer.status == 500
        assert answer.body["message"].endswith("does not contain declared merge key: name")


async def test_an_item_of_another_sort_takes_the_place_of_what_was_there(objects: Objects) -> None:
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "web"},
        "spec": {"ports": [{"port": 80, "targetPort": 80}]},
    }
    await objects.create(service, "carl")
    patch = {"spec": {"ports": [{"port": 80, "targetPort": "http"}]}}
    stored = await objects.patch(service, patch, "pete", form=STRATEGIC_PATCH)
    assert stored["spec"]["ports"][0]["targetPort"] == "http"
