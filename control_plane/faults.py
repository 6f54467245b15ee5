"""What can be wrong with a call, as one exception family with stable codes. How it looks on the wire is web's work.

Fault                 status, code (stable, for machines), message (for people), hint (what to do)
├── Unauthenticated       401
├── Forbidden             403
├── NotFound              404
├── Clash                 409
├── Stale                 412
├── TooLarge              413
└── Unacceptable          422
"""

from __future__ import annotations


class Fault(Exception):
    """A call that cannot be served as asked; nothing was changed.

    ``code`` is a CamelCase word: one of the wire's where there is one (agent.wire.problems.Code), else our own.
    """

    status = 400

    def __init__(self, code: str, message: str, *, hint: str = "", path: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.hint = hint
        self.path = path
        """The field that is wrong, as in ``spec.airflow.version``; empty if it is not about a field."""


class Unauthenticated(Fault):
    """Nobody knows who calls."""

    status = 401


class Forbidden(Fault):
    """The caller is known and may not do this."""

    status = 403


class NotFound(Fault):
    """What the call is about does not exist."""

    status = 404


class Clash(Fault):
    """The call contradicts what is there."""

    status = 409


class Stale(Fault):
    """The caller has seen an older state than the present one."""

    status = 412


class TooLarge(Fault):
    """More than we take in at once."""

    status = 413


class Unacceptable(Fault):
    """Well-formed, and still not valid."""

    status = 422


class Unsupported(Fault):
    """In a form that we do not take."""

    status = 415


class Throttled(Fault):
    """Too much at once."""

    status = 429
