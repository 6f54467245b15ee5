"""What a list or a watch asks for, read from the query: ``ListOptions`` of meta/v1 with their rules.

Here: numbers, selectors, versions, and which of them contradict each other. Not here: answering.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from sandbox.cluster.errors import ApiError, Cause, bad_request, invalid_options
from sandbox.cluster.kinds import Kind
from sandbox.cluster.selectors import Predicate, predicate

EXACT, NOT_OLDER = "Exact", "NotOlderThan"
_UNLESS_INITIAL = "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided"
_NEEDS_MATCH = "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan"
_UNLESS_VERSION = "resourceVersionMatch is forbidden unless resourceVersion is provided"


@dataclass(frozen=True, slots=True)
class Ask:
    """The options of a list or watch.

    ``version`` is None where any will do. ``initial`` says whether a watch begins with what is there; ``lets_through``
    is None when every object is wanted. Times are in seconds, 0 for none given.
    """

    lets_through: Predicate | None
    selective: bool
    version: int | None
    exact: bool
    initial: bool
    marked: bool
    limit: int
    token: str
    timeout_seconds: int
    bookmarks: bool


def read(kind: Kind, query: Mapping[str, str], *, watching: bool) -> Ask:
    """Return the options in a query.

    Raises:
        ApiError: 400 for what is no number or selector, 422 for options that contradict each other.
    """
    causes = list(_watch_faults(query) if watching else _list_faults(query))
    if causes:
        raise invalid_options("ListOptions", *causes)
    labels, fields = query.get("labelSelector", ""), query.get("fieldSelector", "")
    version, send = _version(query), query.get("sendInitialEvents")
    return Ask(
        lets_through=predicate(kind, labels=labels, fields=fields),
        selective=bool(labels or fields),
        version=version,
        exact=query.get("resourceVersionMatch") == EXACT,
        initial=send == "true" if send else version is None,
        marked=send == "true",
        limit=number(query, "limit"),
        token=query.get("continue", ""),
        timeout_seconds=number(query, "timeoutSeconds"),
        bookmarks=query.get("allowWatchBookmarks", "") in {"true", "1"},
    )


def _list_faults(query: Mapping[str, str]) -> Iterator[Cause]:
    match, version = query.get("resourceVersionMatch"), query.get("resourceVersion")
    if match and not version:
        yield Cause.forbidden("resourceVersionMatch", _UNLESS_VERSION)
    if match not in {None, EXACT, NOT_OLDER}:
        yield Cause.unsupported("resourceVersionMatch", match, EXACT, NOT_OLDER, "")
    if match == EXACT and version == "0":
        message = 'resourceVersionMatch "exact" is forbidden for resourceVersion "0"'
        yield Cause.forbidden("resourceVersionMatch", message)
    if "sendInitialEvents" in query:
        yield Cause.forbidden("sendInitialEvents", "sendInitialEvents is forbidden for list")


def _watch_faults(query: Mapping[str, str]) -> Iterator[Cause]:
    match = query.get("resourceVersionMatch")
    if "sendInitialEvents" in query and match != NOT_OLDER:
        yield Cause.forbidden("resourceVersionMatch", _NEEDS_MATCH)
    if "sendInitialEvents" not in query and match:
        yield Cause.forbidden("resourceVersionMatch", _UNLESS_INITIAL)
    if match not in {None, NOT_OLDER}:
        yield Cause.unsupported("resourceVersionMatch", match, NOT_OLDER)


def number(query: Mapping[str, str], name: str) -> int:
    """Return a number of the query, 0 when there is none.

    Raises:
        ApiError: 400, for what is no number.
    """
    text = query.get(name) or "0"
    if not text.isdigit():
        raise bad_request(f'strconv.ParseInt: parsing "{text}": invalid syntax')
    return int(text)


def _version(query: Mapping[str, str]) -> int | None:
    text = query.get("resourceVersion") or "0"
    if not text.isdigit():
        sentence = f'Invalid value: "{text}": strconv.ParseUint: parsing "{text}": invalid syntax'
        raise bad_request(f"invalid resource version: resourceVersion: {sentence}")
    if int(text) and query.get("continue"):
        raise bad_request("specifying resource version is not allowed when using continue")
    return int(text) or None


def too_large(asked: int, present: int) -> ApiError:
    """504: a version that this cluster has not reached."""
    details = {"causes": [{"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}],
               "retryAfterSeconds": 1}  # fmt: skip
    message = f"Timeout: Too large resource version: {asked}, current: {present}"
    return ApiError(504, "Timeout", message, details=details)
