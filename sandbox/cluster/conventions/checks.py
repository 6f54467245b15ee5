"""What the API server refuses in an object's content: what may not change, and what must fit together.

Here: rules as a table of functions per kind, each yielding causes. Not here: names, and the full validation of every
field, which a client of this cluster leaves to the real server.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from sandbox.cluster.conventions.names import naming_faults
from sandbox.cluster.errors import Cause
from sandbox.cluster.kinds import Json, Kind
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
        yield Cause.invalid("roleRef", new["roleRef"], "cannot change roleRef")


def _service(live: Json, new: Json) -> Iterator[Cause]:
    before, after = live["spec"].get("clusterIP"), new["spec"].get("clusterIP")
    if before and before != after:
        yield Cause.invalid("spec.clusterIPs[0]", [after], "may not change once set")


def _claim(live: Json, new: Json) -> Iterator[Cause]:
    def rest(document: Json) -> Json:
        return {name: value for name, value in document["spec"].items() if name != "resources"}

    if rest(live) != rest(new):
        message = (
            "spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims"
        )
        yield Cause.forbidden("spec", message)


def _selector_fits(document: Json) -> Iterator[Cause]:
    spec = document["spec"]
    if not spec.get("selector"):
        yield Cause.required("spec.selector", "")
        return
    template_labels = labels_of(spec["template"])
    if not selected(workload_selector(spec["selector"]), template_labels):
        message = "`selector` does not match template `labels`"
        yield Cause.invalid("spec.template.metadata.labels", dict(template_labels), message)


_CONTENT: dict[str, Content] = {
    "Deployment": _selector_fits,
    "ReplicaSet": _selector_fits,
    "StatefulSet": _selector_fits,
    "DaemonSet": _selector_fits,
}
_CHANGE: dict[str, Change] = {
    "Deployment": _fixed("spec.selector"),
    "ReplicaSet": _fixed("spec.selector"),
    "DaemonSet": _fixed("spec.selector"),
    "StatefulSet": _stateful_set,
    "Job": _fixed("spec.completions", "spec.selector", "spec.template"),
    "ConfigMap": _frozen_content,
    "Secret": _secret,
    "RoleBinding": _role_ref,
    "ClusterRoleBinding": _role_ref,
    "Service": _service,
    "PersistentVolumeClaim": _claim,
}
