"""Values that only the server can give: cluster addresses of Services, selectors of Jobs, protection of volumes.

Here: giving them to a new object, in place. Not here: constant defaults.
"""

from __future__ import annotations

import ipaddress
from itertools import count

from sandbox.cluster.conventions.defaults import give
from sandbox.cluster.kinds import CLAIM, CLASS, DEFINITION, JOB, SERVICE, VOLUME, Json, Kind
from sandbox.cluster.store import Store

_IS_DEFAULT = "storageclass.kubernetes.io/is-default-class"
_PROTECTION = {CLAIM: "kubernetes.io/pvc-protection", VOLUME: "kubernetes.io/pv-protection"}
_SERVICE_RANGE = ipaddress.ip_network("10.96.0.0/16")
_JOB_LABEL_PREFIXES = ("", "batch.kubernetes.io/")


class Gifts:
    """Hands out what must be unique in the cluster, or follows from its state."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._numbers = count(10)

    def give(self, kind: Kind, born: Json) -> None:
        """Complete a new object with what the server chooses for it."""
        give(kind, born)
        if kind in _PROTECTION:
            metadata = born["metadata"]
            metadata["finalizers"] = list(dict.fromkeys([*metadata.get("finalizers", ()), _PROTECTION[kind]]))
        if kind == SERVICE:
            self._service(born["spec"])
        if kind == JOB:
            _job(born)
        if kind == DEFINITION:
            stored = [version["name"] for version in born["spec"]["versions"] if version["storage"]]
            born["status"] = born.get("status", {}) | {"storedVersions": stored}
        if kind == CLAIM and "storageClassName" not in born["spec"]:
            born["spec"] |= self._default_class()

    def _default_class(self) -> Json:
        for each in self._store.of(CLASS):
            if _IS_DEFAULT in each.document["metadata"].get("annotations", {}):
                return {"storageClassName": each.name}
        return {}

    def _service(self, spec: Json) -> None:
        if spec["type"] != "ExternalName":
            spec.setdefault("clusterIP", str(_SERVICE_RANGE[next(self._numbers)]))
            spec.setdefault("clusterIPs", [spec["clusterIP"]])


def _job(born: Json) -> None:
    uid, name, spec = born["metadata"]["uid"], born["metadata"]["name"], born["spec"]
    spec["selector"] = {"matchLabels": {"batch.kubernetes.io/controller-uid": uid}}
    made = {f"{prefix}{key}": value for prefix in _JOB_LABEL_PREFIXES
            for key, value in (("controller-uid", uid), ("job-name", name))}  # fmt: skip
    for metadata in (born["metadata"], spec["template"]["metadata"]):
        metadata["labels"] = (metadata.get("labels") or {}) | made
