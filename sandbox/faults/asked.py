"""Requests to a Kubernetes API: as they stand on the wire, and in the words in which faults choose among them.

Here: reading both out of an HTTP request. Not here: what is done with it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlsplit

from aiohttp import web

from sandbox.paths import parts_of, verb_of

_TRUE = {"true", "1"}
DRY_RUN = "All"


@dataclass(frozen=True, slots=True)
class Asked:
    """One request, as it arrived or as a fault altered it; ``request`` is the connection that it came by.

    ``uri`` is the path with the query, encoded.
    """

    request: web.Request
    method: str
    uri: str
    headers: Mapping[str, str]
    body: bytes

    @classmethod
    async def of(cls, request: web.Request) -> Asked:
        """Read a request to its end."""
        return cls(request, request.method, request.path_qs, request.headers, await request.read())

    @property
    def path(self) -> str:
        """The path without the query."""
        return urlsplit(self.uri).path

    @property
    def query(self) -> dict[str, str]:
        """The query; of a name that comes twice, the last."""
        return dict(parse_qsl(urlsplit(self.uri).query, keep_blank_values=True))

    @property
    def content_type(self) -> str:
        """The format of the body, without parameters."""
        return self.headers.get("Content-Type", "application/octet-stream").partition(";")[0].strip().lower()

    @property
    def is_open(self) -> bool:
        """Whether an answer can still be sent."""
        return self.request.transport is not None and not self.request.transport.is_closing()

    def hang_up(self) -> None:
        """Break the connection."""
        if self.request.transport is not None:
            self.request.transport.abort()


@dataclass(frozen=True, slots=True)
class Sought:
    """What a request is about.

    ``resource`` is ``plural`` or ``plural.group``, with ``/subresource`` where there is one, as in audit logs; for
    paths that are none of a resource it is empty, and ``verb`` is the method in small letters. ``streams`` says that
    the answer has no end of its own: a watch, or a log that is followed.
    """

    verb: str
    resource: str
    namespace: str
    name: str
    agent: str
    dry_run: bool
    streams: bool


def sought_by(asked: Asked) -> Sought:
    """Return what a request is about."""
    agent, query = asked.headers.get("User-Agent", ""), asked.query
    parts = parts_of(asked.path)
    if parts is None:
        return Sought(asked.method.lower(), "", "", "", agent, dry_run=False, streams=False)
    watching = query.get("watch", "").lower() in _TRUE
    verb = verb_of(asked.method, named=bool(parts.name), watching=watching)
    follows = parts.subresource == "log" and query.get("follow", "").lower() in _TRUE
    return Sought(
        verb=verb,
        resource=parts.resource,
        namespace=parts.namespace,
        name=parts.name,
        agent=agent,
        dry_run=query.get("dryRun") == DRY_RUN,
        streams=verb == "watch" or follows,
    )
