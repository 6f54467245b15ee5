"""Defaults that depend on what else an object says."""

from typing import Any

import pytest

from tests.support.kube import Json
from tests.support.objects import Objects, deployment


def limits(**limit: Json) -> Json:
    item: Json = {"type": "Container", **limit}
    return {"apiVersion": "v1", "kind": "LimitRange", "metadata": {"name": "l"}, "spec": {"limits": [item]}}


def autoscaler(**behavior: Json) -> Json:
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}
    spec: Json = {"scaleTargetRef": target, "maxReplicas": 3}
    spec |= {"behavior": behavior} if behavior else {}
    return {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "web"},
        "spec": spec,
    }


def workload(kind: str, strategy: Json) -> Json:
    spec = {name: deployment()["spec"][name] for name in ("selector", "template")} | {"updateStrategy": strategy}
    spec["template"]["spec"]["nodeSelector"] = {"nowhere": "x"}
    spec |= {"serviceName": "s", "replicas": 0} if kind == "StatefulSet" else {}
    return {"apiVersion": "apps/v1", "kind": kind, "metadata": {"name": "web"}, "spec": spec}


@pytest.mark.parametrize(
    ("kind", "sent", "completed"),
    [
        ("StatefulSet", {}, {"type": "RollingUpdate", "rollingUpdate": {"partition": 0}}),
        ("StatefulSet", {"type": "RollingUpdate"}, {"type": "RollingUpdate"}),
        ("StatefulSet", {"rollingUpdate": {}}, {"type": "RollingUpdate", "rollingUpdate": {"partition": 0}}),
        ("StatefulSet", {"type": "OnDelete"}, {"type": "OnDelete"}),
        ("DaemonSet", {}, {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 1, "maxSurge": 0}}),
        ("DaemonSet", {"type": "OnDelete"}, {"type": "OnDelete"}),
    ],
)
async def test_how_a_set_is_updated(objects: Objects, kind: str, sent: Json, completed: Json) -> None:
    stored = await objects.apply(workload(kind, sent), "ann")
    assert stored["spec"]["updateStrategy"] == completed


@pytest.mark.parametrize(
    ("sent", "completed"),
    [
        ({}, {"completions": 1, "parallelism": 1}),
        ({"parallelism": 2}, {"completions": None, "parallelism": 2}),
        ({"completions": 3}, {"completions": 3, "parallelism": 1}),
    ],
)
async def test_how_often_a_job_runs(objects: Objects, sent: Json, completed: dict[str, Any]) -> None:
    template = deployment()["spec"]["template"]
    template["spec"]["restartPolicy"] = "Never"
    spec = {"template": template, "suspend": True} | sent
    job = {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "once"}, "spec": spec}
    stored = await objects.create(job, "carl")
    assert {name: stored["spec"].get(name) for name in completed} == completed


async def test_how_an_autoscaler_moves(objects: Objects) -> None:
    assert "behavior" not in (await objects.apply(autoscaler(), "ann"))["spec"]
    stored = await objects.apply(autoscaler(scaleDown={"stabilizationWindowSeconds": 60}), "ann")
    everything = {"type": "Percent", "value": 100, "periodSeconds": 15}
    assert stored["spec"]["behavior"] == {
        "scaleUp": {
            "stabilizationWindowSeconds": 0,
            "selectPolicy": "Max",
            "policies": [{"type": "Pods", "value": 4, "periodSeconds": 15}, everything],
        },
        "scaleDown": {"stabilizationWindowSeconds": 60, "selectPolicy": "Max", "policies": [everything]},
    }


async def test_which_limits_a_container_has(objects: Objects) -> None:
    stored = await objects.apply(limits(), "ann")
    assert stored["spec"]["limits"] == [{"type": "Container"}]
    stored = await objects.apply(limits(max={"cpu": "2"}, min={"memory": "1Mi"}), "ann")
    assert stored["spec"]["limits"][0]["default"] == {"cpu": "2"}
    assert stored["spec"]["limits"][0]["defaultRequest"] == {"cpu": "2", "memory": "1Mi"}
    stored = await objects.apply(limits() | {"spec": {"limits": []}}, "ann")
    assert stored["spec"]["limits"] is None


async def test_a_claim_is_protected_beside_its_own_finalizers(objects: Objects) -> None:
    claim = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": "c", "finalizers": ["test.invalid/a"]},
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "resources": {"requests": {"storage": "1Gi"}},
            "storageClassName": "none",
        },
    }
    stored = await objects.apply(claim, "ann")
    assert stored["metadata"]["finalizers"] == ["test.invalid/a", "kubernetes.io/pvc-protection"]
    await objects.patch(claim, {"metadata": {"finalizers": None}}, "ann")


async def test_an_account_is_written_under_both_its_names(objects: Objects) -> None:
    named = deployment()
    named["spec"]["template"]["spec"]["serviceAccountName"] = "robot"
    stored = await objects.apply(named, "ann")
    assert stored["spec"]["template"]["spec"]["serviceAccount"] == "robot"
    stored = await objects.apply(deployment(), "ann")
    assert stored["spec"]["template"]["spec"]["serviceAccountName"] == "robot"
