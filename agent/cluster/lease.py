"""The Lease that the replicas of one agent compete for: read, written under its resourceVersion, watched.

Here: the object ``coordination.k8s.io/v1 Lease`` to and from a record. Not here: who may take it (planning) and when it
is renewed (loops). A released Lease has no holder, as client-go leaves it.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from datetime import UTC, datetime
from typing import Any

from agent.cluster.client import KubeClient, Request
from agent.model.errors import Conflict, Expired, Misconfigured, Missing
from agent.model.lease import LeaseRecord
from agent.model.objects import Manifest

NAME = "perigee-agent"
_LABELS = {"app.kubernetes.io/name": "perigee-agent", "app.kubernetes.io/managed-by": "perigee"}
_WATCH_SECONDS = "300"


class ClusterLease:
    """Implements ``ports.Leases`` over one Lease of the agent's namespace.

    A write gives up after ``write_seconds``: whoever renews must be able to try again on another connection.
    """

    def __init__(self, client: KubeClient, namespace: str, *, write_seconds: float) -> None:
        self._client = client
        self._namespace = namespace
        self._collection = f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases"
        self._path = f"{self._collection}/{NAME}"
        self._seconds = write_seconds

    async def read(self) -> LeaseRecord | None:
        """The record as it stands; None: there is none."""
        try:
            return _record(await self._client.send(Request("get", "GET", self._path)))
        except Missing:
            return None

    async def write(self, record: LeaseRecord) -> LeaseRecord:
        """Create the record, or replace the one at its ``resource_version``; raises Conflict if it is not the one."""
        body = self._manifest(record)
        if record.resource_version:
            request = Request("update", "PUT", self._path, body=body, seconds=self._seconds)
        else:
            request = Request("create", "POST", self._collection, body=body, seconds=self._seconds)
        try:
            return _record(await self._client.send(request))
        except Missing as error:
            if record.resource_version:
                raise Conflict(f"the Lease {self._namespace}/{NAME} was deleted meanwhile") from error
            raise Misconfigured(
                f"the agent's namespace {self._namespace} does not exist",
                hint=f"create it: kubectl create namespace {self._namespace}",
            ) from error

    async def changes(self, record: LeaseRecord | None) -> AsyncGenerator[LeaseRecord | None, None]:
        """What becomes of the record after this state of it, as it happens, until the server ends the watch."""
        params = {"fieldSelector": f"metadata.name={NAME}", "timeoutSeconds": _WATCH_SECONDS}
        if record is not None:
            params["resourceVersion"] = record.resource_version
        async with aclosing(self._client.watch(self._collection, params)) as events:
            async for event in events:
                if event["type"] == "ERROR":
                    raise Expired(str(event["object"].get("message", "the watch ended")))
                yield None if event["type"] == "DELETED" else _record(event["object"])

    def _manifest(self, record: LeaseRecord) -> Manifest:
        spec: dict[str, Any] = {
            "leaseDurationSeconds": record.duration_seconds,
            "leaseTransitions": record.term,
            "acquireTime": _micro_time(record.acquired),
            "renewTime": _micro_time(record.renewed),
        }
        if record.holder:
            spec["holderIdentity"] = record.holder
        metadata: dict[str, Any] = {"name": NAME, "namespace": self._namespace, "labels": _LABELS}
        if record.resource_version:
            metadata["resourceVersion"] = record.resource_version
        return {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": metadata, "spec": spec}


def _record(live: Manifest) -> LeaseRecord:
    """What a Lease says, whoever wrote it: what is absent counts as never set."""
    spec = live.get("spec") or {}
    return LeaseRecord(
        holder=spec.get("holderIdentity") or "",
        duration_seconds=int(spec.get("leaseDurationSeconds") or 0),
        term=int(spec.get("leaseTransitions") or 0),
        acquired=_moment(spec.get("acquireTime")),
        renewed=_moment(spec.get("renewTime")),
        resource_version=live["metadata"]["resourceVersion"],
    )


def _micro_time(moment: datetime | None) -> str | None:
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z") if moment else None


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
