"""What the server fills in, kind by kind: the very values, so that a client may rely on them."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.kube import Json, Kube
from tests.support.objects import Objects, but, config_map, owned

POD: Json = {
    "containers": [
        {
            "name": "c",
            "image": "i",
            "ports": [{"containerPort": 80}],
            "env": [{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}],
            "livenessProbe": {"httpGet": {"port": 80}},
            "readinessProbe": {"exec": {"command": ["a"]}},
        },
        {"name": "d", "image": "r:5/i:1"},
    ],
    "initContainers": [{"name": "i", "image": "r:5/i"}],
    "volumes": [
        {"name": "s", "secret": {"secretName": "s"}},
        {"name": "m", "configMap": {"name": "m"}},
        {"name": "e", "emptyDir": {}},
        {
            "name": "p",
            "projected": {
                "sources": [
                    {"serviceAccountToken": {"path": "t"}},
                    {"downwardAPI": {"items": [{"path": "a", "fieldRef": {"fieldPath": "metadata.labels"}}]}},
                ]
            },
        },
        {"name": "h", "hostPath": {"path": "/x"}},
    ],
}
MESSAGES = {"terminationMessagePath": "/dev/termination-log", "terminationMessagePolicy": "File", "resources": {}}
PROBE = {"timeoutSeconds": 1, "periodSeconds": 10, "successThreshold": 1, "failureThreshold": 3}
FULL_POD: Json = {
    "containers": [
        {
            "name": "c",
            "image": "i",
            "imagePullPolicy": "Always",
            "ports": [{"containerPort": 80, "protocol": "TCP"}],
            "env": [{"name": "A", "valueFrom": {"fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.name"}}}],
            "livenessProbe": {"httpGet": {"port": 80, "path": "/", "scheme": "HTTP"}} | PROBE,
            "readinessProbe": {"exec": {"command": ["a"]}} | PROBE,
        }
        | MESSAGES,
        {"name": "d", "image": "r:5/i:1", "imagePullPolicy": "IfNotPresent"} | MESSAGES,
    ],
    "initContainers": [{"name": "i", "image": "r:5/i", "imagePullPolicy": "Always"} | MESSAGES],
    "volumes": [
        {"name": "s", "secret": {"secretName": "s", "defaultMode": 420}},
        {"name": "m", "configMap": {"name": "m", "defaultMode": 420}},
        {"name": "e", "emptyDir": {}},
        {
            "name": "p",
            "projected": {
                "defaultMode": 420,
                "sources": [
                    {"serviceAccountToken": {"path": "t", "expirationSeconds": 3600}},
                    {
                        "downwardAPI": {
                            "items": [
                                {"path": "a", "fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.labels"}},
                            ]
                        }
                    },
                ],
            },
        },
        {"name": "h", "hostPath": {"path": "/x", "type": ""}},
    ],
    "restartPolicy": "Always",
    "terminationGracePeriodSeconds": 30,
    "dnsPolicy": "ClusterFirst",
    "securityContext": {},
    "schedulerName": "default-scheduler",
}
LABELS = {"matchLabels": {"a": "b"}}
TEMPLATE = {"metadata": {"labels": {"a": "b"}}, "spec": POD}
FULL_TEMPLATE = {"metadata": {"labels": {"a": "b"}}, "spec": FULL_POD}
RBAC = "rbac.authorization.k8s.io"
CLAIM = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}


def doc(version: str, kind: str, **content: Any) -> Json:
    return {"apiVersion": version, "kind": kind, "metadata": {"name": "x"}} | content


CASES: list[tuple[Json, Json]] = [
    (
        doc("apps/v1", "Deployment", spec={"selector": LABELS, "replicas": 0, "template": TEMPLATE}),
        {
            "spec": {
                "replicas": 0,
                "selector": LABELS,
                "revisionHistoryLimit": 10,
                "progressDeadlineSeconds": 600,
                "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "25%"}},
                "template": FULL_TEMPLATE,
            },
            "status": {},
        },
    ),
    (
        doc("apps/v1", "ReplicaSet", spec={"selector": LABELS, "replicas": 0, "template": TEMPLATE}),
        {"spec": {"replicas": 0, "selector": LABELS, "template": FULL_TEMPLATE}, "status": {"replicas": 0}},
    ),
    (
        doc(
            "apps/v1",
            "StatefulSet",
            spec={
                "selector": LABELS,
                "replicas": 0,
                "serviceName": "x",
                "template": TEMPLATE,
                "volumeClaimTemplates": [{"metadata": {"name": "v"}, "spec": CLAIM}],
            },
        ),
        {
            "spec": {
                "replicas": 0,
                "selector": LABELS,
                "serviceName": "x",
                "podManagementPolicy": "OrderedReady",
                "revisionHistoryLimit": 10,
                "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"partition": 0}},
                "persistentVolumeClaimRetentionPolicy": {"whenDeleted": "Retain", "whenScaled": "Retain"},
                "template": FULL_TEMPLATE,
                "volumeClaimTemplates": [
                    {
                        "apiVersion": "v1",
                        "kind": "PersistentVolumeClaim",
                        "metadata": {"name": "v"},
                        "spec": CLAIM | {"volumeMode": "Filesystem"},
                        "status": {"phase": "Pending"},
                    }
                ],
            },
            "status": {"replicas": 0, "availableReplicas": 0},
        },
    ),
    (
        doc(
            "apps/v1",
            "DaemonSet",
            spec={"selector": LABELS, "template": but(TEMPLATE, "spec", "nodeSelector", value={"there": "none"})},
        ),
        {
            "spec": {
                "selector": LABELS,
                "revisionHistoryLimit": 10,
                "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 0, "maxUnavailable": 1}},
                "template": but(FULL_TEMPLATE, "spec", "nodeSelector", value={"there": "none"}),
            },
            "status": {"currentNumberScheduled": 0, "desiredNumberScheduled": 0, "numberMisscheduled": 0}
            | {"numberReady": 0},
        },
    ),
    (
        doc(
            "batch/v1",
            "CronJob",
            spec={
                "schedule": "0 0 1 1 *",
                "jobTemplate": {"spec": {"template": {"spec": POD | {"restartPolicy": "Never"}}}},
            },
        ),
        {
            "spec": {
                "schedule": "0 0 1 1 *",
                "concurrencyPolicy": "Allow",
                "suspend": False,
                "successfulJobsHistoryLimit": 3,
                "failedJobsHistoryLimit": 1,
                "jobTemplate": {
                    "metadata": {},
                    "spec": {"template": {"metadata": {}, "spec": FULL_POD | {"restartPolicy": "Never"}}},
                },
            },
            "status": {},
        },
    ),
    (
        doc("v1", "PersistentVolumeClaim", spec=CLAIM | {"storageClassName": "there-is-none"}),
        {
            "spec": CLAIM | {"storageClassName": "there-is-none", "volumeMode": "Filesystem"},
            "status": {"phase": "Pending"},
        },
    ),
    (
        doc("v1", "LimitRange", spec={"limits": [{"type": "Container", "max": {"cpu": "2"}, "min": {"memory": "1M"}}]}),
        {
            "spec": {
                "limits": [
                    {
                        "type": "Container",
                        "max": {"cpu": "2"},
                        "min": {"memory": "1M"},
                        "default": {"cpu": "2"},
                        "defaultRequest": {"cpu": "2", "memory": "1M"},
                    }
                ]
            }
        },
    ),
    (
        doc("v1", "LimitRange", spec={"limits": [{"type": "Pod", "max": {"cpu": "2"}}]}),
        {"spec": {"limits": [{"type": "Pod", "max": {"cpu": "2"}}]}},
    ),
    (doc("v1", "Secret", data={"a": "YQ=="}), {"data": {"a": "YQ=="}, "type": "Opaque"}),
    (
        doc(
            "networking.k8s.io/v1",
            "NetworkPolicy",
            spec={"podSelector": {}, "egress": [{"ports": [{"port": 80}]}], "ingress": [{"ports": [{"port": 81}]}]},
        ),
        {
            "spec": {
                "podSelector": {},
                "egress": [{"ports": [{"port": 80, "protocol": "TCP"}]}],
                "ingress": [{"ports": [{"port": 81, "protocol": "TCP"}]}],
                "policyTypes": ["Ingress", "Egress"],
            }
        },
    ),
    (
        doc("networking.k8s.io/v1", "NetworkPolicy", spec={"podSelector": {}}),
        {"spec": {"podSelector": {}, "policyTypes": ["Ingress"]}},
    ),
    (
        doc("networking.k8s.io/v1", "Ingress", spec={"ingressClassName": "c", "rules": [{"host": "a.test"}]}),
        {"spec": {"ingressClassName": "c", "rules": [{"host": "a.test"}]}, "status": {"loadBalancer": {}}},
    ),
    (
        doc(
            f"{RBAC}/v1",
            "RoleBinding",
            roleRef={"kind": "Role", "name": "r"},
            subjects=[{"kind": "ServiceAccount", "name": "s", "namespace": "n"}, {"kind": "User", "name": "u"}],
        ),
        {
            "roleRef": {"apiGroup": RBAC, "kind": "Role", "name": "r"},
            "subjects": [
                {"kind": "ServiceAccount", "name": "s", "namespace": "n"},
                {"apiGroup": RBAC, "kind": "User", "name": "u"},
            ],
        },
    ),
    (
        doc("policy/v1", "PodDisruptionBudget", spec={"minAvailable": 1, "selector": LABELS}),
        {
            "spec": {"minAvailable": 1, "selector": LABELS},
            "status": {"currentHealthy": 0, "desiredHealthy": 0, "disruptionsAllowed": 0, "expectedPods": 0},
        },
    ),
    (
        doc(
            "autoscaling/v2",
            "HorizontalPodAutoscaler",
            spec={"maxReplicas": 3, "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "none"}},
        ),
        {
            "spec": {
                "maxReplicas": 3,
                "minReplicas": 1,
                "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "none"},
                "metrics": [
                    {
                        "type": "Resource",
                        "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 80}},
                    }
                ],
            },
            "status": {"currentMetrics": None, "desiredReplicas": 0},
        },
    ),
]


@pytest.mark.parametrize(("sent", "expected"), CASES, ids=[case[0]["kind"] for case in CASES])
async def test_a_kind_has_defaults(objects: Objects, sent: Json, expected: Json) -> None:
    created = await objects.create(sent, "ann")
    assert {
        name: value for name, value in created.items() if name not in {"apiVersion", "kind", "metadata"}
    } == expected


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
