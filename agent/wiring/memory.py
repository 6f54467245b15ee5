"""Memory that is given back: how glibc's allocator is asked to behave in a process that runs for months.

By default each thread gets an arena of its own, and what a burst of large bodies has taken is kept for the next one, so
that a process may grow although it holds no more than before. See mallopt(3).
"""

from __future__ import annotations

import ctypes
import sys
from contextlib import suppress
from typing import Final

_TRIM_THRESHOLD: Final = -1
_MMAP_THRESHOLD: Final = -3
_ARENA_MAX: Final = -8
_LARGE_BYTES: Final = 64 * 1024
"""What is so large is mapped by itself, and leaves the process once it is freed; so does as much at the top."""


def keep_little() -> bool:
    """Ask for one arena, and for large pieces to be given back; False where there is no glibc to ask."""
    if sys.platform != "linux":
        return False
    with suppress(OSError, AttributeError):  # musl has no such call
        ask = ctypes.CDLL(None).mallopt
        wishes = ((_ARENA_MAX, 1), (_MMAP_THRESHOLD, _LARGE_BYTES), (_TRIM_THRESHOLD, _LARGE_BYTES))
        return all(ask(what, how) == 1 for what, how in wishes)
    return False
