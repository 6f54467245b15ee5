"""Deletes: preconditions, grace, finalizers, and what a propagation policy asks of the garbage collector.

Here: what a DELETE request does to one object. Not here: collecting its dependents, which a behaviour does later.
"""

from __future__ import annotations

from dataclasses import dataclass

from sandbox.cluster import errors
from sandbox.cluster.api import Api, unsaved
from sandbox.cluster.conventions import lives
from sandbox.cluster.kinds import DEFINITION, NAMESPACE, POD, Json
from sandbox.cluster.pace import stamp_after
from sandbox.cluster.store import Stored

FOREGROUND = "foregroundDeletion"
ORPHAN = "orphan"
CLEANUP = "customresourcecleanup.apiextensions.k8s.io"
_FINALIZER = {"Foreground": FOREGROUND, "Orphan": ORPHAN}


@dataclass(frozen=True, slots=True)
class Deletion:
    """How to delete: preconditions on identity and version, the policy for dependents, the grace in seconds."""

    uid: str | None = None
    version: str | None = None
    policy: str | None = None
    grace_seconds: int | None = None
    dry_run: bool = False


def delete(api: Api, live: Stored, how: Deletion) -> tuple[Stored, bool]:
    """Delete an object, or mark it as being deleted.

    Returns:
        The object's last or present state, and whether it is gone.

    Raises:
        ApiError: 409 when a precondition fails.
    """
    _require(live, how)
    marked = _marked(api, live, how)
    if how.dry_run:
        return unsaved(live.kind, marked), not lives.held(live.kind, marked)
    if not lives.held(live.kind, marked):
        return api.store.remove(live, marked), True
    if marked == live.document:
        return live, False
    return api.store.put(live.kind, marked), False


def _require(live: Stored, how: Deletion) -> None:
    for label, wanted, present, fate in (
        ("UID", how.uid, live.uid, "deleted and then recreated"),
        ("ResourceVersion", how.version, str(live.version), "modified"),
    ):
        if wanted is not None and wanted != present:
            message = (
                f"the {label} in the precondition ({wanted}) does not match the {label} in record ({present}). "
                f"The object might have been {fate}"
            )
            raise errors.precondition(live.kind, live.name, message)


def _marked(api: Api, live: Stored, how: Deletion) -> Json:
    grace = _grace(live, how)
    metadata: Json = live.document["metadata"] | {"finalizers": _finalizers(live, how)}
    if not metadata["finalizers"]:
        del metadata["finalizers"]
    shorter = grace < metadata.get("deletionGracePeriodSeconds", grace)
    if not live.deleting or shorter:
        metadata["deletionTimestamp"] = stamp_after(api.pace.now(), grace)
        metadata["deletionGracePeriodSeconds"] = grace
    if not live.deleting and "generation" in metadata:
        metadata["generation"] += 1
    marked = live.document | {"metadata": metadata}
    if live.kind == NAMESPACE:
        metadata.pop("deletionGracePeriodSeconds", None)
        marked["status"] = live.document["status"] | {"phase": "Terminating"}
    return marked


def _finalizers(live: Stored, how: Deletion) -> list[str]:
    present = live.document["metadata"].get("finalizers", [])
    if live.kind == DEFINITION:
        return [*present, CLEANUP] if CLEANUP not in present else present
    policy = how.policy or ("Orphan" if live.kind.orphans else "Background")
    others = [name for name in present if name not in _FINALIZER.values()]
    if how.policy is None and len(others) != len(present):
        return list(present)
    return others + [name for chosen, name in _FINALIZER.items() if chosen == policy]


def _grace(live: Stored, how: Deletion) -> int:
    document = live.document
    if live.kind != POD or not document["spec"].get("nodeName"):
        return 0
    if document["status"].get("phase") in {"Succeeded", "Failed"}:
        return 0
    asked = document["spec"]["terminationGracePeriodSeconds"] if how.grace_seconds is None else how.grace_seconds
    return int(asked)
