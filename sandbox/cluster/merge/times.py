"""Moments in the one form in which the server writes them back: UTC, with microseconds or without.

Here: what Go's `metav1.Time` and `metav1.MicroTime` read and write. Not here: whether a moment makes sense.
"""

import re
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Final

_WRITTEN: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")
_WHOLE: Final = "2006-01-02T15:04:05Z07:00"
_MICRO: Final = "2006-01-02T15:04:05.000000Z07:00"
_MICRO_DIGITS: Final = len(".000000")


def whole(written: Any) -> str:
    """A moment with its seconds; a fraction is read and dropped.

    Raises:
        ValueError: it is none; in the words of the server.
    """
    return _moment(written, _WHOLE).strftime("%Y-%m-%dT%H:%M:%SZ")


def micro(written: Any) -> str:
    """A moment with its microseconds, all six of which must be there.

    Raises:
        ValueError: it is none; in the words of the server.
    """
    moment = _moment(written, _MICRO)
    found = _WRITTEN.fullmatch(written)
    if not found or len(found[1] or "") != _MICRO_DIGITS:
        raise ValueError(f'parsing time "{written}" as "{_MICRO}": its microseconds are missing')
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _moment(written: Any, layout: str) -> datetime:
    if not isinstance(written, str):
        raise ValueError(f"cannot unmarshal {type(written).__name__} into Go value of type string")  # noqa: TRY004
    return _parsed(written, layout)


@lru_cache(maxsize=1024)
def _parsed(written: str, layout: str) -> datetime:
    if not _WRITTEN.fullmatch(written):
        raise ValueError(f'parsing time "{written}" as "{layout}": cannot parse it')
    try:
        return datetime.fromisoformat(written).astimezone(UTC)
    except ValueError as problem:
        raise ValueError(f'parsing time "{written}": {problem}') from problem
