"""What can go wrong, as two families: what may succeed later and what cannot without a change.

    AgentError
    ├── Retryable          back off, keep the last good state
    │   ├── Unreachable        nobody answered, or the answer was cut
    │   ├── Throttled          the server asked us to slow down
    │   ├── Conflict           the object changed meanwhile (a precondition failed)
    │   ├── Expired            a resource version or continue token is too old
    │   ├── NotLeading         our lease is over: no write may start
    │   └── Unforeseen         an error that nobody foresaw, in one piece of work
    └── Terminal           set a condition, wait for a new revision or a person
        ├── Misconfigured      our own settings cannot work
        ├── NotAuthorised      a token, certificate or right is missing
        ├── Refused            desired state that fails verification or the guard
        ├── Missing            the object does not exist
        ├── FieldConflict      another manager owns fields that we want
        ├── ObjectRefused      the API server judged the object invalid, or it is somebody else's
        ├── ImmutableField     a live object cannot become what is wanted without losing data
        ├── TooMuchToPrune     a document would remove more at once than may go
        └── KeyLost            a generated key is gone and must not be made anew

Edges translate their vendors' exceptions into these; loops catch the two families only.
"""

from __future__ import annotations

from dataclasses import dataclass


class AgentError(Exception):
    """Something that the agent can explain: ``str(error)`` says what happened, ``hint`` what to do about it."""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint

    @property
    def reason(self) -> str:
        """The CamelCase word under which this shows up in a condition."""
        return type(self).__name__

    def explain(self) -> str:
        """One line for a person: what happened and what to do."""
        message = str(self).rstrip(". ")  # a vendor's words may end with a full stop already
        return f"{message}. {self.hint}".rstrip(". ") + "." if self.hint else str(self)


class Retryable(AgentError):
    """The same call may succeed later: back off, keep the last good state."""

    def __init__(self, message: str, *, hint: str = "", after_seconds: float | None = None) -> None:
        super().__init__(message, hint=hint)
        self.after_seconds = after_seconds
        """How long the other side asked us to wait, where it said so (``Retry-After``)."""


class Unreachable(Retryable):
    """Nobody answered at that address, or the connection broke before the answer was whole."""


class Throttled(Retryable):
    """The server is alive and asked for fewer requests (HTTP 429)."""


class Conflict(Retryable):
    """The object is not the one we read: a resourceVersion or uid precondition failed (HTTP 409)."""


class Expired(Retryable):
    """A resource version is older than what the server keeps (HTTP 410): list again."""


class NotLeading(Retryable):
    """No write may start, because the lease under which this replica worked is over, or it never had one."""


class Unforeseen(Retryable):
    """An error that nobody foresaw met one piece of work; the others go on, and this one is tried again."""


class Terminal(AgentError):
    """Repeating cannot help: set a condition and wait for a new revision or a person."""


class Misconfigured(Terminal):
    """The agent's own settings cannot work; the message names the setting."""


class NotAuthorised(Terminal):
    """A token, a certificate or a right is missing, expired or revoked (HTTP 401 and 403)."""


class Missing(Terminal):
    """The object does not exist (HTTP 404)."""


class ObjectRefused(Terminal):
    """The API server judged the object itself invalid or not admissible (HTTP 400, 403 by admission, 422)."""


class ImmutableField(Terminal):
    """A live object cannot become what is wanted, and making it again would lose data."""


class TooMuchToPrune(Terminal):
    """A document no longer wants so many objects that it looks like a mistake; none of them was deleted."""


class KeyLost(Terminal):
    """A generated key that a database depends on is gone; a new one would make that data unreadable."""


class Refused(Terminal):
    """Desired state that is not acceptable. ``path`` names the place, as in ``spec.airflow.version``."""

    def __init__(self, message: str, *, path: str = "", reason: str = "Refused", hint: str = "") -> None:
        super().__init__(f"{path}: {message}" if path else message, hint=hint)
        self.path = path
        self._reason = reason

    @property
    def reason(self) -> str:
        """The CamelCase word for the kind of refusal, such as ``BadSignature`` or ``UnknownMajor``."""
        return self._reason


@dataclass(frozen=True, slots=True)
class OwnedField:
    """A field of an object and the manager that holds it."""

    manager: str
    field: str


class FieldConflict(Terminal):
    """Server-side apply met fields that other managers own."""

    def __init__(self, message: str, *, fields: tuple[OwnedField, ...]) -> None:
        super().__init__(message, hint="let the other manager give the field up, or drop it from the document")
        self.fields = fields
