"""The audit log: one ``audit.k8s.io/v1`` Event a line, level Metadata, stage ResponseComplete.

Here: the record and the file. Not here: which requests there are. Tests that count writes read this file, so
a line is in it before the response is on its way.
"""

from __future__ import annotations

import os
import uuid
from dataclasses import dataclass
from pathlib import Path

from sandbox.cluster.kinds import Json
from sandbox.cluster.routes import Target
from sandbox.cluster.store import encoded
from sandbox.paths import verb_of

USER: Json = {"username": "admin", "uid": "admin", "groups": ["system:masters", "system:authenticated"]}


@dataclass(frozen=True, slots=True)
class Request:
    """What a record says about the request. ``named`` is the name in the body of a create."""

    method: str
    uri: str
    agent: str
    source: str
    received: str
    target: Target | None
    named: str = ""
    watching: bool = False


def verb(request: Request) -> str:
    """Return the verb of RBAC that a request uses; for paths that are no resources, its method in small letters."""
    target = request.target
    if target is None:
        return request.method.lower()
    return verb_of(request.method, named=bool(target.name), watching=request.watching)


def record(request: Request, *, finished: str, code: int) -> Json:
    """Return the event of a finished request."""
    event: Json = {
        "kind": "Event",
        "apiVersion": "audit.k8s.io/v1",
        "level": "Metadata",
        "auditID": str(uuid.uuid4()),
        "stage": "ResponseComplete",
        "requestURI": request.uri,
        "verb": verb(request),
        "user": USER,
        "sourceIPs": [request.source],
        "userAgent": request.agent,
        "responseStatus": {"metadata": {}, "code": code},
        "requestReceivedTimestamp": request.received,
        "stageTimestamp": finished,
    }
    if request.target:
        event["objectRef"] = _reference(request.target, request.named)
    return event


def _reference(target: Target, named: str) -> Json:
    parts = {
        "resource": target.kind.plural,
        "namespace": target.namespace,
        "name": target.name or named,
        "apiGroup": target.kind.group,
        "apiVersion": target.kind.version,
        "subresource": target.subresource,
    }
    return {key: value for key, value in parts.items() if value}


class AuditLog:
    """The file. It is opened non-blocking: a line goes to the page cache and holds up nothing."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NONBLOCK, 0o600)

    def write(self, event: Json) -> None:
        """Append one event."""
        os.write(self._file, encoded(event) + b"\n")

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)
