"""What a test may ask of a cluster, whichever kind it is: the embedded one or the real one.

Here: the attributes that both kinds share, and reading the audit log that both write in the format of
`audit.k8s.io/v1`. Not here: how a cluster comes to be (`sandbox.cluster`, `sandbox.realcluster`).
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import parse_qs, urlsplit

if TYPE_CHECKING:
    from pathlib import Path

WRITE_VERBS = frozenset({"create", "update", "patch", "delete", "deletecollection", "post", "put"})
LEASES = "leases.coordination.k8s.io"
REVIEW_GROUPS = frozenset({"authentication.k8s.io", "authorization.k8s.io"})
"""Their resources (tokenreviews, subjectaccessreviews, selfsubject*reviews) are questions, although they are asked by
POST.
"""


class TestCluster(Protocol):
    """A running cluster, seen from a test."""

    @property
    def kubeconfig(self) -> Path:
        """The administrator's kubeconfig."""

    @property
    def server(self) -> str:
        """The URL of the API, without a slash at the end."""

    @property
    def audit_log(self) -> Path:
        """JSON lines, each an audit Event of level Metadata, written when its request is complete, not when it came."""

    @property
    def name(self) -> str:
        """Which cluster it is, for messages."""


# pytest takes every class of this name for a suite; set afterwards, since inside the class it would become part of
# the protocol.
setattr(TestCluster, "__test__", False)  # noqa: B010


@dataclass(frozen=True, slots=True)
class AuditedRequest:
    """One request as the API server saw it.

    `resource` is `plural` or `plural.group`, with `/subresource` where there is one, and empty for paths outside the
    resources (`/readyz`). `dry_run` is read from the query; a DELETE that carries it in its body is not recognised at
    this audit level. `received` and `finished` are by the API server's clock; the latter of a watch is when its answer
    began.
    """

    audit_id: str
    user: str
    user_agent: str
    verb: str
    resource: str
    namespace: str
    name: str
    uri: str
    dry_run: bool
    code: int
    received: datetime
    finished: datetime

    @property
    def succeeded(self) -> bool:
        """Whether it was answered 2xx."""
        return 200 <= self.code < 300  # noqa: PLR2004 - where HTTP's successes begin and end

    @property
    def is_write(self) -> bool:
        """Whether it could have changed something worth counting: no dry run, no lease, no review."""
        if self.verb not in WRITE_VERBS or self.dry_run or self.resource == LEASES:
            return False
        _, _, group = self.resource.partition(".")
        return group.partition("/")[0] not in REVIEW_GROUPS or not self.resource.partition(".")[0].endswith("reviews")


@dataclass(frozen=True, slots=True)
class AuditMark:
    """A place in the audit log: what was logged before it does not count. `offset` is in bytes."""

    offset: int


START = AuditMark(0)


@dataclass(frozen=True, slots=True)
class AuditedRequests:
    """Requests in the order in which they were logged."""

    requests: tuple[AuditedRequest, ...]

    def __iter__(self) -> Iterator[AuditedRequest]:
        return iter(self.requests)

    def __len__(self) -> int:
        return len(self.requests)

    def by(self, *, user: str | None = None, user_agent: str | None = None) -> AuditedRequests:
        """Only those of one user (exact name) and of clients whose User-Agent begins with `user_agent`."""
        return AuditedRequests(
            tuple(
                request
                for request in self.requests
                if (user is None or request.user == user)
                and (user_agent is None or request.user_agent.startswith(user_agent))
            )
        )

    def of(
        self, *, verb: str | None = None, resource: str | None = None, dry_run: bool | None = None
    ) -> AuditedRequests:
        """Only those of one verb (`patch`), one resource (`deployments.apps`), and with or without dry run."""
        return AuditedRequests(
            tuple(
                request
                for request in self.requests
                if (verb is None or request.verb == verb)
                and (resource is None or request.resource == resource)
                and (dry_run is None or request.dry_run == dry_run)
            )
        )

    def writes(self, *, user: str | None = None, user_agent: str | None = None) -> AuditedRequests:
        """POST, PUT, PATCH and DELETE without `dryRun=All`, except leases and the review APIs: the project's meaning
        of "writes".
        """
        return AuditedRequests(
            tuple(request for request in self.by(user=user, user_agent=user_agent) if request.is_write)
        )

    def counts(self) -> Counter[tuple[str, str, str, bool]]:
        """How many there are by user, verb, resource and dry run."""
        return Counter((request.user, request.verb, request.resource, request.dry_run) for request in self.requests)


@dataclass(frozen=True, slots=True)
class AuditLog:
    """Reader of one cluster's audit log; files are read in a thread, so that a test's event loop is not held up."""

    path: Path

    async def mark(self) -> AuditMark:
        """The end of the log as it is now; an API server logs a request before the client has the whole answer."""
        return await asyncio.to_thread(self._end)

    async def read(self, since: AuditMark = START) -> AuditedRequests:
        """All complete lines after `since`; one request counts once, a watch from the moment its answer began."""
        return AuditedRequests(tuple(parse_audit_lines(await asyncio.to_thread(self._lines, since))))

    def _end(self) -> AuditMark:
        return AuditMark(self.path.stat().st_size if self.path.exists() else 0)

    def _lines(self, since: AuditMark) -> list[bytes]:
        if not self.path.exists():
            return []
        with self.path.open("rb") as log:
            log.seek(since.offset)
            text = log.read()
        # The last piece is empty or a line that is still being written.
        return text.split(b"\n")[:-1]


def parse_audit_lines(lines: Iterable[bytes]) -> Iterator[AuditedRequest]:
    """Requests out of JSON lines. A request with several stages (a watch: begun, complete) is given at its first.

    Raises ValueError (json) when a line is no JSON: then it is no audit log.
    """
    seen: set[str] = set()
    for line in lines:
        event = json.loads(line)
        if event.get("stage") == "RequestReceived" or event["auditID"] in seen:
            continue
        seen.add(event["auditID"])
        yield _request(event)


def _request(event: Mapping[str, Any]) -> AuditedRequest:
    about = event.get("objectRef") or {}
    uri = event.get("requestURI", "")
    # An impersonated request acts for that user; the real one is in "user".
    user = (event.get("impersonatedUser") or event.get("user") or {}).get("username", "")
    return AuditedRequest(
        audit_id=event["auditID"],
        user=user,
        user_agent=event.get("userAgent", ""),
        verb=event.get("verb", ""),
        resource=_resource(about),
        namespace=about.get("namespace", ""),
        name=about.get("name", ""),
        uri=uri,
        dry_run="All" in parse_qs(urlsplit(uri).query).get("dryRun", []),
        code=(event.get("responseStatus") or {}).get("code", 0),
        received=datetime.fromisoformat(event["requestReceivedTimestamp"]),
        finished=datetime.fromisoformat(event["stageTimestamp"]),
    )


def _resource(about: Mapping[str, Any]) -> str:
    name = str(about.get("resource", ""))
    group = about.get("apiGroup", "")
    subresource = about.get("subresource", "")
    return name + (f".{group}" if group else "") + (f"/{subresource}" if subresource else "")
