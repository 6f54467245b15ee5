"""Values that the API server fills in where the caller left them out.

Here: a table of paths and values per kind and the few lines that apply it. A path goes through every element of a list
at ``[]`` and stops where its parent is missing. Not here: values that depend on others (``derived``), values that are
made (names, addresses), and nothing that a client of this cluster has no use for. The values are those of
kubernetes/pkg/apis/*/v1/defaults.go.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

from sandbox.cluster.conventions.derived import DERIVED
from sandbox.cluster.conventions.paths import walk
from sandbox.cluster.kinds import Json, Kind

Row = tuple[str, Any]

_PROBE: tuple[Row, ...] = (
    ("timeoutSeconds", 1),
    ("periodSeconds", 10),
    ("successThreshold", 1),
    ("failureThreshold", 3),
    ("httpGet.scheme", "HTTP"),
    ("httpGet.path", "/"),
)


def _under(prefix: str, rows: tuple[Row, ...]) -> tuple[Row, ...]:
    return tuple((f"{prefix}.{path}", value) for path, value in rows)


_CONTAINER: tuple[Row, ...] = (
    ("terminationMessagePath", "/dev/termination-log"),
    ("terminationMessagePolicy", "File"),
    ("resources", {}),
    ("ports[].protocol", "TCP"),
    ("env[].valueFrom.fieldRef.apiVersion", "v1"),
    *_under("livenessProbe", _PROBE),
    *_under("readinessProbe", _PROBE),
    *_under("startupProbe", _PROBE),
)
_POD_SPEC: tuple[Row, ...] = (
    ("restartPolicy", "Always"),
    ("terminationGracePeriodSeconds", 30),
    ("dnsPolicy", "ClusterFirst"),
    ("securityContext", {}),
    ("schedulerName", "default-scheduler"),
    *_under("containers[]", _CONTAINER),
    *_under("initContainers[]", _CONTAINER),
    ("volumes[].secret.defaultMode", 420),
    ("volumes[].configMap.defaultMode", 420),
    ("volumes[].projected.defaultMode", 420),
    ("volumes[].projected.sources[].serviceAccountToken.expirationSeconds", 3600),
    ("volumes[].projected.sources[].downwardAPI.items[].fieldRef.apiVersion", "v1"),
    ("volumes[].hostPath.type", ""),
)
_POD: tuple[Row, ...] = (
    *_under("spec", _POD_SPEC),
    ("spec.enableServiceLinks", True),
    ("status.phase", "Pending"),
)
_TEMPLATE = (("spec.template.metadata", {}), *_under("spec.template.spec", _POD_SPEC))
_CLAIM: tuple[Row, ...] = (("spec.volumeMode", "Filesystem"), ("status.phase", "Pending"))
_JOB: tuple[Row, ...] = (
    ("spec.backoffLimit", 6),
    ("spec.completionMode", "NonIndexed"),
    ("spec.suspend", False),
    ("spec.podReplacementPolicy", "TerminatingOrFailed"),
    ("spec.manualSelector", False),
    *_TEMPLATE,
)
_CPU_TARGET = {"type": "Utilization", "averageUtilization": 80}
_SUBJECTS: tuple[Row, ...] = (("roleRef.apiGroup", "rbac.authorization.k8s.io"),)

_TABLE: dict[str, tuple[Row, ...]] = {
    "Namespace": (("spec", {}), ("status", {}), ("status.phase", "Active")),
    "Pod": (("status", {}), *_POD),
    "Secret": (("type", "Opaque"),),
    "Service": (
        ("spec.type", "ClusterIP"),
        ("spec.sessionAffinity", "None"),
        ("spec.internalTrafficPolicy", "Cluster"),
        ("spec.ports[].protocol", "TCP"),
        ("status", {"loadBalancer": {}}),
    ),
    "PersistentVolumeClaim": (("status", {}), *_CLAIM),
    "Deployment": (
        ("spec.replicas", 1),
        ("spec.revisionHistoryLimit", 10),
        ("spec.progressDeadlineSeconds", 600),
        ("spec.strategy", {}),
        ("spec.strategy.type", "RollingUpdate"),
        *_TEMPLATE,
        ("status", {}),
    ),
    "ReplicaSet": (("spec.replicas", 1), *_TEMPLATE, ("status", {"replicas": 0})),
    "StatefulSet": (
        ("spec.replicas", 1),
        ("spec.revisionHistoryLimit", 10),
        ("spec.podManagementPolicy", "OrderedReady"),
        ("spec.updateStrategy", {}),
        ("spec.persistentVolumeClaimRetentionPolicy", {"whenDeleted": "Retain", "whenScaled": "Retain"}),
        *_TEMPLATE,
        ("spec.volumeClaimTemplates[].apiVersion", "v1"),
        ("spec.volumeClaimTemplates[].kind", "PersistentVolumeClaim"),
        *_under("spec.volumeClaimTemplates[]", (("status", {}), *_CLAIM)),
        ("status", {"replicas": 0, "availableReplicas": 0}),
    ),
    "DaemonSet": (
        ("spec.revisionHistoryLimit", 10),
        ("spec.updateStrategy", {}),
        ("spec.updateStrategy.type", "RollingUpdate"),
        *_TEMPLATE,
    ),
    "Job": (*_JOB, ("status", {})),
    "CronJob": (
        ("spec.concurrencyPolicy", "Allow"),
        ("spec.suspend", False),
        ("spec.successfulJobsHistoryLimit", 3),
        ("spec.failedJobsHistoryLimit", 1),
        ("spec.jobTemplate.metadata", {}),
        *_under("spec.jobTemplate", _TEMPLATE),
        ("status", {}),
    ),
    "RoleBinding": _SUBJECTS,
    "ClusterRoleBinding": _SUBJECTS,
    "StorageClass": (("reclaimPolicy", "Delete"), ("volumeBindingMode", "Immediate")),
    "PriorityClass": (("preemptionPolicy", "PreemptLowerPriority"),),
    "HorizontalPodAutoscaler": (
        ("spec.minReplicas", 1),
        ("spec.metrics", [{"type": "Resource", "resource": {"name": "cpu", "target": _CPU_TARGET}}]),
    ),
    "NetworkPolicy": (("spec.ingress[].ports[].protocol", "TCP"), ("spec.egress[].ports[].protocol", "TCP")),
    "PodDisruptionBudget": (
        ("status", {"currentHealthy": 0, "desiredHealthy": 0, "disruptionsAllowed": 0, "expectedPods": 0}),
    ),
    "PersistentVolume": (
        ("spec.persistentVolumeReclaimPolicy", "Retain"),
        ("spec.volumeMode", "Filesystem"),
        ("spec.hostPath.type", ""),
        ("status", {"phase": "Pending"}),
    ),
    "CustomResourceDefinition": (("spec.conversion", {"strategy": "None"}),),
    "Ingress": (("status", {"loadBalancer": {}}),),
}


_GIVEN: dict[str, tuple[Row, ...]] = {
    "Pod": (
        ("spec.serviceAccountName", "default"),
        ("spec.serviceAccount", "default"),
        ("spec.priority", 0),
        ("spec.preemptionPolicy", "PreemptLowerPriority"),
    ),
    "Namespace": (("spec.finalizers", ["kubernetes"]),),
    "Service": (("spec.ipFamilies", ["IPv4"]), ("spec.ipFamilyPolicy", "SingleStack")),
    "Event": (("reportingComponent", ""), ("reportingInstance", "")),
}


def _plans(table: dict[str, tuple[Row, ...]]) -> dict[str, tuple[tuple[tuple[str, ...], Any], ...]]:
    return {name: tuple((tuple(path.split(".")), value) for path, value in rows) for name, rows in table.items()}


_PLANS, _GIFTS = _plans(_TABLE), _plans(_GIVEN)


def fill(kind: Kind, document: Json) -> None:
    """Fill in, in place, what the table knows for ``kind`` and what depends on other fields."""
    for path, value in _PLANS.get(kind.name, ()):
        _fill_path(document, path, value)
    if kind.name in DERIVED:
        DERIVED[kind.name](document)


def give(kind: Kind, document: Json) -> None:
    """Fill in, in place, what the server decides for a new object: it belongs to none of its managers."""
    for path, value in _GIFTS.get(kind.name, ()):
        _fill_path(document, path, value)


def _fill_path(parent: Json, path: Sequence[str], value: Any) -> None:
    *ways, last = path
    for holder in walk([parent], ways):
        if holder.get(last) is None:
            holder[last] = copy.deepcopy(value)
