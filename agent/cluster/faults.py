"""Translation of what an API server or the network says into the two families of errors, in one place.

The table of statuses follows Kubernetes' API conventions ("HTTP Status codes" and "Response Status Kind").
"""

from __future__ import annotations

import re
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import aiohttp

from agent.model.errors import (
    AgentError,
    Conflict,
    Expired,
    FieldConflict,
    Missing,
    NotAuthorised,
    ObjectRefused,
    OwnedField,
    Retryable,
    Terminal,
    Throttled,
    Unreachable,
)

_MANAGER = re.compile(r'conflict with "(?P<manager>[^"]*)"(?: with subresource "(?P<subresource>[^"]*)")?')


@contextmanager
def network_faults(server: str) -> Iterator[None]:
    """Turn the network's exceptions into Unreachable, naming the server."""
    try:
        yield
    except (aiohttp.ClientConnectorCertificateError, ssl.SSLCertVerificationError) as error:
        raise NotAuthorised(
            f"the Kubernetes API server {server} shows a certificate that is not trusted",
            hint="check the cluster's certificate authority in the kubeconfig",
        ) from error
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        what = str(error) or type(error).__name__
        raise Unreachable(
            f"the Kubernetes API server {server} does not answer ({what})",
            hint="check that it runs and that this address is reachable from here",
        ) from error


def fault_of(status: int, *, answer: Mapping[str, Any], subject: str, retry_after: str | None = None) -> AgentError:
    """The error that a non-2xx answer means. ``subject`` says what was asked of which object."""
    said = str(answer.get("message") or answer.get("reason") or f"HTTP {status}")
    message = f"{subject}: {said}"
    seconds = float(retry_after) if retry_after and retry_after.isdigit() else None
    if status == 409:  # noqa: PLR2004 - an HTTP status is its own name
        return _conflict(answer, message)
    if status == 403:  # noqa: PLR2004
        return _forbidden(answer, message)
    if status == 429:  # noqa: PLR2004
        return Throttled(message, after_seconds=seconds)
    if status >= 500:  # noqa: PLR2004
        return Retryable(message, after_seconds=seconds)
    return _BY_STATUS.get(status, Terminal)(message)


_BY_STATUS: Mapping[int, type[AgentError]] = {
    400: ObjectRefused,
    401: NotAuthorised,
    404: Missing,
    410: Expired,
    422: ObjectRefused,
}


def _conflict(answer: Mapping[str, Any], message: str) -> AgentError:
    causes = (answer.get("details") or {}).get("causes") or ()
    fields = tuple(
        OwnedField(_manager(cause.get("message", "")), cause.get("field", ""))
        for cause in causes
        if cause.get("reason") == "FieldManagerConflict"
    )
    return FieldConflict(message, fields=fields) if fields else Conflict(message)


def _manager(cause: str) -> str:
    found = _MANAGER.search(cause)
    if not found:
        return cause
    return f"{found['manager']}/{found['subresource']}" if found["subresource"] else found["manager"]


def _forbidden(answer: Mapping[str, Any], message: str) -> AgentError:
    # Admission (quota, Pod Security, a namespace that is being deleted) answers 403 as a missing right does.
    # Only the authorizer says that the user "cannot" do something.
    said = str(answer.get("message", ""))
    if "cannot" in said and "User" in said:
        return NotAuthorised(message, hint="grant this right to the agent's service account")
    if "being terminated" in said:
        return Retryable(message)
    return ObjectRefused(message)
