"""Claims of volumes: bound at once to a volume made for them, grown, and protected while a pod uses them.

Here: the provisioner of the default StorageClass and the protection of claims. Not here: storage; claims of any other
class stay Pending.
"""

from __future__ import annotations

from collections.abc import Iterator

from sandbox.cluster.behaviours.desk import Desk
from sandbox.cluster.kinds import CLAIM, POD, VOLUME, Json
from sandbox.cluster.store import Change, Stored

STORAGE_CLASS = "standard"
PROVISIONER = "sandbox.perigee.dev/volumes"
CLASS_DOCUMENT: Json = {
    "apiVersion": "storage.k8s.io/v1",
    "kind": "StorageClass",
    "metadata": {"name": STORAGE_CLASS, "annotations": {"storageclass.kubernetes.io/is-default-class": "true"}},
    "provisioner": PROVISIONER,
    "allowVolumeExpansion": True,
}
_PROTECTION = {CLAIM: "kubernetes.io/pvc-protection", VOLUME: "kubernetes.io/pv-protection"}


class Volumes:
    """Looks at claims, at their volumes, and at pods that let go of claims."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def concerned(self, change: Change) -> Iterator[Stored]:
        """Yield a claim or volume that came, changed or went, and the claims of a pod that went."""
        if change.after.kind in _PROTECTION:
            yield change.after
        elif change.after.kind == POD and change.gone:
            for name in claims_of(change.after.document):
                claim = self._desk.api.store.get(CLAIM, change.after.namespace, name)
                if claim is not None:
                    yield claim

    def settle(self, stored: Stored) -> None:
        """Bind or grow a claim, let it go; remove the volume of a claim that is gone."""
        present = self._desk.fresh(stored)
        if present is None:
            self._reclaim(stored)
        elif present.deleting:
            self._release(present)
        elif present.kind == CLAIM and present.document["spec"].get("storageClassName") == STORAGE_CLASS:
            self._serve(present)

    def _reclaim(self, gone: Stored) -> None:
        if gone.kind == CLAIM:
            volume = self._desk.api.store.get(VOLUME, "", _volume_name(gone))
            if volume is not None:
                self._desk.delete(volume)

    def _release(self, stored: Stored) -> None:
        if stored.kind == CLAIM and any(
            stored.name in claims_of(pod.document) for pod in self._desk.api.store.of(POD, stored.namespace)
        ):
            return
        finalizers = stored.document["metadata"]["finalizers"]
        kept = [name for name in finalizers if name != _PROTECTION[stored.kind]]
        self._desk.change(stored, {"metadata": {"finalizers": kept}})

    def _serve(self, claim: Stored) -> None:
        spec, name = claim.document["spec"], _volume_name(claim)
        capacity = {"storage": spec["resources"]["requests"]["storage"]}
        volume = self._desk.api.store.get(VOLUME, "", name)
        if volume is None:
            self._desk.report(self._desk.create(VOLUME, _volume(claim, capacity)), {"phase": "Bound"})
        else:
            self._desk.change(volume, {"spec": volume.document["spec"] | {"capacity": capacity}})
        bound = self._desk.change(claim, {"spec": spec | {"volumeName": name}})
        self._desk.report(bound, {"phase": "Bound", "accessModes": spec["accessModes"], "capacity": capacity})


def _volume_name(claim: Stored) -> str:
    return f"pvc-{claim.uid}"


def _volume(claim: Stored, capacity: Json) -> Json:
    spec, name = claim.document["spec"], _volume_name(claim)
    return {
        "metadata": {"name": name, "annotations": {"pv.kubernetes.io/provisioned-by": PROVISIONER}},
        "spec": {
            "capacity": capacity,
            "accessModes": spec["accessModes"],
            "volumeMode": spec["volumeMode"],
            "storageClassName": STORAGE_CLASS,
            "persistentVolumeReclaimPolicy": "Delete",
            "claimRef": {
                "kind": "PersistentVolumeClaim",
                "apiVersion": "v1",
                "namespace": claim.namespace,
                "name": claim.name,
                "uid": claim.uid,
            },
            "hostPath": {"path": f"/var/lib/perigee-simulated/{name}", "type": "DirectoryOrCreate"},
        },
    }


def claims_of(pod: Json) -> set[str]:
    """Return the names of the claims that a pod uses."""
    volumes = pod["spec"].get("volumes", [])
    return {volume["persistentVolumeClaim"]["claimName"] for volume in volumes if "persistentVolumeClaim" in volume}
