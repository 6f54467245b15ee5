"""Values that only the server can give: cluster addresses of Services, selectors of Jobs, volumes of claims.

Here: giving them to a new object, in place. Not here: constant defaults.
"""

from __future__ import annotations

import ipaddress
from itertools import count

from sandbox.cluster.kinds import CLAIM, JOB, SERVICE, Json, Kind

_SERVICE_RANGE = ipaddress.ip_network("10.96.0.0/16")
_JOB_LABEL_PREFIXES = ("", "batch.kubernetes.io/")


class Addresses:
    """Hands out what must be unique in the cluster."""

    def __init__(self) -> None:
        self._numbers = count(10)

    def give(self, kind: Kind, born: Json) -> None:
        """Complete a new object with what the server chooses for it."""
        if kind == SERVICE:
            self._service(born["spec"])
        if kind == JOB:
            _job(born)
        if kind == CLAIM:
            born["metadata"].setdefault("finalizers", ["kubernetes.io/pvc-protection"])

    def _service(self, spec: Json) -> None:
        if spec["type"] != "ExternalName":
            spec.setdefault("clusterIP", str(_SERVICE_RANGE[next(self._numbers)]))
            spec.setdefault("clusterIPs", [spec["clusterIP"]])


def _job(born: Json) -> None:
    uid, name, spec = born["metadata"]["uid"], born["metadata"]["name"], born["spec"]
    spec["selector"] = {"matchLabels": {"batch.kubernetes.io/controller-uid": uid}}
    made = {f"{prefix}{key}": value for prefix in _JOB_LABEL_PREFIXES
            for key, value in (("controller-uid", uid), ("job-name", name))}  # fmt: skip
    metadata = spec["template"]["metadata"]
    metadata["labels"] = (metadata.get("labels") or {}) | made
