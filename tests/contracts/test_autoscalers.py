"""Autoscalers as objects: kept, changed and found; what they would do to a workload is left to the real cluster."""

from __future__ import annotations

import pytest

from tests.support.kube import Json, Kube
from tests.support.objects import Objects, owned

TARGET: Json = {"type": "Utilization", "averageUtilization": 70}
# Of a workload that does not exist, so that no controller finds anything to count.
AUTOSCALER: Json = {
    "apiVersion": "autoscaling/v2",
    "kind": "HorizontalPodAutoscaler",
    "metadata": {"name": "web"},
    "spec": {
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "there-is-none"},
        "minReplicas": 2,
        "maxReplicas": 5,
        "metrics": [{"type": "Resource", "resource": {"name": "cpu", "target": TARGET}}],
    },
}


async def test_an_applied_autoscaler_is_kept(objects: Objects) -> None:
    stored = await objects.apply(AUTOSCALER, "ann")
    assert stored["spec"] == AUTOSCALER["spec"]
    assert owned(stored, "ann") == {
        "spec maxReplicas", "spec metrics", "spec minReplicas", "spec scaleTargetRef apiVersion",
        "spec scaleTargetRef kind", "spec scaleTargetRef name",
    }  # fmt: skip


async def test_an_autoscaler_is_changed_and_found(kube: Kube, objects: Objects) -> None:
    await objects.apply(AUTOSCALER, "ann")
    await objects.patch(AUTOSCALER, {"spec": {"maxReplicas": 9}}, "bob")
    listed = await kube.request("GET", objects.collection(AUTOSCALER))
    assert [item["spec"]["maxReplicas"] for item in listed.body["items"]] == [9]
    await kube.request("DELETE", objects.path(AUTOSCALER))
    await kube.until_gone(objects.path(AUTOSCALER))


@pytest.mark.parametrize("field", ["currentReplicas", "desiredReplicas"])
async def test_a_status_has_its_own_door(objects: Objects, field: str) -> None:
    await objects.apply(AUTOSCALER, "ann")
    stored = await objects.patch(AUTOSCALER, {"status": {field: 3}}, "bob", subresource="status")
    assert stored["status"][field] == 3
    assert stored["spec"] == AUTOSCALER["spec"]
