"""What behaviours tell of their deeds: core/v1 Events, in the two styles of real programs. Pure: documents only.

Controllers count repetitions in ``count`` with times of whole seconds; the scheduler leaves that out, gives its
``eventTime`` in microseconds and counts repetitions in ``series``. A client that explains pods by events meets both.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from sandbox.cluster.kinds import Json
from sandbox.cluster.store import Stored

SCHEDULER = "default-scheduler"


@dataclass(frozen=True, slots=True)
class Happening:
    """One thing that happened to an object: the CamelCase reason, a sentence, and which program says so."""

    reason: str
    message: str
    component: str
    warning: bool = False

    def name(self, about: Stored) -> str:
        """Return the name under which repetitions of this are one Event."""
        digest = hashlib.sha256(f"{about.uid}/{self.reason}/{self.message}".encode())
        return f"{about.name}.{digest.hexdigest()[:16]}"

    def event(self, about: Stored, *, now: str, precisely: str) -> Json:
        """Return the Event, told for the first time."""
        told: Json = {
            "metadata": {"name": self.name(about), "namespace": about.namespace},
            "involvedObject": {
                "kind": about.kind.name,
                "apiVersion": about.kind.api_version,
                "namespace": about.namespace,
                "name": about.name,
                "uid": about.uid,
                "resourceVersion": str(about.version),
            },
            "reason": self.reason,
            "message": self.message,
            "type": "Warning" if self.warning else "Normal",
            "reportingComponent": self.component,
        }
        if self.component == SCHEDULER:
            action = "Scheduling" if self.warning else "Binding"
            return told | {"eventTime": precisely, "action": action, "reportingInstance": f"{SCHEDULER}-0"}
        source = {"component": self.component}
        return told | {"source": source, "firstTimestamp": now, "lastTimestamp": now, "count": 1}


def repeated(event: Json, *, now: str) -> Json:
    """Return an Event that is told once more; only controllers count."""
    return event | ({"count": event["count"] + 1, "lastTimestamp": now} if "count" in event else {})
