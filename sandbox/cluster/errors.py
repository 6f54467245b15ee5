"""Refusals, worded as kube-apiserver words them.

Here: one exception that carries a ``Status`` (meta/v1) and a constructor per reason. Not here: deciding who is refused.
Clients branch on ``reason`` and ``details``, and people read ``message``, so both follow apimachinery's
``api/errors`` and ``util/validation/field``.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sandbox.cluster.kinds import Json, Kind

if TYPE_CHECKING:
    from sandbox.cluster.merge import ApplyConflict

_compact = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False).encode


@dataclass(frozen=True, slots=True)
class Cause:
    """One field that is wrong: the CamelCase reason, the sentence without the field, and the field's path."""

    reason: str
    message: str
    field: str

    @classmethod
    def invalid(cls, field: str, value: Any, message: str) -> Cause:
        """A value that breaks a rule."""
        return cls("FieldValueInvalid", f"Invalid value: {_compact(value)}: {message}", field)

    @classmethod
    def immutable(cls, field: str, value: Any) -> Cause:
        """A value that may not change once the object exists."""
        return cls("FieldValueInvalid", f"Invalid value: {_compact(value)}: field is immutable", field)

    @classmethod
    def negative(cls, field: str, value: int) -> Cause:
        """A number below zero where none makes sense."""
        return cls.invalid(field, value, "must be greater than or equal to 0")

    @classmethod
    def unsupported(cls, field: str, value: Any, *supported: str) -> Cause:
        """A value that is none of those there are."""
        listed = ", ".join(f'"{each}"' for each in supported)
        message = f"Unsupported value: {_compact(value)}: supported values: {listed}"
        return cls("FieldValueNotSupported", message, field)

    @classmethod
    def required(cls, field: str, message: str) -> Cause:
        """A value that is missing."""
        return cls("FieldValueRequired", f"Required value{': ' if message else ''}{message}", field)

    @classmethod
    def forbidden(cls, field: str, message: str) -> Cause:
        """A field that may not be set, or not now."""
        return cls("FieldValueForbidden", f"Forbidden: {message}", field)

    def document(self) -> Json:
        """Return the cause as ``details.causes`` lists it."""
        return {"reason": self.reason, "message": self.message, "field": self.field}


class ApiError(Exception):
    """A request that the API server refuses; ``status`` is the body it answers with."""

    def __init__(
        self, code: int, reason: str, message: str, *, details: Json | None = None, metadata: Json | None = None
    ) -> None:
        super().__init__(message)
        self.metadata = metadata or {}
        self.code = code
        self.reason = reason
        self.details = details

    @property
    def headers(self) -> dict[str, str]:
        """Return what is told in headers, too: when to come back."""
        seconds = (self.details or {}).get("retryAfterSeconds")
        return {"Retry-After": str(seconds)} if seconds else {}

    def status(self) -> Json:
        """Return the ``Status`` object."""
        status: Json = {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": self.metadata,
            "status": "Failure",
            "message": str(self),
            "reason": self.reason,
        }
        if self.details is not None:
            status["details"] = self.details
        return status | {"code": self.code}


def _about(kind: Kind, name: str, *, causes: Iterable[Cause] = (), by_kind: bool = False) -> Json:
    listed = [cause.document() for cause in causes]
    details = {"name": name, "group": kind.group, "kind": kind.name if by_kind else kind.plural, "causes": listed}
    return {key: value for key, value in details.items() if value}


def not_found(kind: Kind, name: str) -> ApiError:
    """404: no such object."""
    return ApiError(404, "NotFound", f'{kind.resource} "{name}" not found', details=_about(kind, name))


def already_exists(kind: Kind, name: str) -> ApiError:
    """409: an object of that name is there."""
    return ApiError(409, "AlreadyExists", f'{kind.resource} "{name}" already exists', details=_about(kind, name))


def conflict(kind: Kind, name: str, message: str) -> ApiError:
    """409: the caller's precondition does not hold."""
    text = f'Operation cannot be fulfilled on {kind.resource} "{name}": {message}'
    return ApiError(409, "Conflict", text, details=_about(kind, name))


def modified(kind: Kind, name: str) -> ApiError:
    """409: the resourceVersion sent is not the present one."""
    message = "the object has been modified; please apply your changes to the latest version and try again"
    return conflict(kind, name, message)


def invalid(kind: Kind, name: str, causes: Sequence[Cause]) -> ApiError:
    """422: fields are wrong; each is a cause."""
    sentences = list(dict.fromkeys(f"{cause.field}: {cause.message}" for cause in causes))
    joined = sentences[0] if len(sentences) == 1 else f"[{', '.join(sentences)}]"
    details = _about(kind, name, causes=causes, by_kind=True)
    return ApiError(422, "Invalid", f'{kind.qualified} "{name}" is invalid: {joined}', details=details)


def invalid_resource(kind: Kind, name: str, cause: Cause) -> ApiError:
    """422: a rule of storing is broken; there the real server names the resource, not the kind."""
    text = f'{kind.resource} "{name}" is invalid: {cause.field}: {cause.message}'
    return ApiError(422, "Invalid", text, details=_about(kind, name, causes=[cause]))


def forbidden(kind: Kind, name: str, message: str, *, causes: Sequence[Cause] = ()) -> ApiError:
    """403: an admission rule refuses."""
    text = f'{kind.resource} "{name}" is forbidden: {message}'
    return ApiError(403, "Forbidden", text, details=_about(kind, name, causes=causes))


def bad_request(message: str) -> ApiError:
    """400: the request itself cannot be understood."""
    return ApiError(400, "BadRequest", message)


def expired(asked: int, oldest: int) -> ApiError:
    """410: the history asked for is no longer kept."""
    return ApiError(410, "Expired", f"too old resource version: {asked} ({oldest})")


def expired_list() -> ApiError:
    """410: the moment asked for is no longer kept."""
    return ApiError(410, "Expired", "The resourceVersion for the provided list is too old.")


def expired_page(token: str) -> ApiError:
    """410: the moment of the first page is no longer kept; ``token`` goes on with the present one."""
    message = (
        "The provided continue parameter is too old to display a consistent list result. You can start a new list "
        "without the continue parameter, or use the continue token in this response to retrieve the remainder of the "
        "results. Continuing with the provided token results in an inconsistent list - objects that were created, "
        "modified, or deleted between the time the first chunk was returned and now may show up in the list."
    )
    return ApiError(410, "Expired", message, metadata={"continue": token})


def precondition(kind: Kind, name: str, message: str) -> ApiError:
    """409: a precondition of a DELETE does not hold; here the real server names the kind, not the resource."""
    text = f'Operation cannot be fulfilled on {kind.qualified} "{name}": {message}'
    return ApiError(409, "Conflict", text, details=_about(kind, name, by_kind=True))


def contested(conflict: ApplyConflict, *, kind: Kind, seen_as: Kind) -> ApiError:
    """409: others hold fields with other values; through a Scale their version is the Scale's."""

    def words(text: str) -> str:
        return text.replace(f"using {kind.api_version}", f"using {seen_as.api_version}")

    causes = [cause | {"message": words(cause["message"])} for cause in conflict.causes]
    return ApiError(409, "Conflict", words(str(conflict)), details={"causes": causes})


def other_uid(kind: Kind, key: tuple[str, str], *, sent: str, present: str) -> ApiError:
    """409: a PUT is meant for another object of the name, or for one that is gone."""
    place = "/".join((kind.plural, *filter(None, key)))
    message = (
        f"StorageError: invalid object, Code: 4, Key: /registry/{place}"
        f", ResourceVersion: 0, AdditionalErrorMsg: Precondition failed: UID in precondition: {sent}, "
        f"UID in object meta: {present}"
    )
    return conflict(kind, key[1], message)


def other_scale(kind: Kind, name: str, *, sent: str, present: str) -> ApiError:
    """409: a patch of a Scale is meant for another object of the name."""
    resource = f"{kind.plural}/scale"
    message = f"Precondition failed: UID in precondition: {sent}, UID in object meta: {present}"
    return conflict(Kind(kind.group, kind.version, kind.name, resource), name, message)


def not_acceptable(message: str) -> ApiError:
    """406: the object has no such form."""
    return ApiError(406, "NotAcceptable", message)


def unknown_path() -> ApiError:
    """404: the path names nothing that is served."""
    return ApiError(404, "NotFound", "the server could not find the requested resource", details={})


def wrong_method() -> ApiError:
    """405: the path is served, the method is not."""
    return ApiError(
        405, "MethodNotAllowed", "the server does not allow this method on the requested resource", details={}
    )


def unsupported_patch() -> ApiError:
    """415: a PATCH in a format that is none."""
    return ApiError(415, "UnsupportedMediaType", "415: Unsupported Media Type", details={})


def unsupported(accepted: Sequence[str]) -> ApiError:
    """415: a body in a format that is not taken."""
    message = f"the body of the request was in an unknown format - accepted media types include: {', '.join(accepted)}"
    return ApiError(415, "UnsupportedMediaType", message)


def unauthorized() -> ApiError:
    """401: a token that nobody gave out."""
    return ApiError(401, "Unauthorized", "Unauthorized")


def anonymous(verb: str, path: str) -> ApiError:
    """403: no token, and the path is not for everyone."""
    message = f'forbidden: User "system:anonymous" cannot {verb} path "{path}"'
    return ApiError(403, "Forbidden", message, details={})


def unfitting_patch() -> ApiError:
    """422: a JSON patch that does not fit the object; the real server does not say why either."""
    return ApiError(422, "Invalid", "the server rejected our request due to an error in our request", details={})


def invalid_options(options: str, *causes: Cause) -> ApiError:
    """422: options of a request that are unknown or contradict each other."""
    return invalid(Kind("meta.k8s.io", "v1", options, ""), "", causes)


@contextmanager
def shaped(kind: Kind) -> Iterator[None]:
    """Refuse a document that cannot be read as one of its kind: text where a list belongs, and the like."""
    try:
        yield
    except (AttributeError, KeyError, TypeError) as fault:
        message = f'{kind.name} in version "{kind.version}" cannot be handled as a {kind.name}: {fault}'
        raise bad_request(message) from fault


@contextmanager
def fitting(document: Json) -> Iterator[None]:
    """Refuse a patch that makes a document which cannot be read as one of its kind; the real server names no object."""
    try:
        yield
    except TypeError as fault:
        cause = Cause.invalid("patch", _compact(document), str(fault))
        message = f' "" is invalid: {cause.field}: {cause.message}'
        raise ApiError(422, "Invalid", message, details={"causes": [cause.document()]}) from fault
