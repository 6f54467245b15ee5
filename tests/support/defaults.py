"""A pod template as a client may send it, and the same template as the server completes it."""

from __future__ import annotations

from typing import Any

from tests.support.kube import Json

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
