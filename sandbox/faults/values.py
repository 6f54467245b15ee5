"""The faults that a Kubernetes API can be told to have, as values.

Here: what happens, to which requests, how often. Not here: doing it. The words are about what a client sees, so that a
fault means the same before the embedded cluster, inside it, and before a real one.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from fnmatch import fnmatchcase

from sandbox.faults.asked import Sought

READS = frozenset({"get", "list", "watch"})
WRITES = frozenset({"create", "update", "patch", "delete", "deletecollection"})


@dataclass(frozen=True, slots=True)
class Refused:
    """The request is answered with an error and has no effect; see ``throttled``, ``failing`` and ``unavailable``.

    ``reason`` is that of a Status; without one the answer is ``message`` in plain text. ``retry_after`` is in seconds.
    """

    code: int
    message: str
    reason: str = ""
    retry_after: int | None = None


def throttled(retry_after: int = 1) -> Refused:
    """429, in the words of API Priority and Fairness."""
    return Refused(429, "Too many requests, please try again later.", retry_after=retry_after)


def failing(problem: str = "etcdserver: request timed out") -> Refused:
    """500: something behind the API server does not work."""
    return Refused(500, f"Internal error occurred: {problem}", reason="InternalError")


def unavailable(retry_after: int | None = None) -> Refused:
    """503: the server takes no requests at the moment."""
    message = "the server is currently unable to handle the request"
    return Refused(503, message, reason="ServiceUnavailable", retry_after=retry_after)


@dataclass(frozen=True, slots=True)
class Slow:
    """The request is handled ``seconds`` later, or when the fault is switched off."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Unanswered:
    """Half-open: the request is taken, with or without its ``effect``, and nothing is ever heard of it.

    When the fault is switched off, the connections that still wait break.
    """

    effect: bool = False


@dataclass(frozen=True, slots=True)
class Broken:
    """The connection breaks where the answer should come; with ``effect`` the request has been carried out."""

    effect: bool = False


LOST_ANSWER = Broken(effect=True)
"""The write takes effect and nobody is told."""


@dataclass(frozen=True, slots=True)
class Halved:
    """The request takes effect, and its answer stops after ``share`` of it: the connection breaks, or ``hangs``."""

    share: float = 0.5
    hangs: bool = False


class End(StrEnum):
    """How a stream ends before its time."""

    CLEAN = "clean"
    """Between two events, as if its time were over."""
    WITHIN_LINE = "within a line"
    """With the beginning of an event, and then as if its time were over."""
    BROKEN = "broken"
    """The connection breaks."""


@dataclass(frozen=True, slots=True)
class Cut:
    """Watches and followed logs end after so many more ``events`` (bookmarks and lines of logs count, too)."""

    end: End = End.CLEAN
    events: int = 0


@dataclass(frozen=True, slots=True)
class Mute:
    """After so many more ``events`` a stream stays open and brings nothing more: no event, no bookmark, no end.

    When the fault is switched off, the connections that still wait break.
    """

    events: int = 0


@dataclass(frozen=True, slots=True)
class Late:
    """Events are held back until the fault is switched off, and then come in their order."""


@dataclass(frozen=True, slots=True)
class Stale:
    """Objects and lists are answered as they were at ``version``, as by an API server whose cache lags behind.

    A list that must not be older than something newer is refused with 504, as such a server does.
    """

    version: str


@dataclass(frozen=True, slots=True)
class Gone:
    """The history that is asked for is not kept any more: 410.

    A watch gets it as an ERROR event after so many more ``events``, or with ``as_status`` as the answer to its start. A
    list gets it when it goes on from a page (with the token of an inconsistent rest) or asks for an exact version.
    """

    as_status: bool = False
    events: int = 0


@dataclass(frozen=True, slots=True)
class Conflicting:
    """Somebody else was faster: writes that carry a resourceVersion or uid get the server's own 409 Conflict."""


What = Refused | Slow | Unanswered | Broken | Halved | Cut | Mute | Late | Stale | Gone | Conflicting


@dataclass(frozen=True, slots=True)
class Where:
    """Which requests: ``*`` and ``?`` in resource, namespace and name stand for anything and for one character.

    ``resource`` is written as in audit logs (``deployments.apps``, ``deployments.apps/scale``); ``agent`` is the
    beginning of the User-Agent; ``verbs`` are those of RBAC, and None stands for every verb. ``dry_run`` tells tries
    from the rest.
    """

    verbs: frozenset[str] | None = None
    resource: str = "*"
    namespace: str = "*"
    name: str = "*"
    agent: str = ""
    dry_run: bool | None = None

    def covers(self, sought: Sought) -> bool:
        """Whether a request is one of these."""
        return (
            (self.verbs is None or sought.verb in self.verbs)
            and sought.agent.startswith(self.agent)
            and self.dry_run in {None, sought.dry_run}
            and fnmatchcase(sought.resource, self.resource)
            and fnmatchcase(sought.namespace, self.namespace)
            and fnmatchcase(sought.name, self.name)
        )


@dataclass(frozen=True, slots=True)
class Fault:
    """What happens to which requests.

    Of the requests that it concerns, the first ``skip`` pass, then chance takes a ``share`` (the same ones for the same
    ``seed``), until it has struck so many ``times``.
    """

    what: What
    where: Where = field(default_factory=Where)
    times: int | None = None
    skip: int = 0
    share: float = 1.0
    seed: int = 0
