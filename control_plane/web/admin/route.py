"""A route as data, a call of it, and its answer. Handlers get what is checked already, by the listener."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from agent.model.errors import Refused
from agent.wire.frames import Frame, receive
from agent.wire.limits import MAX_DOCUMENT_BYTES
from agent.wire.problems import Code
from agent.wire.strict import canonical, parse_object
from control_plane.faults import Fault
from control_plane.services.accounts import Caller, Role
from control_plane.services.assembly import Services

PREFIX = "/admin/v1"
PARAMETERS: Mapping[str, str] = {
    "cluster": r"[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?",
    "instance": r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}",
    "token": r"[0-9a-f]{12}",
    "user": r"[a-z0-9](?:[a-z0-9.-]{0,61}[a-z0-9])?",
}
"""What stands in a path, and its shape: anything else is a path that does not exist."""
_PLACE = re.compile(r"\{(\w+)\}")

F = TypeVar("F", bound=Frame)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a handler answers: a frame (or plain data), the revision as an ETag, and what the call was about."""

    frame: Frame | dict[str, Any]
    revision: int | None = None
    about: str = ""
    """For the audit trail, where the path does not say it."""

    def to_bytes(self) -> bytes:
        """The canonical bytes of what is answered."""
        return self.frame.to_bytes() if isinstance(self.frame, Frame) else canonical(self.frame)


@dataclass(frozen=True, slots=True)
class Call:
    """One call: authenticated, allowed, its path's parts of the right shape."""

    route: Route
    services: Services
    caller: Caller
    path: Mapping[str, str]
    query: tuple[tuple[str, str], ...]
    raw: bytes = field(repr=False)
    if_match: str | None = None

    def read(self, kind: type[F]) -> F:
        """The body as the frame that the route declares; unknown fields are refused: no wish is ignored."""
        assert kind is self.route.body, f"{self.route.name} declares another body"
        frame, unknown = receive(kind, parse_object(self.raw, limit=MAX_DOCUMENT_BYTES, what="body"), what="body")
        if unknown:
            raise Fault(Code.MALFORMED, "is not a field of this call", path=unknown[0])
        return frame

    def asked(self, kind: type[F]) -> F:
        """The query as the frame that the route declares."""
        assert kind is self.route.query, f"{self.route.name} declares another query"
        many = {
            info.alias or name for name, info in kind.model_fields.items() if str(info.annotation).startswith("tuple")
        }
        given = dict(self.query)
        data = {
            key: [value for name, value in self.query if name == key] if key in many else given[key] for key in given
        }
        try:
            frame, unknown = receive(kind, data, what="query")
        except Refused as refused:
            raise Fault(Code.MALFORMED, str(refused)) from None
        if unknown:
            raise Fault(Code.MALFORMED, "is not a query parameter of this call", path=unknown[0])
        return frame

    def expected_revision(self) -> int | None:
        """The revision of ``If-Match``; None without one."""
        if self.if_match is None:
            return None
        text = self.if_match.strip('"')
        if not text.isascii() or not text.isdigit():
            raise Fault(Code.MALFORMED, 'must be one ETag of this instance, as in "3"', path="If-Match")
        return int(text)


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One call of the admin API: everything that the listener, the documentation and the tests need to know of it."""

    method: str
    path: str
    name: str
    summary: str
    tag: str
    needs: Role
    handler: Callable[[Call], Awaitable[Answer]]
    answer: type[Frame] | None
    """None: a document of another kind, as is the OpenAPI document itself."""
    status: int = 200
    query: type[Frame] | None = None
    body: type[Frame] | None = None
    conditional: bool = False
    """Whether ``If-Match`` is heeded."""
    faults: tuple[int, ...] = ()
    """Statuses of faults beside 400, 401, 403 and 500."""

    @property
    def parameters(self) -> tuple[str, ...]:
        """The names of what stands in the path, in order."""
        return tuple(_PLACE.findall(self.path))

    @property
    def template(self) -> str:
        """The whole path as documentation and audit trail write it."""
        return f"{PREFIX}{self.path}"

    @property
    def pattern(self) -> str:
        """The whole path as aiohttp matches it."""
        return PREFIX + _PLACE.sub(lambda found: f"{{{found[1]}:{PARAMETERS[found[1]]}}}", self.path)

    @property
    def writes(self) -> bool:
        """Whether a call changes something."""
        return self.method != "GET"
