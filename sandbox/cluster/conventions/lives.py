"""How the API server keeps an object's identity and generation through its life.

Here: what a new object is given, what an update may touch, when a generation is counted. Not here: storing, refusing.
"""

from __future__ import annotations

import base64
import uuid
from collections.abc import Callable

from sandbox.cluster.conventions.defaults import fill
from sandbox.cluster.kinds import NAMESPACE, Json, Kind

_CALLERS_METADATA = ("labels", "annotations", "finalizers", "ownerReferences", "managedFields")
_GIVEN_BY_SERVER = ("uid", "creationTimestamp", "resourceVersion", "generation", "deletionTimestamp", "selfLink",
                    "deletionGracePeriodSeconds", "managedFields")  # fmt: skip


def born(kind: Kind, document: Json, *, now: str) -> Json:
    """Return a new object made from what the caller sent: identity, generation, defaults; no status of its own."""
    made = {key: value for key, value in document.items() if not (kind.status and key == "status")}
    callers = {key: value for key, value in document["metadata"].items() if key not in _GIVEN_BY_SERVER}
    made["metadata"] = callers | {"uid": str(uuid.uuid4()), "creationTimestamp": now}
    if kind.counted:
        made["metadata"]["generation"] = 1
    completed(kind, made)
    return made


def revised(kind: Kind, live: Json, new: Json, *, subresource: str = "") -> Json:
    """Return the object that an update makes of ``live``: of ``new``, only what this (sub)resource may touch."""
    if subresource == "status":
        made = dict(live)
        made.pop("status", None)
        made |= {key: new[key] for key in ("status",) if key in new}
        made["metadata"] = live["metadata"] | {
            key: new["metadata"][key] for key in ("managedFields", "annotations") if key in new["metadata"]
        }
    else:
        made = {key: value for key, value in new.items() if not (kind.status and key == "status")}
        made |= {key: live[key] for key in ("status",) if kind.status and key in live}
        kept = {key: value for key, value in live["metadata"].items() if key not in _CALLERS_METADATA}
        sent = {
            key: value for key, value in new["metadata"].items() if key in _CALLERS_METADATA and _counts(key, value)
        }
        made["metadata"] = kept | sent
    completed(kind, made)
    return made


def _counts(name: str, value: object) -> bool:
    """Say whether a part of the metadata is worth keeping: empty ones go, but no owners at all is a wish."""
    return bool(value) or name == "managedFields"


def completed(kind: Kind, document: Json) -> None:
    """Fill in, in place, what a caller may leave out or write in a shorter form."""
    if kind.name in _SHORTER_FORMS:
        _SHORTER_FORMS[kind.name](document)
    fill(kind, document)


def _secret(document: Json) -> None:
    plain = document.pop("stringData", {})
    coded = {key: base64.b64encode(value.encode()).decode() for key, value in plain.items()}
    if coded:
        document["data"] = document.get("data", {}) | coded


def _namespace(document: Json) -> None:
    name = document["metadata"].get("name", "")
    document["metadata"]["labels"] = document["metadata"].get("labels", {}) | {"kubernetes.io/metadata.name": name}


_SHORTER_FORMS: dict[str, Callable[[Json], None]] = {"Secret": _secret, "Namespace": _namespace}


def counts_as_new_generation(kind: Kind, live: Json, new: Json) -> bool:
    """Say whether the step from ``live`` to ``new`` is a new generation of this kind."""
    if kind.counted == ("*",):
        return _content(live) != _content(new)
    return any(_part(live, name) != _part(new, name) for name in kind.counted)


def _part(document: Json, name: str) -> object:
    return document["metadata"].get(name) if name == "annotations" else document.get(name)


def _content(document: Json) -> Json:
    return {key: value for key, value in document.items() if key not in {"metadata", "status"}}


def held(kind: Kind, document: Json) -> bool:
    """Say whether something keeps a deleted object: a finalizer, a grace period, a namespace's own finalizer."""
    metadata = document["metadata"]
    of_namespace = document["spec"].get("finalizers") if kind == NAMESPACE else None
    return bool(metadata.get("finalizers") or metadata.get("deletionGracePeriodSeconds") or of_namespace)
