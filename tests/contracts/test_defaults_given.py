"""What the server fills in where it depends on other fields, and what it gives that belongs to nobody."""

from __future__ import annotations

import pytest

from tests.support.defaults import CLAIM, FULL_POD, LABELS, POD, RBAC, TEMPLATE, doc
from tests.support.kube import Json, Kube
from tests.support.objects import Objects, but, config_map, owned


async def test_a_deployment_that_recreates_has_no_margins(objects: Objects) -> None:
    spec = {"selector": LABELS, "replicas": 0, "template": TEMPLATE, "strategy": {"type": "Recreate"}}
    created = await objects.create(doc("apps/v1", "Deployment", spec=spec), "ann")
    assert created["spec"]["strategy"] == {"type": "Recreate"}


async def test_a_set_that_waits_for_deletion_has_no_partition(objects: Objects) -> None:
    spec = {"selector": LABELS, "replicas": 0, "template": TEMPLATE, "updateStrategy": {"type": "OnDelete"}}
    created = await objects.create(doc("apps/v1", "StatefulSet", spec=spec), "ann")
    assert created["spec"]["updateStrategy"] == {"type": "OnDelete"}


async def test_replicas_are_one(kube: Kube, objects: Objects) -> None:
    template = but(TEMPLATE, "spec", "nodeSelector", value={"there": "none"})
    for kind in ("Deployment", "ReplicaSet", "StatefulSet"):
        sent = doc("apps/v1", kind, spec={"selector": LABELS, "template": template})
        answer = await kube.request("POST", objects.collection(sent), sent, params={"dryRun": "All"})
        assert answer.body["spec"]["replicas"] == 1


async def test_a_job_names_its_pods_after_itself(objects: Objects) -> None:
    spec = {"suspend": True, "template": {"metadata": {"labels": {"l": "1"}}, "spec": POD | {"restartPolicy": "Never"}}}
    created = await objects.create(doc("batch/v1", "Job", spec=spec), "ann")
    uid = created["metadata"]["uid"]
    made = {
        "batch.kubernetes.io/controller-uid": uid,
        "batch.kubernetes.io/job-name": "x",
        "controller-uid": uid,
        "job-name": "x",
    }
    assert created["metadata"]["labels"] == made | {"l": "1"}
    assert created["spec"] == {
        "suspend": True,
        "backoffLimit": 6,
        "completionMode": "NonIndexed",
        "completions": 1,
        "parallelism": 1,
        "manualSelector": False,
        "podReplacementPolicy": "TerminatingOrFailed",
        "selector": {"matchLabels": {"batch.kubernetes.io/controller-uid": uid}},
        "template": {"metadata": {"labels": made | {"l": "1"}}, "spec": FULL_POD | {"restartPolicy": "Never"}},
    }
    assert "spec selector" not in owned(created, "ann", "Update")


async def test_a_service_has_defaults(objects: Objects) -> None:
    spec = {"ports": [{"name": "a", "port": 80}, {"name": "b", "port": 81, "targetPort": "web"}]}
    created = await objects.create(doc("v1", "Service", spec=spec), "ann")
    made = created["spec"]
    assert {name: value for name, value in made.items() if not name.startswith("clusterIP")} == {
        "type": "ClusterIP",
        "sessionAffinity": "None",
        "internalTrafficPolicy": "Cluster",
        "ipFamilies": ["IPv4"],
        "ipFamilyPolicy": "SingleStack",
        "ports": [
            {"name": "a", "port": 80, "protocol": "TCP", "targetPort": 80},
            {"name": "b", "port": 81, "protocol": "TCP", "targetPort": "web"},
        ],
    }
    assert created["status"] == {"loadBalancer": {}}


async def test_a_pod_has_defaults(kube: Kube, objects: Objects) -> None:
    await kube.until(f"/api/v1/namespaces/{objects.namespace}/serviceaccounts/default", lambda _: True)
    created = await objects.create(doc("v1", "Pod", spec=POD), "ann")
    made = created["spec"]
    # The real server mounts a token and adds tolerations; neither is of use to a pod without containers.
    for name in ("restartPolicy", "terminationGracePeriodSeconds", "dnsPolicy", "securityContext", "schedulerName"):
        assert made[name] == FULL_POD[name]
    assert made["volumes"][:5] == FULL_POD["volumes"]
    for given, expected in zip(made["containers"], FULL_POD["containers"], strict=True):
        assert {name: value for name, value in given.items() if name != "volumeMounts"} == expected
    assert (made["serviceAccountName"], made["serviceAccount"]) == ("default", "default")
    assert (made["enableServiceLinks"], made["priority"], made["preemptionPolicy"]) == (True, 0, "PreemptLowerPriority")
    assert created["status"]["phase"] == "Pending"
    assert created["metadata"]["generation"] == 1


async def test_a_pod_needs_its_account(kube: Kube, objects: Objects) -> None:
    spec = POD | {"serviceAccountName": "nobody"}
    answer = await kube.request("POST", objects.collection(doc("v1", "Pod")), doc("v1", "Pod", spec=spec))
    assert (answer.status, answer.body["reason"]) == (403, "Forbidden")
    assert answer.body["message"] == (
        f'pods "x" is forbidden: error looking up service account {objects.namespace}/nobody: '
        'serviceaccount "nobody" not found'
    )


async def test_a_claim_without_a_class_gets_the_default_one(objects: Objects) -> None:
    created = await objects.create(doc("v1", "PersistentVolumeClaim", spec=CLAIM), "ann")
    assert created["spec"]["storageClassName"] == "standard"
    assert created["metadata"]["finalizers"] == ["kubernetes.io/pvc-protection"]
    assert "spec storageClassName" not in owned(created, "ann", "Update")


async def test_defaults_of_an_update_belong_to_the_updater_those_of_an_apply_to_nobody(objects: Objects) -> None:
    sent = doc("apps/v1", "Deployment", spec={"selector": LABELS, "replicas": 0, "template": TEMPLATE})
    assert "spec progressDeadlineSeconds" in owned(await objects.create(sent, "ann"), "ann", "Update")
    other = but(sent, "metadata", "name", value="y")
    assert "spec progressDeadlineSeconds" not in owned(await objects.apply(other, "ann"), "ann")


async def test_a_config_map_has_none(objects: Objects) -> None:
    created = await objects.create(config_map(a="1"), "ann")
    assert created.keys() == {"apiVersion", "kind", "metadata", "data"}


CLUSTER_WIDE: list[tuple[str, Json, Json]] = [
    (
        "/apis/storage.k8s.io/v1/storageclasses",
        doc("storage.k8s.io/v1", "StorageClass", provisioner="x.test"),
        {"provisioner": "x.test", "reclaimPolicy": "Delete", "volumeBindingMode": "Immediate"},
    ),
    (
        "/apis/scheduling.k8s.io/v1/priorityclasses",
        doc("scheduling.k8s.io/v1", "PriorityClass", value=5),
        {"value": 5, "preemptionPolicy": "PreemptLowerPriority"},
    ),
    (
        f"/apis/{RBAC}/v1/clusterrolebindings",
        doc(f"{RBAC}/v1", "ClusterRoleBinding", roleRef={"kind": "ClusterRole", "name": "r"}, subjects=[]),
        {"roleRef": {"apiGroup": RBAC, "kind": "ClusterRole", "name": "r"}},
    ),
    (
        "/api/v1/persistentvolumes",
        doc("v1", "PersistentVolume", spec={"capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"]})
        | {"spec": {"capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"], "hostPath": {"path": "/x"}}},
        {
            "spec": {
                "capacity": {"storage": "1Gi"},
                "accessModes": ["ReadWriteOnce"],
                "hostPath": {"path": "/x", "type": ""},
                "persistentVolumeReclaimPolicy": "Retain",
                "volumeMode": "Filesystem",
            }
        },
    ),
]


@pytest.mark.parametrize(("path", "sent", "expected"), CLUSTER_WIDE, ids=[case[1]["kind"] for case in CLUSTER_WIDE])
async def test_a_kind_without_namespace_has_defaults(
    kube: Kube, objects: Objects, path: str, sent: Json, expected: Json
) -> None:
    named = but(sent, "metadata", "name", value=objects.namespace)
    answer = await kube.request("POST", path, named, params={"dryRun": "All"})
    assert answer.status == 201, answer.body
    unlisted = {"apiVersion", "kind", "metadata", "status"}
    assert {name: value for name, value in answer.body.items() if name not in unlisted} == expected
