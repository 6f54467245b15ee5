"""What the API server refuses in an object's content: what may not change, and what must fit together.

Here: rules as a table of functions per kind, each yielding causes. Not here: names, and the full validation of every
field, which a client of this cluster leaves to the real server.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import Any

from sandbox.cluster.conventions.names import naming_faults
from sandbox.cluster.errors import Cause
from sandbox.cluster.kinds import Json, Kind
from sandbox.cluster.quantities import value_of
from sandbox.cluster.selectors import labels_of, selected, workload_selector

Change = Callable[[Json, Json], Iterator[Cause]]
Content = Callable[[Json], Iterator[Cause]]

_SET_MAY_CHANGE = (
    "replicas",
    "ordinals",
    "template",
    "updateStrategy",
    "revisionHistoryLimit",
    "persistentVolumeClaimRetentionPolicy",
    "minReadySeconds",
)
_POD_MAY_CHANGE = ("activeDeadlineSeconds", "tolerations")
_POD_RULE = (
    "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,"
    "`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),"
    "`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)"
)
_SET_RULE = (
    "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', "
    "'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden"
)


def faults(kind: Kind, document: Json, live: Json | None) -> list[Cause]:
    """Return everything wrong with ``document``, which is to follow ``live`` (None: to be created)."""
    found = list(naming_faults(kind, document["metadata"]))
    found += _CONTENT.get(kind.name, _nothing_about)(document)
    if live is not None:
        found += _metadata_change(live, document)
        found += _CHANGE.get(kind.name, _nothing_between)(live, document)
    return found


def _nothing_about(_document: Json) -> Iterator[Cause]:
    yield from ()


def _nothing_between(_live: Json, _new: Json) -> Iterator[Cause]:
    yield from ()


def _metadata_change(live: Json, new: Json) -> Iterator[Cause]:
    if "deletionTimestamp" in live["metadata"]:
        added = set(new["metadata"].get("finalizers", [])) - set(live["metadata"].get("finalizers", []))
        if added:
            names = ", ".join(f'"{name}"' for name in sorted(added))
            message = (
                "no new finalizers can be added if the object is being deleted, found new finalizers "
                f"[]string{{{names}}}"
            )
            yield Cause.forbidden("metadata.finalizers", message)


def _fixed(*paths: str) -> Change:
    def check(live: Json, new: Json) -> Iterator[Cause]:
        for path in paths:
            value = _value(new, path)
            if value != _value(live, path):
                yield Cause.immutable(path, value)

    return check


def _value(document: Json, path: str) -> Any:
    found: Any = document
    for name in path.split("."):
        found = (found or {}).get(name)
    return found


def _stateful_set(live: Json, new: Json) -> Iterator[Cause]:
    def rest(document: Json) -> Json:
        return {name: value for name, value in document["spec"].items() if name not in _SET_MAY_CHANGE}

    if rest(live) != rest(new):
        yield Cause.forbidden("spec", _SET_RULE)


def _frozen_content(live: Json, new: Json) -> Iterator[Cause]:
    if live.get("immutable"):
        if not new.get("immutable"):
            yield Cause.forbidden("immutable", "field is immutable when `immutable` is set")
        for field in ("data", "binaryData"):
            if live.get(field) != new.get(field):
                yield Cause.forbidden(field, "field is immutable when `immutable` is set")


def _secret(live: Json, new: Json) -> Iterator[Cause]:
    yield from _fixed("type")(live, new)
    yield from _frozen_content(live, new)


def _role_ref(live: Json, new: Json) -> Iterator[Cause]:
    if live["roleRef"] != new["roleRef"]:
        sent = {"APIGroup": "apiGroup", "Kind": "kind", "Name": "name"}
        printed = {name: new["roleRef"].get(field, "") for name, field in sent.items()}
        yield Cause.invalid("roleRef", printed, "cannot change roleRef")


def _service(live: Json, new: Json) -> Iterator[Cause]:
    before, after = live["spec"].get("clusterIP"), new["spec"].get("clusterIP")
    if before and before != after:
        yield Cause.invalid("spec.clusterIPs[0]", [after], "may not change once set")


def _claim(live: Json, new: Json) -> Iterator[Cause]:
    # A claim is bound by writing the volume's name; only from then on may it ask for more room or another sort of it.
    bound = bool(live["spec"].get("volumeName"))

    def rest(document: Json) -> Json:
        spec: Json = copy.deepcopy(document["spec"])
        spec.pop("volumeAttributesClassName" if bound else "volumeName", None)
        if bound:
            spec["resources"].get("requests", {}).pop("storage", None)
        return spec

    if rest(live) != rest(new):
        message = (
            "spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims"
        )
        yield Cause.forbidden("spec", message)
    elif room(new) < room(live):
        message = "field can not be less than status.capacity"
        yield Cause.forbidden("spec.resources.requests.storage", message)


def room(claim: Json) -> Fraction:
    """Return how much a claim asks for."""
    return value_of(claim["spec"]["resources"]["requests"]["storage"])


def _pod(live: Json, new: Json) -> Iterator[Cause]:
    def rest(document: Json) -> Json:
        spec = {name: value for name, value in document["spec"].items() if name not in _POD_MAY_CHANGE}
        for group in ("containers", "initContainers"):
            spec[group] = [each | {"image": ""} for each in spec.get(group, [])]
        return spec

    if rest(live) != rest(new):
        yield Cause.forbidden("spec", _POD_RULE)


def _workload(document: Json) -> Iterator[Cause]:
    spec = document["spec"]
    selector, template_labels = spec.get("selector"), labels_of(spec["template"])
    if spec.get("replicas", 0) < 0:
        yield Cause.negative("spec.replicas", spec["replicas"])
    if selector is None:
        yield Cause.required("spec.selector", "")
    elif not any(selector.values()):
        message = f"empty selector is invalid for {document['kind'].lower()}"
        yield Cause.invalid("spec.selector", {}, message)
    if selector is None or not selected(workload_selector(selector), template_labels):
        message = "`selector` does not match template `labels`"
        yield Cause.invalid("spec.template.metadata.labels", template_labels or None, message)
    yield from _has_containers(spec["template"], "spec.template.spec.containers")


def _job(document: Json) -> Iterator[Cause]:
    template = document["spec"]["template"]
    yield from _has_containers(template, "spec.template.spec.containers")
    if template["spec"].get("restartPolicy") not in {"OnFailure", "Never"}:
        yield Cause.required("spec.template.spec.restartPolicy", 'valid values: "OnFailure", "Never"')


def _definition(document: Json) -> Iterator[Cause]:
    spec, name = document["spec"], document["metadata"].get("name", "")
    if name != f"{spec['names']['plural']}.{spec['group']}":
        yield Cause.invalid("metadata.name", name, 'must be spec.names.plural+"."+spec.group')


def _lease(document: Json) -> Iterator[Cause]:
    spec = document.get("spec") or {}
    if spec.get("leaseDurationSeconds", 1) <= 0:
        yield Cause.invalid("spec.leaseDurationSeconds", spec["leaseDurationSeconds"], "must be greater than 0")
    if spec.get("leaseTransitions", 0) < 0:
        yield Cause.negative("spec.leaseTransitions", spec["leaseTransitions"])


def _has_containers(document: Json, path: str = "spec.containers") -> Iterator[Cause]:
    if not document["spec"].get("containers"):
        yield Cause.required(path, "")


_CONTENT: dict[str, Content] = {
    "Pod": _has_containers,
    "CustomResourceDefinition": _definition,
    "Job": _job,
    "Lease": _lease,
    "Deployment": _workload,
    "ReplicaSet": _workload,
    "StatefulSet": _workload,
    "DaemonSet": _workload,
}
_CHANGE: dict[str, Change] = {
    "Deployment": _fixed("spec.selector"),
    "ReplicaSet": _fixed("spec.selector"),
    "DaemonSet": _fixed("spec.selector"),
    "StatefulSet": _stateful_set,
    "Job": _fixed("spec.completions", "spec.selector", "spec.template"),
    "Pod": _pod,
    "ConfigMap": _frozen_content,
    "Secret": _secret,
    "RoleBinding": _role_ref,
    "ClusterRoleBinding": _role_ref,
    "Service": _service,
    "PersistentVolumeClaim": _claim,
}
