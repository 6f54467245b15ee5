"""The one shape of every answer that is an error: ``{"error": {"code", "message", "hint"}}``.

The code is for programs, the message says what happened, the hint what to do about it. Neither holds a secret.
"""

from __future__ import annotations

from enum import StrEnum
from http import HTTPStatus
from typing import Final

from pydantic import Field

from agent.model.errors import Refused
from agent.wire.frames import Frame, receive
from agent.wire.limits import MAX_PROBLEM_BYTES
from agent.wire.scalars import Word
from agent.wire.strict import parse_object


class Code(StrEnum):
    """What went wrong. A client that meets a code it does not know goes by the HTTP status."""

    MALFORMED = "Malformed"
    NOT_AUTHORISED = "NotAuthorised"
    TOKEN_UNKNOWN = "TokenUnknown"  # noqa: S105
    TOKEN_SPENT = "TokenSpent"  # noqa: S105
    TOKEN_EXPIRED = "TokenExpired"  # noqa: S105
    TOKEN_REVOKED = "TokenRevoked"  # noqa: S105
    FORBIDDEN = "Forbidden"
    WRONG_CLUSTER = "WrongCluster"
    CERTIFICATE_REVOKED = "CertificateRevoked"
    CERTIFICATE_EXPIRED = "CertificateExpired"
    NOT_FOUND = "NotFound"
    METHOD_NOT_ALLOWED = "MethodNotAllowed"
    TOO_LARGE = "TooLarge"
    UNSUPPORTED_ENCODING = "UnsupportedEncoding"
    KEY_NOT_ACCEPTED = "KeyNotAccepted"
    THROTTLED = "Throttled"
    INTERNAL = "Internal"
    UNAVAILABLE = "Unavailable"


STATUS: Final[dict[Code, HTTPStatus]] = {
    Code.MALFORMED: HTTPStatus.BAD_REQUEST,
    Code.NOT_AUTHORISED: HTTPStatus.UNAUTHORIZED,
    Code.TOKEN_UNKNOWN: HTTPStatus.UNAUTHORIZED,
    Code.TOKEN_SPENT: HTTPStatus.UNAUTHORIZED,
    Code.TOKEN_EXPIRED: HTTPStatus.UNAUTHORIZED,
    Code.TOKEN_REVOKED: HTTPStatus.UNAUTHORIZED,
    Code.FORBIDDEN: HTTPStatus.FORBIDDEN,
    Code.WRONG_CLUSTER: HTTPStatus.FORBIDDEN,
    Code.CERTIFICATE_REVOKED: HTTPStatus.FORBIDDEN,
    Code.CERTIFICATE_EXPIRED: HTTPStatus.FORBIDDEN,
    Code.NOT_FOUND: HTTPStatus.NOT_FOUND,
    Code.METHOD_NOT_ALLOWED: HTTPStatus.METHOD_NOT_ALLOWED,
    Code.TOO_LARGE: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    Code.UNSUPPORTED_ENCODING: HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    Code.KEY_NOT_ACCEPTED: HTTPStatus.UNPROCESSABLE_ENTITY,
    Code.THROTTLED: HTTPStatus.TOO_MANY_REQUESTS,
    Code.INTERNAL: HTTPStatus.INTERNAL_SERVER_ERROR,
    Code.UNAVAILABLE: HTTPStatus.SERVICE_UNAVAILABLE,
}
"""The HTTP status that goes with each code."""


class ErrorV1(Frame):
    """What went wrong, to what, and what to do about it."""

    code: Word
    message: str = Field(max_length=2000)
    hint: str = Field(default="", max_length=2000)


class ProblemV1(Frame):
    """The body of an answer with a status of 400 or above."""

    error: ErrorV1


def problem(code: Code, message: str, *, hint: str = "") -> bytes:
    """The body of an error answer."""
    return ProblemV1(error=ErrorV1(code=code.value, message=message[:2000], hint=hint[:2000])).to_bytes()


def read_problem(raw: bytes) -> ErrorV1 | None:
    """What an error answer says; None if it does not speak this protocol, as a proxy's page does not."""
    try:
        found, _ = receive(ProblemV1, parse_object(raw, limit=MAX_PROBLEM_BYTES, what="problem"), what="problem")
    except Refused:
        return None
    return found.error
