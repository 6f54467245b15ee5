"""Claims of volumes: bound at once to a volume made for them.

Here: the provisioner. Not here: storage. A claim keeps its protection until it is deleted, as no pod is asked.
"""

from __future__ import annotations

from collections.abc import Iterator

from sandbox.cluster.behaviours.desk import Desk
from sandbox.cluster.kinds import CLAIM, VOLUME
from sandbox.cluster.store import Change, Stored

_PROTECTION = "kubernetes.io/pvc-protection"


class Volumes:
    """Looks at claims."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def concerned(self, change: Change) -> Iterator[Stored]:
        """Yield a claim that came or changed."""
        if change.after.kind == CLAIM and not change.gone:
            yield change.after

    def settle(self, stored: Stored) -> None:
        """Bind a claim, or let it go."""
        claim = self._desk.fresh(stored)
        if claim is None:
            return
        if claim.deleting:
            kept = [name for name in claim.document["metadata"].get("finalizers", []) if name != _PROTECTION]
            self._desk.change(claim, {"metadata": {"finalizers": kept}})
        elif claim.document["status"]["phase"] == "Pending":
            self._bind(claim)

    def _bind(self, claim: Stored) -> None:
        spec = claim.document["spec"]
        name = f"pvc-{claim.uid}"
        capacity = {"storage": spec["resources"]["requests"]["storage"]}
        reference = {"kind": "PersistentVolumeClaim", "apiVersion": "v1", "namespace": claim.namespace,
                     "name": claim.name, "uid": claim.uid}  # fmt: skip
        volume = {
            "metadata": {"name": name},
            "spec": {
                "capacity": capacity,
                "accessModes": spec["accessModes"],
                "claimRef": reference,
                "hostPath": {"path": f"/simulated/{name}"},
                "persistentVolumeReclaimPolicy": "Delete",
            },
        }
        made = self._desk.create(VOLUME, volume)
        self._desk.report(made, {"phase": "Bound"})
        bound = self._desk.change(claim, {"spec": spec | {"volumeName": name}})
        status = {"phase": "Bound", "accessModes": spec["accessModes"], "capacity": capacity}
        self._desk.report(bound, status)
