"""What apply does with null, zero and empty values, and what comes back of them."""

import pytest

from tests.support.kube import Json
from tests.support.objects import Objects, but, config_map, container, deployment, entry, owned

IN_WEB = 'spec template spec containers {"name":"web"}'


async def test_null_for_a_field_takes_its_value_and_owns_it(objects: Objects) -> None:
    await objects.apply(deployment(replicas=3, paused=True), "ann")
    stored = await objects.apply(deployment(replicas=None, paused=True), "ann")
    assert stored["spec"]["replicas"] == 1
    assert "spec replicas" in owned(stored, "ann")


async def test_null_for_a_map_or_list_leaves_what_others_put_there(objects: Objects) -> None:
    first = but(config_map(a="1"), "metadata", "finalizers", value=["test.invalid/a"])
    await objects.apply(first, "ann")
    nothing = but(but(first, "metadata", "finalizers", value=None), "data", value=None)
    stored = await objects.apply(nothing, "bob")
    assert stored["data"] == {"a": "1"}
    assert stored["metadata"]["finalizers"] == ["test.invalid/a"]
    assert owned(stored, "bob") == {"data", "metadata finalizers"}


async def test_null_in_a_map_of_strings_is_an_empty_string(objects: Objects) -> None:
    stored = await objects.apply(config_map(a="1", b=None), "ann")
    assert stored["data"] == {"a": "1", "b": ""}
    assert owned(stored, "ann") == {"data a", "data b"}


async def test_null_as_an_item_found_by_keys_is_refused(objects: Objects) -> None:
    broken = deployment()
    broken["spec"]["template"]["spec"]["containers"] = [None]
    answer = await objects.try_apply(broken, "ann")
    assert answer.status == 500
    expected = "element 0: associative list with keys may not have a null element"
    assert answer.body["message"].endswith(f".spec.template.spec.containers: {expected}")


async def test_empty_lists_and_maps_are_not_kept(objects: Objects) -> None:
    empty = but(config_map(), "metadata", value={"name": "settings", "labels": {}, "finalizers": []}) | {"data": {}}
    stored = await objects.apply(empty, "ann")
    assert "data" not in stored
    assert not {"labels", "finalizers"} & stored["metadata"].keys()
    assert owned(stored, "ann") == {"data", "metadata labels"}


async def test_an_empty_leaf_list_is_owned(objects: Objects) -> None:
    bare = deployment()
    container(bare)["args"] = []
    stored = await objects.apply(bare, "ann")
    assert "args" not in container(stored)
    assert f"{IN_WEB} args" in owned(stored, "ann")
    assert f"{IN_WEB} env" not in owned(stored, "ann")


async def test_a_plain_scalar_vanishes_when_it_is_zero_and_stays_owned(objects: Objects) -> None:
    zero = deployment(minReadySeconds=0, paused=False)
    container(zero)["env"] = [{"name": "A", "value": ""}]
    container(zero)["tty"] = False
    stored = await objects.apply(zero, "ann")
    assert not {"minReadySeconds", "paused"} & stored["spec"].keys()
    assert container(stored)["env"] == [{"name": "A"}]
    assert "tty" not in container(stored)
    assert {"spec minReadySeconds", f'{IN_WEB} env {{"name":"A"}} value', f"{IN_WEB} tty"} <= owned(stored, "ann")


async def test_applying_a_vanishing_zero_again_writes_nothing(objects: Objects) -> None:
    zero = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "web"},
        "spec": {"ports": [{"port": 80}], "publishNotReadyAddresses": False},
    }
    await objects.apply(zero, "ann")
    before = await objects.get(zero)
    assert await objects.apply(zero, "ann") == before


async def test_a_pointer_to_a_scalar_stays_when_it_is_zero(objects: Objects) -> None:
    stored = await objects.apply(deployment(replicas=0, revisionHistoryLimit=0), "ann")
    assert (stored["spec"]["replicas"], stored["spec"]["revisionHistoryLimit"]) == (0, 0)


async def test_an_empty_struct_behind_a_pointer_stays(objects: Objects) -> None:
    secured = deployment()
    secured["spec"]["template"]["spec"]["volumes"] = [{"name": "v", "emptyDir": {}}]
    container(secured)["securityContext"] = {}
    stored = await objects.apply(secured, "ann")
    assert container(stored)["securityContext"] == {}
    assert f"{IN_WEB} securityContext" in owned(stored, "ann")
    assert stored["spec"]["template"]["spec"]["volumes"] == [{"name": "v", "emptyDir": {}}]


async def test_a_struct_that_go_always_writes_is_nobodys_when_it_is_empty(objects: Objects) -> None:
    stored = await objects.create(deployment(), "ann")
    assert container(stored)["resources"] == {}
    assert f"{IN_WEB} resources" in owned(stored, "ann", "Update")
    assert "spec template" not in owned(stored, "ann", "Update")
    assert "spec strategy" not in owned(stored, "ann", "Update")


def role(rules: list[Json] | None) -> Json:
    version = "rbac.authorization.k8s.io/v1"
    return {"apiVersion": version, "kind": "Role", "metadata": {"name": "reader"}, "rules": rules}


@pytest.mark.parametrize("rules", [[], None])
async def test_a_list_that_go_always_writes_comes_back_as_null(objects: Objects, rules: list[Json] | None) -> None:
    stored = await objects.apply(role(rules), "ann")
    assert stored["rules"] is None
    assert owned(stored, "ann") == {"rules"}
    assert (await objects.get(stored))["rules"] is None
    created = await objects.create(but(role(rules), "metadata", "name", value="other"), "ann")
    assert created["rules"] is None


async def test_numbers_are_equal_whatever_their_notation(objects: Objects) -> None:
    lease: Json = {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {"name": "turn"},
        "spec": {"leaseDurationSeconds": 15},
    }
    before = await objects.apply(lease, "ann")
    assert await objects.apply(but(lease, "spec", "leaseDurationSeconds", value=15.0), "ann") == before


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("1", "1"),
        ("1000m", "1"),
        ("0.5", "500m"),
        (2, "2"),
        (0.25, "250m"),
        ("1.5", "1500m"),
        ("1024Mi", "1Gi"),
        ("1.5Gi", "1536Mi"),
        ("1000Ki", "1000Ki"),
        ("1500", "1500"),
        ("2000", "2k"),
        ("3000M", "3G"),
        ("12e6", "12e6"),
        ("1e3", "1e3"),
        ("0", "0"),
        ("0Gi", "0"),
        (".5", "500m"),
        (".", "0"),
        ("1048576Ki", "1Gi"),
        ("100e-3", "100e-3"),
        ("1000e3", "1e6"),
    ],
)
async def test_a_quantity_comes_back_in_its_shortest_form(objects: Objects, written: str | float, kept: str) -> None:
    limited = deployment()
    container(limited)["resources"] = {"limits": {"cpu": written}}
    stored = await objects.apply(limited, "ann")
    assert container(stored)["resources"]["limits"]["cpu"] == kept


async def test_two_notations_of_a_quantity_are_two_values(objects: Objects) -> None:
    limited = deployment()
    container(limited)["resources"] = {"limits": {"cpu": "1000m"}}
    await objects.apply(limited, "ann")
    container(limited)["resources"] = {"limits": {"cpu": "1"}}
    await objects.apply(limited, "bob")
    container(limited)["resources"] = {"limits": {"cpu": "1000m"}}
    answer = await objects.try_apply(limited, "clara")
    assert answer.status == 409


async def test_what_only_the_server_sets_can_be_sent_and_is_owned_by_nobody(objects: Objects) -> None:
    stored = await objects.apply(config_map(a="1"), "ann")
    sent = {name: stored[name] for name in ("apiVersion", "kind", "data")} | {
        "metadata": {name: value for name, value in stored["metadata"].items() if name != "managedFields"}
    }
    again = await objects.apply(sent, "ann")
    assert again == stored
    assert owned(again, "ann") == {"data a"}


async def test_a_null_time_of_creation_changes_nothing(objects: Objects) -> None:
    stamped = but(config_map(a="1"), "metadata", "creationTimestamp", value=None)
    first = await objects.apply(stamped, "ann")
    assert first["metadata"]["creationTimestamp"]
    assert await objects.apply(stamped, "ann") == first
    written = entry(first, "ann")
    assert written is not None
    assert written["fieldsV1"] == {"f:data": {"f:a": {}}}
