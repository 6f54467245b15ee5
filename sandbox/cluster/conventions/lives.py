"""How the API server keeps an object's identity and generation through its life.

Here: what a new object is given, what an update may touch, when a generation is counted. Not here: storing, refusing.
"""

from __future__ import annotations

import base64
import uuid
from collections.abc import Callable

from sandbox.cluster.conventions.defaults import fill
from sandbox.cluster.kinds import BUILT_IN, DEPLOYMENT, NAMESPACE, SERVICE, Json, Kind

_CALLERS = ("labels", "annotations", "finalizers", "ownerReferences")
_NAMING = ("name", "generateName", "namespace")
_KEPT_BY_STATUS: dict[Kind, tuple[str, ...]] = {DEPLOYMENT: ("labels",)}
_CHOSEN_BY_SERVER = {SERVICE: ("clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy"), NAMESPACE: ("finalizers",)}


def born(kind: Kind, document: Json, *, now: str) -> Json:
    """Return a new object made from what the caller sent: identity, generation, defaults; no status of its own."""
    made = _but(document, "status") if kind.status else dict(document)
    metadata = _only(document["metadata"], *_NAMING, *_CALLERS)
    made["metadata"] = metadata | {"uid": str(uuid.uuid4()), "creationTimestamp": now}
    if kind.counted:
        made["metadata"]["generation"] = 1
    _complete(kind, made)
    return made


def revised(kind: Kind, live: Json, new: Json, *, subresource: str = "") -> Json:
    """Return the object that an update makes of ``live``: of ``new``, only what this door lets through."""
    made = _DOORS.get(subresource, _front_door)(kind, live, new)
    _complete(kind, made)
    return made


def _front_door(kind: Kind, live: Json, new: Json) -> Json:
    made = _but(new, "status") | _only(live, "status") if kind.status else dict(new)
    made["metadata"] = _metadata(live, new)
    for name in _CHOSEN_BY_SERVER.get(kind, ()):
        spec = made.get("spec", {})
        if spec.get(name) is None:
            made["spec"] = spec | _only(live["spec"], name)
    return made


def _status_door(kind: Kind, live: Json, new: Json) -> Json:
    metadata, kept = _metadata(live, new), _KEPT_BY_STATUS.get(kind, () if kind in BUILT_IN else _CALLERS)
    metadata = _but(metadata, *kept) | _only(live["metadata"], *kept)
    return _but(live, "status") | _only(new, "status") | {"metadata": metadata}


def _binding_door(_kind: Kind, live: Json, new: Json) -> Json:
    return live | {"spec": live["spec"] | _only(new["spec"], "nodeName"), "metadata": dict(live["metadata"])}


def _finalize_door(_kind: Kind, live: Json, new: Json) -> Json:
    spec = _but(live["spec"], "finalizers") | _only(new["spec"], "finalizers")
    return live | {"spec": spec, "metadata": dict(live["metadata"])}


_DOORS = {"status": _status_door, "binding": _binding_door, "finalize": _finalize_door}


def _metadata(live: Json, new: Json) -> Json:
    # Empty parts go; but an empty list of managed fields is a wish: to forget all owners.
    sent = {name: value for name, value in _only(new["metadata"], *_CALLERS).items() if value}
    return _but(live["metadata"], *_CALLERS, "managedFields") | sent | _only(new["metadata"], "managedFields")


def _only(document: Json, *names: str) -> Json:
    return {name: document[name] for name in names if name in document}


def _but(document: Json, *names: str) -> Json:
    return {name: value for name, value in document.items() if name not in names}


def _complete(kind: Kind, document: Json) -> None:
    """Fill in, in place, what a caller may leave out or write in a shorter form."""
    if kind.name in _SHORTER_FORMS:
        _SHORTER_FORMS[kind.name](document)
    fill(kind, document)


def _secret(document: Json) -> None:
    plain = document.pop("stringData", None) or {}
    coded = {key: base64.b64encode(value.encode()).decode() for key, value in plain.items()}
    if coded:
        document["data"] = (document.get("data") or {}) | coded


def _namespace(document: Json) -> None:
    metadata = document["metadata"]
    metadata["labels"] = (metadata.get("labels") or {}) | {"kubernetes.io/metadata.name": metadata.get("name", "")}


_SHORTER_FORMS: dict[str, Callable[[Json], None]] = {"Secret": _secret, "Namespace": _namespace}


def counts_as_new_generation(kind: Kind, live: Json, new: Json) -> bool:
    """Say whether the step from ``live`` to ``new`` is a new generation of this kind."""
    if kind.counted == ("*",):
        return _but(live, "metadata", "status") != _but(new, "metadata", "status")
    return any(_part(live, name) != _part(new, name) for name in kind.counted)


def _part(document: Json, name: str) -> object:
    return document["metadata"].get(name) if name == "annotations" else document.get(name)


def held(kind: Kind, document: Json) -> bool:
    """Say whether something keeps a deleted object: a finalizer, a grace period, a namespace's own finalizer."""
    metadata = document["metadata"]
    of_namespace = document["spec"].get("finalizers") if kind == NAMESPACE else None
    return bool(metadata.get("finalizers") or metadata.get("deletionGracePeriodSeconds") or of_namespace)
