"""From a live object to what is kept of it: read once, where it enters. Pure.

The parts of Kubernetes' status that mean something to us are read here and nowhere else.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import Any

from agent.model.labels import DOMAIN
from agent.model.objects import Manifest, ObjectRef
from agent.model.observed import Claim, Detail, Home, Life, Seen, Work, Workload
from agent.planning.ownership import applied_at, holders_of, ownership_of

_STARTING = frozenset({"ContainerCreating", "PodInitializing"})
_NO_LABELS: Mapping[str, str] = {}


def observed(live: Manifest) -> Seen:
    """What is kept of an object; raises KeyError where it is none."""
    metadata = live["metadata"]
    kind = live["kind"]
    detail = _DETAILS.get(kind)
    # Nobody judges who owns a field of a pod, and pods are many.
    judged = kind != "Pod"
    return Seen(
        ref=_ref(live),
        uid=metadata.get("uid", ""),
        version=int(metadata.get("resourceVersion", 0)),
        labels=_labels(metadata.get("labels") or {}),
        terminating="deletionTimestamp" in metadata,
        ownership=ownership_of(live) if judged else "",
        applied_at=sys.intern(applied_at(live)) if judged else "",
        holders=holders_of(live) if judged else (),
        detail=detail(live) if detail is not None else None,
    )


def _ref(live: Manifest) -> ObjectRef:
    metadata = live["metadata"]
    return ObjectRef(
        sys.intern(live["apiVersion"]), sys.intern(live["kind"]), sys.intern(metadata.get("namespace", "")),
        sys.intern(metadata["name"]),
    )  # fmt: skip


def _labels(labels: Mapping[str, str]) -> Mapping[str, str]:
    ours = {sys.intern(key): sys.intern(value) for key, value in labels.items() if key.startswith(DOMAIN)}
    return ours or _NO_LABELS


def _workload(live: Manifest) -> Workload:
    spec, status = live.get("spec") or {}, live.get("status") or {}
    wanted, generation = spec.get("replicas", 1), live["metadata"].get("generation", 1)
    # What was born without pods and never changed has none, even before its controller first looked at it.
    empty_from_birth = wanted == 0 and generation == 1
    return Workload(
        wanted=wanted,
        current=empty_from_birth or status.get("observedGeneration", 0) >= generation,
        total=status.get("replicas", 0),
        ready=status.get("readyReplicas", 0),
        updated=status.get("updatedReplicas", 0),
    )


def _work(live: Manifest) -> Work:
    held = {
        condition["type"]: condition
        for condition in (live.get("status") or {}).get("conditions") or ()
        if condition.get("status") == "True"
    }
    failed = held.get("Failed")
    said = failed.get("message") or failed.get("reason") or "it failed" if failed is not None else ""
    return Work("Complete" in held, said)


def _life(live: Manifest) -> Life:
    status = live.get("status") or {}
    for container in (*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())):
        reason = ((container.get("state") or {}).get("waiting") or {}).get("reason", "")
        if reason and reason not in _STARTING:
            return Life(f"{live['metadata']['name']}/{container['name']}: {reason}")
    trouble = _unschedulable(live["metadata"]["name"], status)
    return Life(trouble) if trouble else _UNTROUBLED


_UNTROUBLED = Life()


def _unschedulable(name: str, status: Mapping[str, Any]) -> str:
    for condition in status.get("conditions") or ():
        if condition.get("type") == "PodScheduled" and condition.get("status") == "False":
            return f"{name}: {condition.get('reason', '')} {condition.get('message', '')}".strip()
    return ""


def _home(live: Manifest) -> Home:
    conditions = (live.get("status") or {}).get("conditions") or ()
    # Every condition of a namespace tells of an obstacle to its end (NamespaceConditionType in core/v1).
    said = (f"{one['type']}: {one.get('message', '')}" for one in conditions if one.get("status") == "True")
    return Home(tuple(said))


def _claim(live: Manifest) -> Claim:
    requests = ((live.get("spec") or {}).get("resources") or {}).get("requests") or {}
    return Claim(str(requests.get("storage", "")))


_DETAILS: Mapping[str, Callable[[Manifest], Detail]] = {
    "Deployment": _workload,
    "StatefulSet": _workload,
    "Job": _work,
    "Pod": _life,
    "Namespace": _home,
    "PersistentVolumeClaim": _claim,
}
