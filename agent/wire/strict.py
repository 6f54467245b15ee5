"""JSON of the wire: bytes to plain data with every trap refused, and plain data to its one canonical form.

Size is checked before anything else, depth before parsing, duplicate keys while parsing; then there is nothing left in
RFC 8259 on which two parsers could disagree: no NaN, no number beyond a double, no lone surrogate, no encoding but
UTF-8. Not here: what the data means.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Iterator
from typing import Any, NoReturn

from agent.model.errors import Refused
from agent.wire.limits import MAX_DEPTH
from agent.wire.refusals import Reason, path_of

# A string, terminated or not. Possessive repetition keeps the scan linear on any input.
_STRING = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?', re.DOTALL)
_ONE_KIND = bytes.maketrans(b"{}", b"[]")
_NO_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")


def parse(raw: bytes, *, limit: int, what: str) -> Any:
    """The data that these bytes mean; ``what`` names them in messages, ``limit`` is their greatest length.

    Raises Refused (TooLarge, Malformed) and nothing else, whatever the bytes are.
    """
    if len(raw) > limit:
        raise Refused(f"has {len(raw)} bytes, more than the {limit} allowed", path=what, reason=Reason.TOO_LARGE)
    if _depth_exceeds(raw, MAX_DEPTH):
        raise Refused(f"nests deeper than {MAX_DEPTH} levels", path=what, reason=Reason.TOO_LARGE)
    try:
        text = raw.decode("utf-8")
        data = json.loads(text, object_pairs_hook=_unique, parse_constant=_no_constant, parse_float=_finite)
        if "\\u" in text and _SURROGATE.search(text):
            canonical(data)
    except UnicodeError as error:
        raise Refused("is not UTF-8 text throughout", path=what, reason=Reason.MALFORMED) from error
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise Refused(f"is not JSON ({where}: {error.msg})", path=what, reason=Reason.MALFORMED) from error
    except _OccursTwiceError as error:
        raise Refused(str(error), path=_where_twice(text) or what, reason=Reason.MALFORMED) from error
    except ValueError as error:
        raise Refused(f"is not acceptable JSON: {error}", path=what, reason=Reason.MALFORMED) from error
    return data


def parse_object(raw: bytes, *, limit: int, what: str) -> dict[str, Any]:
    """Like ``parse``, for bytes that must hold an object at the top."""
    data = parse(raw, limit=limit, what=what)
    if not isinstance(data, dict):
        raise Refused("must be a JSON object", path=what, reason=Reason.MALFORMED)
    return data


def canonical(data: Any) -> bytes:
    """The one form of this data: keys sorted by code point, no spaces, UTF-8 without escapes it does not need.

    It gives equal data equal digests. Signatures never depend on it: they are over the bytes as sent.
    Raises ValueError for what JSON cannot say (NaN, infinity, lone surrogates).
    """
    text = json.dumps(data, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return text.encode("utf-8")


def digest(raw: bytes) -> str:
    """The SHA-256 of the bytes, as 64 lower-case hexadecimal digits."""
    return hashlib.sha256(raw).hexdigest()


def _depth_exceeds(raw: bytes, most: int) -> bool:
    """Whether brackets outside of strings nest deeper; those that are never closed count as levels.

    Each round takes the innermost level away, in one pass in C: an index has thousands of brackets and few levels.
    """
    if raw.count(b"[") + raw.count(b"{") <= most:
        return False
    brackets = _STRING.sub(b"", raw).translate(_ONE_KIND, _NO_BRACKETS)
    levels = 0
    while levels <= most:
        shallower = brackets.replace(b"[]", b"")
        if len(shallower) == len(brackets):
            break
        levels, brackets = levels + 1, shallower
    return levels + brackets.count(b"[") > most


class _OccursTwiceError(ValueError):
    """A key stands twice in one object: two parsers would believe different values."""


class _Pairs(list[tuple[str, Any]]):
    """An object as it was written, with keys that stand twice."""


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise _OccursTwiceError("occurs twice in one object")
    return found


def _where_twice(text: str) -> str:
    """The path of the first key that stands twice; parses once more, since only a refusal needs to know it.

    Empty where it cannot be told, because what follows that key is no JSON.
    """
    try:
        return next(_twice(json.loads(text, object_pairs_hook=_Pairs), ()))
    except ValueError:
        return ""


def _twice(data: Any, path: tuple[str | int, ...]) -> Iterator[str]:
    if isinstance(data, _Pairs):
        seen: set[str] = set()
        for key, value in data:
            if key in seen:
                yield path_of((*path, key))
            seen.add(key)
            yield from _twice(value, (*path, key))
    elif isinstance(data, list):
        for place, value in enumerate(data):
            yield from _twice(value, (*path, place))


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a number of JSON")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError("a number is too large")
    return number
