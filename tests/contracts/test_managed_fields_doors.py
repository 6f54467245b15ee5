"""Ownership by the door that a write comes through: the object itself, its status, its scale."""

from tests.support.kube import Json
from tests.support.objects import (
    Objects,
    deployment,
    entry,
    owned,
)


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


def balanced(address: str) -> Json:
    return {"status": {"loadBalancer": {"ingress": [{"ip": address}]}}}


async def test_an_applied_status_does_not_own_the_spec(objects: Objects) -> None:
    # An Ingress, since no controller of the real server writes its status in between.
    ingress: Json = {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": {"name": "i", "labels": {"a": "1"}},
        "spec": {"defaultBackend": {"service": {"name": "web", "port": {"number": 80}}}},
    }
    await objects.apply(ingress, "ann")
    stored = await objects.apply(ingress | balanced("192.0.2.1"), "watcher", subresource="status", force=True)
    assert owned(stored, "watcher", "Apply", "status") == {"metadata labels a", "status loadBalancer ingress"}
    answer = await objects.try_apply(ingress | balanced("192.0.2.2"), "other", subresource="status")
    assert 'conflict with "watcher" with subresource "status": .status.loadBalancer.ingress' in answer.body["message"]


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
