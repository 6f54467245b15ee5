"""What a faulty API server says, worded as a real one.

Here: error answers and events as bytes. Not here: when they are given. Sources: apimachinery ``api/errors``, apiserver
``server/filters`` and ``storage/etcd3``.
"""

from __future__ import annotations

import base64
import json
from typing import Any

from aiohttp import web

from sandbox.faults.asked import Asked
from sandbox.faults.values import Refused

Json = dict[str, Any]
_PLAIN = {"Content-Type": "text/plain; charset=utf-8", "X-Content-Type-Options": "nosniff"}
_LIST_TOO_OLD = "The resourceVersion for the provided list is too old."
_WATCH_TOO_OLD = "The resourceVersion for the provided watch is too old."
_PAGE_TOO_OLD = (
    "The provided continue parameter is too old to display a consistent list result. You can start a new list without "
    "the continue parameter, or use the continue token in this response to retrieve the remainder of the results. "
    "Continuing with the provided token results in an inconsistent list - objects that were created, modified, or "
    "deleted between the time the first chunk was returned and now may show up in the list."
)
_PRESENT = -1
"""The version in the token of a page that shows what is there by then."""


def refusal(what: Refused) -> web.Response:
    """The answer of a request that is refused."""
    if not what.reason:
        later = {} if what.retry_after is None else {"Retry-After": str(what.retry_after)}
        return web.Response(status=what.code, body=f"{what.message}\n".encode(), headers=_PLAIN | later)
    details: Json = {} if what.retry_after is None else {"retryAfterSeconds": what.retry_after}
    if what.reason == "InternalError":
        details["causes"] = [{"message": what.message.partition(": ")[2]}]
    return answered(_status(what.code, what.reason, what.message, details=details))


def answered(status: Json) -> web.Response:
    """A Status as an answer; what it says of a time to wait is in a header, too."""
    seconds = status.get("details", {}).get("retryAfterSeconds")
    headers = {"Content-Type": "application/json"} | ({"Retry-After": str(seconds)} if seconds else {})
    return web.Response(status=status["code"], body=_encoded(status), headers=headers)


def event(status: Json) -> bytes:
    """A Status as the last event of a watch."""
    return _encoded({"type": "ERROR", "object": status}) + b"\n"


def expired_watch(asked: Asked, *, begun: bool) -> Json:
    """410: the changes after a version are not kept any more."""
    version = asked.query.get("resourceVersion", "")
    if begun or not version.isdigit():
        return _status(410, "Expired", _WATCH_TOO_OLD)
    return _status(410, "Expired", f"too old resource version: {version} ({int(version) + 1})")


def expired_list(asked: Asked) -> Json:
    """410: the moment that a list asks for is not kept any more; a page can go on from the present one."""
    token = asked.query.get("continue")
    if not token:
        return _status(410, "Expired", _LIST_TOO_OLD)
    return _status(410, "Expired", _PAGE_TOO_OLD, metadata={"continue": _going_on(token)})


def too_large(asked: int, present: int) -> Json:
    """504: a version that this server has not seen yet."""
    causes = [{"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}]
    message = f"Timeout: Too large resource version: {asked}, current: {present}"
    return _status(504, "Timeout", message, details={"causes": causes, "retryAfterSeconds": 1})


def missing(resource: str, name: str) -> Json:
    """404: there is no such object; ``resource`` is ``plural`` or ``plural.group``."""
    plural, _, group = resource.partition(".")
    details = {"name": name, "group": group, "kind": plural}
    message = f'{resource} "{name}" not found'
    return _status(404, "NotFound", message, details={key: value for key, value in details.items() if value})


def _going_on(token: str) -> str:
    padded = token + "=" * (-len(token) % 4)
    page = json.loads(base64.urlsafe_b64decode(padded)) | {"rv": _PRESENT}
    return base64.urlsafe_b64encode(_encoded(page)).decode().rstrip("=")


def _status(code: int, reason: str, message: str, *, details: Json | None = None, metadata: Json | None = None) -> Json:
    head = {"kind": "Status", "apiVersion": "v1", "metadata": metadata or {}, "status": "Failure", "message": message}
    return head | {"reason": reason} | ({"details": details} if details else {}) | {"code": code}


def _encoded(document: Json) -> bytes:
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode()
