"""What the server fills in, kind by kind: the very values, so that a client may rely on them."""

from __future__ import annotations

import pytest

from tests.support.defaults import CLAIM, FULL_POD, FULL_TEMPLATE, LABELS, POD, RBAC, TEMPLATE, doc
from tests.support.kube import Json
from tests.support.objects import Objects, but

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
