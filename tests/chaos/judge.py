"""What an API server's audit log says about who led when, and about writes of those who did not."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sandbox.testcluster import LEASES, AuditedRequest


@dataclass(frozen=True, slots=True)
class Reign:
    """From the request that took the lease to the request by which another took it."""

    agent: str
    begin: datetime
    end: datetime

    def covers(self, write: AuditedRequest) -> bool:
        """Whether this agent led from when the write came until it was answered."""
        return self.agent == write.user_agent and self.begin <= write.received and write.finished <= self.end


def reigns(requests: Iterable[AuditedRequest], namespace: str) -> list[Reign]:
    """Who led when, by the successful writes of the Lease in that namespace."""
    writes = [
        request
        for request in requests
        if request.resource == LEASES
        and request.namespace == namespace
        and request.verb in {"create", "update"}
        and request.succeeded
    ]
    found: list[Reign] = []
    for write in sorted(writes, key=lambda write: write.finished):
        if found and found[-1].agent == write.user_agent:
            continue
        if found:
            found[-1] = Reign(found[-1].agent, found[-1].begin, write.received)
        found.append(Reign(write.user_agent, write.received, datetime.max.replace(tzinfo=write.received.tzinfo)))
    return found


def strays(writes: Iterable[AuditedRequest], led: Sequence[Reign]) -> list[AuditedRequest]:
    """Writes that took effect although who made them did not lead, from when they came until they were answered."""
    return [write for write in writes if write.succeeded and not any(reign.covers(write) for reign in led)]
