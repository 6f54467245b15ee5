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
