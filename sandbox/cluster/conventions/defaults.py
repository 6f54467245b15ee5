"""Values that the API server fills in where the caller left them out.

Here: a table of paths and values per kind and the few lines that apply it. A path goes through every element of a list
at ``[]`` and stops where its parent is missing. Not here: values that must be made (names, addresses), and nothing that
a client of this cluster has no use for. The values are those of kubernetes/pkg/apis/*/v1/defaults.go.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from typing import Any

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
    ("spec.completions", 1),
    ("spec.parallelism", 1),
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
        ("spec.updateStrategy.type", "RollingUpdate"),
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
        ("spec.updateStrategy.rollingUpdate", {"maxSurge": 0, "maxUnavailable": 1}),
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
    "PersistentVolumeClaim": (("metadata.finalizers", ["kubernetes.io/pvc-protection"]),),
    "PersistentVolume": (("metadata.finalizers", ["kubernetes.io/pv-protection"]),),
    "Event": (("reportingComponent", ""), ("reportingInstance", "")),
}


def _plans(table: dict[str, tuple[Row, ...]]) -> dict[str, tuple[tuple[tuple[str, ...], Any], ...]]:
    return {name: tuple((tuple(path.split(".")), value) for path, value in rows) for name, rows in table.items()}


_PLANS, _GIFTS = _plans(_TABLE), _plans(_GIVEN)


def fill(kind: Kind, document: Json) -> None:
    """Fill in, in place, what the table knows for ``kind`` and what depends on other fields."""
    for path, value in _PLANS.get(kind.name, ()):
        _fill_path(document, path, value)
    if kind.name in _DERIVED:
        _DERIVED[kind.name](document)


def give(kind: Kind, document: Json) -> None:
    """Fill in, in place, what the server decides for a new object: it belongs to none of its managers."""
    for path, value in _GIFTS.get(kind.name, ()):
        _fill_path(document, path, value)


def _fill_path(parent: Json, path: Sequence[str], value: Any) -> None:
    *ways, last = path
    for holder in _walk([parent], ways):
        if holder.get(last) is None:
            holder[last] = copy.deepcopy(value)


def _walk(holders: list[Json], ways: Sequence[str]) -> Iterator[Json]:
    for way in ways:
        name = way.removesuffix("[]")
        found = [holder[name] for holder in holders if holder.get(name) is not None]
        holders = [element for elements in found for element in elements] if name != way else found
    yield from holders


def pod_specs(kind: Kind, document: Json) -> Iterator[Json]:
    """Yield the pod specification that a document of ``kind`` holds, if it holds one."""
    ways = {"Pod": ["spec"], "CronJob": ["spec", "jobTemplate", "spec", "template", "spec"]}
    yield from _walk([document], ways.get(kind.name, ["spec", "template", "spec"]))


def _containers(spec: Json) -> Iterator[Json]:
    yield from spec.get("containers") or []
    yield from spec.get("initContainers") or []


def _account(spec: Json) -> None:
    """Write the account under its old name too, and take it from there, as the conversion of pod specs does."""
    account = spec.get("serviceAccountName") or spec.get("serviceAccount")
    if account:
        spec["serviceAccountName"] = spec["serviceAccount"] = account


def _pull_policy(document: Json, *, at: str) -> None:
    for spec in _walk([document], at.split(".")):
        _account(spec)
        for container in _containers(spec):
            image = container.get("image", "")
            floating = ":" not in image.rpartition("/")[2] or image.endswith(":latest")
            container.setdefault("imagePullPolicy", "Always" if floating else "IfNotPresent")


def _service(document: Json) -> None:
    for port in document["spec"].get("ports", []):
        port.setdefault("targetPort", port["port"])


def _deployment(document: Json) -> None:
    _pull_policy(document, at="spec.template.spec")
    strategy = document["spec"]["strategy"]
    if strategy["type"] == "RollingUpdate":
        rolling = strategy.setdefault("rollingUpdate", {})
        rolling.setdefault("maxUnavailable", "25%")
        rolling.setdefault("maxSurge", "25%")


def _stateful_set(document: Json) -> None:
    _pull_policy(document, at="spec.template.spec")
    strategy = document["spec"]["updateStrategy"]
    if strategy["type"] == "RollingUpdate":
        strategy.setdefault("rollingUpdate", {}).setdefault("partition", 0)


def _network_policy(document: Json) -> None:
    spec = document["spec"]
    spec.setdefault("policyTypes", ["Ingress", "Egress"] if spec.get("egress") is not None else ["Ingress"])


def _job(document: Json) -> None:
    _pull_policy(document, at="spec.template.spec")
    labels = document["spec"].get("template", {}).get("metadata", {}).get("labels")
    if labels and not document["metadata"].get("labels"):
        document["metadata"]["labels"] = dict(labels)


def _limit_range(document: Json) -> None:
    for limit in document["spec"].get("limits", []):
        if limit["type"] == "Container":
            limit["default"] = limit.get("max", {}) | limit.get("default", {})
            limit["defaultRequest"] = limit.get("min", {}) | limit["default"] | limit.get("defaultRequest", {})


def _binding(document: Json) -> None:
    for subject in document.get("subjects", []):
        group = "" if subject["kind"] == "ServiceAccount" else "rbac.authorization.k8s.io"
        if group:
            subject.setdefault("apiGroup", group)


def _definition(document: Json) -> None:
    names = document["spec"]["names"]
    names.setdefault("singular", names["kind"].lower())
    names.setdefault("listKind", f"{names['kind']}List")


def _at(path: str) -> Callable[[Json], None]:
    return lambda document: _pull_policy(document, at=path)


_DERIVED: dict[str, Callable[[Json], None]] = {
    "Pod": _at("spec"),
    "ReplicaSet": _at("spec.template.spec"),
    "DaemonSet": _at("spec.template.spec"),
    "Job": _job,
    "CronJob": _at("spec.jobTemplate.spec.template.spec"),
    "Deployment": _deployment,
    "StatefulSet": _stateful_set,
    "Service": _service,
    "NetworkPolicy": _network_policy,
    "LimitRange": _limit_range,
    "CustomResourceDefinition": _definition,
    "RoleBinding": _binding,
    "ClusterRoleBinding": _binding,
}
