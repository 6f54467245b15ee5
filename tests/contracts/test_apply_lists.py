"""How server-side apply treats lists and maps: items found by keys, sets, leaves, and the order of items."""

from typing import Any

import pytest

from tests.support.kube import Json
from tests.support.objects import APPLY_PATCH, Objects, but, config_map, container, deployment, owned

IN_WEB = 'spec template spec containers {"name":"web"}'


def with_env(*names: str, **values: str) -> Json:
    changed = deployment()
    container(changed)["env"] = [{"name": name, "value": values.get(name, "x")} for name in names]
    return changed


def env_names(stored: Json) -> list[str]:
    return [item["name"] for item in container(stored).get("env", [])]


def service(*ports: Json, **spec: Any) -> Json:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "web"},
        "spec": {"ports": list(ports), **spec},
    }


async def test_items_of_several_managers_live_in_one_list(objects: Objects) -> None:
    await objects.apply(with_env("A"), "ann")
    partial = {name: with_env("B")[name] for name in ("apiVersion", "kind", "metadata")} | {
        "spec": {"template": {"spec": {"containers": [{"name": "web", "env": [{"name": "B", "value": "x"}]}]}}}
    }
    stored = await objects.apply(partial, "bob")
    assert sorted(env_names(stored)) == ["A", "B"]
    item = f'{IN_WEB} env {{"name":"B"}}'
    assert owned(stored, "bob") == {IN_WEB, f"{IN_WEB} name", item, f"{item} name", f"{item} value"}
    stored = await objects.apply(with_env(), "ann")
    assert env_names(stored) == ["B"]


@pytest.mark.parametrize(
    ("before", "applied", "expected"),
    [
        ("ABC", "CA", "BCA"),
        ("ABC", "AD", "ABCD"),
        ("ABC", "DA", "DABC"),
        ("ABC", "D", "ABCD"),
        ("ABCDE", "EB", "ACDEB"),
        ("AB", "BCA", "BCA"),
        ("A", "BA", "BA"),
        ("ABCD", "DCBA", "DCBA"),
    ],
)
async def test_applied_items_keep_their_order_and_foreign_ones_stay_near(
    objects: Objects, before: str, applied: str, expected: str
) -> None:
    await objects.apply(with_env(*before), "ann")
    stored = await objects.apply(with_env(*applied), "bob")
    assert "".join(env_names(stored)) == expected


async def test_an_order_alone_is_a_change_of_nobodys_fields(objects: Objects) -> None:
    await objects.apply(with_env("A", "B"), "ann")
    first = await objects.get(deployment())
    stored = await objects.apply(with_env("B", "A"), "bob")
    assert env_names(stored) == ["B", "A"]
    assert owned(stored, "ann") == owned(stored, "bob") == owned(first, "ann")


async def test_an_item_is_found_by_all_its_keys_and_a_missing_one_has_its_default(objects: Objects) -> None:
    ports = deployment()
    container(ports)["ports"] = [{"containerPort": 80}, {"containerPort": 8080, "protocol": "UDP"}]
    stored = await objects.apply(ports, "ann")
    found = {path for path in owned(stored, "ann") if path.startswith(f"{IN_WEB} ports")}
    tcp, udp = (f'{IN_WEB} ports {{"containerPort":{key}}}' for key in ('80,"protocol":"TCP"', '8080,"protocol":"UDP"'))
    assert found == {tcp, f"{tcp} containerPort", udp, f"{udp} containerPort", f"{udp} protocol"}
    container(ports)["ports"] = [{"containerPort": 80, "protocol": "TCP", "name": "http"}]
    stored = await objects.apply(ports, "ann")
    assert container(stored)["ports"] == [{"containerPort": 80, "protocol": "TCP", "name": "http"}]


async def test_items_that_differ_in_one_key_are_different_items(objects: Objects) -> None:
    both = service({"name": "a", "port": 53}, {"name": "b", "port": 53, "protocol": "UDP"})
    await objects.apply(both, "ann")
    stored = await objects.apply(service({"name": "b", "port": 53, "protocol": "UDP"}), "ann")
    assert [(port["name"], port["protocol"]) for port in stored["spec"]["ports"]] == [("b", "UDP")]
    answer = await objects.try_apply(service({"name": "c", "port": 53, "protocol": "UDP"}), "bob")
    assert answer.body["message"].endswith('conflict with "ann": .spec.ports[port=53,protocol="UDP"].name')


async def test_a_set_is_shared_value_by_value(objects: Objects) -> None:
    held = but(config_map(), "metadata", "finalizers", value=["test.invalid/a", "test.invalid/b"])
    await objects.apply(held, "ann")
    stored = await objects.apply(but(held, "metadata", "finalizers", value=["test.invalid/c", "test.invalid/b"]), "bob")
    assert set(stored["metadata"]["finalizers"]) == {"test.invalid/a", "test.invalid/b", "test.invalid/c"}
    assert owned(stored, "bob") == {
        'metadata finalizers "test.invalid/b"',
        'metadata finalizers "test.invalid/c"',
    }
    stored = await objects.apply(config_map(), "ann")
    assert set(stored["metadata"]["finalizers"]) == {"test.invalid/b", "test.invalid/c"}
    stored = await objects.apply(config_map(), "bob")
    assert "finalizers" not in stored["metadata"]


async def test_a_leaf_list_belongs_to_one_value(objects: Objects) -> None:
    commanded = deployment()
    container(commanded)["args"] = ["a", "b"]
    await objects.apply(commanded, "ann")
    container(commanded)["args"] = ["a"]
    answer = await objects.try_apply(commanded, "bob")
    assert answer.body["details"]["causes"][0]["field"] == '.spec.template.spec.containers[name="web"].args'
    stored = await objects.apply(commanded, "bob", force=True)
    assert container(stored)["args"] == ["a"]
    assert f"{IN_WEB} args" in owned(stored, "bob")
    assert f"{IN_WEB} args" not in owned(stored, "ann")
    stored = await objects.apply(deployment(), "bob")
    assert "args" not in container(stored)


async def test_a_leaf_map_belongs_to_one_value(objects: Objects) -> None:
    selecting = service({"port": 80}, selector={"app": "web"})
    await objects.apply(selecting, "ann")
    assert "spec selector" in owned(await objects.get(selecting), "ann")
    answer = await objects.try_apply(service({"port": 80}, selector={"app": "web", "colour": "blue"}), "bob")
    assert [cause["field"] for cause in answer.body["details"]["causes"]] == [".spec.selector"]
    stored = await objects.apply(service({"port": 80}), "ann")
    assert "selector" not in stored["spec"]


async def test_a_leaf_inside_a_shared_struct_goes_alone(objects: Objects) -> None:
    """An environment variable read from a Secret: the selector is one leaf, the item around it is shared."""
    fetched = deployment()
    source = {"secretKeyRef": {"name": "s", "key": "k"}}
    container(fetched)["env"] = [{"name": "A", "valueFrom": source}]
    stored = await objects.apply(fetched, "ann")
    assert f'{IN_WEB} env {{"name":"A"}} valueFrom secretKeyRef' in owned(stored, "ann")
    container(fetched)["env"] = [{"name": "A", "valueFrom": {"configMapKeyRef": {"name": "s", "key": "k"}}}]
    stored = await objects.apply(fetched, "ann")
    assert container(stored)["env"][0]["valueFrom"] == {"configMapKeyRef": {"name": "s", "key": "k"}}


async def test_labels_are_shared_key_by_key(objects: Objects) -> None:
    labelled = but(config_map(), "metadata", "labels", value={"a": "1"})
    await objects.apply(labelled, "ann")
    stored = await objects.apply(but(labelled, "metadata", "labels", value={"b": "1"}), "bob")
    assert stored["metadata"]["labels"] == {"a": "1", "b": "1"}
    assert owned(stored, "bob") == {"metadata labels b"}
    stored = await objects.apply(config_map(), "ann")
    assert stored["metadata"]["labels"] == {"b": "1"}


async def test_volumes_change_their_source(objects: Objects) -> None:
    mounted = deployment()
    mounted["spec"]["template"]["spec"]["volumes"] = [{"name": "v", "emptyDir": {}}]
    stored = await objects.apply(mounted, "ann")
    assert 'spec template spec volumes {"name":"v"} emptyDir' in owned(stored, "ann")
    mounted["spec"]["template"]["spec"]["volumes"] = [{"name": "v", "configMap": {"name": "c"}}]
    stored = await objects.apply(mounted, "ann")
    assert stored["spec"]["template"]["spec"]["volumes"] == [
        {"name": "v", "configMap": {"name": "c", "defaultMode": 420}}
    ]


async def test_owners_are_found_by_uid_and_are_leaves(objects: Objects) -> None:
    home = await objects.apply(config_map("home"), "ann")
    owner = {"apiVersion": "v1", "kind": "ConfigMap", "name": "home", "uid": home["metadata"]["uid"]}
    stored = await objects.apply(but(config_map(), "metadata", "ownerReferences", value=[owner]), "ann")
    assert f'metadata ownerReferences {{"uid":"{owner["uid"]}"}}' in owned(stored, "ann")
    answer = await objects.try_apply(
        but(config_map(), "metadata", "ownerReferences", value=[owner | {"blockOwnerDeletion": True}]), "bob"
    )
    fields = [cause["field"] for cause in answer.body["details"]["causes"]]
    assert fields == [f'.metadata.ownerReferences[uid="{owner["uid"]}"]']


async def test_keys_that_html_would_mind_are_escaped_as_go_does(objects: Objects) -> None:
    odd = deployment()
    container(odd)["volumeMounts"] = [{"name": "v", "mountPath": "/a&b<c>"}]
    odd["spec"]["template"]["spec"]["volumes"] = [{"name": "v", "emptyDir": {}}]
    stored = await objects.apply(odd, "ann")
    path = f'{IN_WEB} volumeMounts {{"mountPath":"/a\\u0026b\\u003cc\\u003e"}}'
    assert path in owned(stored, "ann")
    assert f"{IN_WEB} volumeMounts" not in owned(stored, "ann")
    again = await objects.apply(odd, "ann")
    assert again["metadata"]["managedFields"][0] == stored["metadata"]["managedFields"][0]


async def test_a_reference_that_is_a_leaf_elsewhere_may_be_shared_field_by_field(objects: Objects) -> None:
    """The claim of a PersistentVolume is the one reference to an object that is not a leaf."""
    name = f"volume-{objects.namespace}"
    path = f"/api/v1/persistentvolumes/{name}"
    volume = {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": name},
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "capacity": {"storage": "1Gi"},
            "hostPath": {"path": "/x"},
            "storageClassName": "none",
            "claimRef": {"name": "c", "namespace": objects.namespace},
        },
    }
    answer = await objects.kube.request("PATCH", path, volume, content_type=APPLY_PATCH, params={"fieldManager": "ann"})
    assert {"spec claimRef name", "spec claimRef namespace"} <= owned(answer.body, "ann")
    assert "spec claimRef" not in owned(answer.body, "ann")
    await objects.kube.request("DELETE", path)


async def test_what_is_opaque_is_one_leaf(objects: Objects) -> None:
    revision = {
        "apiVersion": "apps/v1",
        "kind": "ControllerRevision",
        "metadata": {"name": "first"},
        "revision": 1,
        "data": {"spec": {"a": [1, None]}},
    }
    stored = await objects.apply(revision, "ann")
    assert stored["data"] == {"spec": {"a": [1, None]}}
    assert owned(stored, "ann") == {"data", "revision"}
