"""Defaults that depend on other fields of an object, kind by kind.

Here: a table of functions, each completing a document in place as kubernetes/pkg/apis/*/v1/defaults.go does. Not here:
defaults that are constants.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from typing import Final

from sandbox.cluster.conventions.paths import walk
from sandbox.cluster.kinds import Json

_ALL: Final[Json] = {"type": "Percent", "value": 100, "periodSeconds": 15}
_SCALE_UP: Final[Json] = {
    "stabilizationWindowSeconds": 0,
    "selectPolicy": "Max",
    "policies": [{"type": "Pods", "value": 4, "periodSeconds": 15}, _ALL],
}
_SCALE_DOWN: Final[Json] = {"selectPolicy": "Max", "policies": [_ALL]}


def _containers(spec: Json) -> Iterator[Json]:
    yield from spec.get("containers") or []
    yield from spec.get("initContainers") or []


def _account(spec: Json) -> None:
    """Write the account under its old name too, and take it from there, as the conversion of pod specs does."""
    account = spec.get("serviceAccountName") or spec.get("serviceAccount")
    if account:
        spec["serviceAccountName"] = spec["serviceAccount"] = account


def _pull_policy(document: Json, *, at: str) -> None:
    for spec in walk([document], at.split(".")):
        _account(spec)
        for container in _containers(spec):
            image = container.get("image", "")
            floating = ":" not in image.rpartition("/")[2] or image.endswith(":latest")
            container.setdefault("imagePullPolicy", "Always" if floating else "IfNotPresent")


def _service(document: Json) -> None:
    for port in document["spec"].get("ports") or []:
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
    if not strategy.get("type"):
        strategy["type"] = "RollingUpdate"
        strategy.setdefault("rollingUpdate", {})
    if strategy["type"] == "RollingUpdate" and "rollingUpdate" in strategy:
        strategy["rollingUpdate"].setdefault("partition", 0)


def _daemon_set(document: Json) -> None:
    _pull_policy(document, at="spec.template.spec")
    strategy = document["spec"]["updateStrategy"]
    if strategy["type"] == "RollingUpdate":
        rolling = strategy.setdefault("rollingUpdate", {})
        rolling.setdefault("maxUnavailable", 1)
        rolling.setdefault("maxSurge", 0)


def _network_policy(document: Json) -> None:
    spec = document["spec"]
    spec.setdefault("policyTypes", ["Ingress", "Egress"] if spec.get("egress") is not None else ["Ingress"])


def _job(document: Json) -> None:
    _pull_policy(document, at="spec.template.spec")
    spec = document["spec"]
    if spec.get("parallelism") is None:
        spec["parallelism"] = 1
        spec.setdefault("completions", 1)
    labels = spec.get("template", {}).get("metadata", {}).get("labels")
    if labels and not document["metadata"].get("labels"):
        document["metadata"]["labels"] = dict(labels)


def _limit_range(document: Json) -> None:
    for limit in document["spec"].get("limits") or []:
        if limit["type"] == "Container":
            most = limit.get("max", {}) | limit.get("default", {})
            least = limit.get("min", {}) | most | limit.get("defaultRequest", {})
            limit |= {name: value for name, value in (("default", most), ("defaultRequest", least)) if value}


def _autoscaler(document: Json) -> None:
    behavior = document["spec"].get("behavior")
    if behavior is not None:
        for name, rules in (("scaleUp", _SCALE_UP), ("scaleDown", _SCALE_DOWN)):
            behavior[name] = copy.deepcopy(rules) | behavior.get(name, {})


def _binding(document: Json) -> None:
    for subject in document.get("subjects") or []:
        group = "" if subject["kind"] == "ServiceAccount" else "rbac.authorization.k8s.io"
        if group:
            subject.setdefault("apiGroup", group)


def _definition(document: Json) -> None:
    names = document["spec"]["names"]
    names.setdefault("singular", names["kind"].lower())
    names.setdefault("listKind", f"{names['kind']}List")


def _at(path: str) -> Callable[[Json], None]:
    return lambda document: _pull_policy(document, at=path)


DERIVED: dict[str, Callable[[Json], None]] = {
    "Pod": _at("spec"),
    "ReplicaSet": _at("spec.template.spec"),
    "DaemonSet": _daemon_set,
    "Job": _job,
    "CronJob": _at("spec.jobTemplate.spec.template.spec"),
    "Deployment": _deployment,
    "StatefulSet": _stateful_set,
    "Service": _service,
    "NetworkPolicy": _network_policy,
    "LimitRange": _limit_range,
    "HorizontalPodAutoscaler": _autoscaler,
    "CustomResourceDefinition": _definition,
    "RoleBinding": _binding,
    "ClusterRoleBinding": _binding,
}
