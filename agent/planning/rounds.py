"""When each instance has its turn in a round that comes again and again, spread evenly over the period. Pure.

Nothing is remembered: a turn follows from the wall clock and the instance's id, so that a restart neither repeats a
round nor skips one.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterable, Iterator


def due(ids: Iterable[str], *, period_seconds: float, since: float, until: float) -> Iterator[str]:
    """The ids whose turn came after ``since`` and not after ``until``, both in seconds since the epoch."""
    first, last = since / period_seconds, until / period_seconds
    for each in ids:
        phase = zlib.crc32(each.encode()) / 2**32
        if math.floor(first + phase) < math.floor(last + phase):
            yield each


SHARES = 24
"""Into so many shares the objects of an instance are divided for rounds that cost a request for each."""


def shares_due(ids: Iterable[str], *, period_seconds: float, since: float, until: float) -> Iterator[tuple[str, int]]:
    """As ``due``, but within a period each id comes once for each of its shares, so that no instance makes a burst."""
    step = period_seconds / SHARES
    for each in ids:
        phase = zlib.crc32(each.encode()) / 2**32
        first, last = math.floor(since / step + phase), math.floor(until / step + phase)
        for number in range(max(first, last - SHARES) + 1, last + 1):
            yield each, number % SHARES


def share_of(name: str) -> int:
    """The share that something of this name belongs to."""
    return zlib.crc32(name.encode()) % SHARES
