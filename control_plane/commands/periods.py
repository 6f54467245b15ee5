"""Periods of time as people write them on a command line."""

from __future__ import annotations

import re
from datetime import timedelta

from agent.model.errors import Misconfigured

_SPAN = re.compile(r"(\d{1,6})([smhd])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def seconds(text: str) -> int:
    """The seconds of a ``--ttl``. Raises Misconfigured."""
    match = _SPAN.fullmatch(text)
    if match is None:
        raise Misconfigured(f"--ttl {text} is not a time such as 30m, 1h or 7d")
    return int(timedelta(**{_UNITS[match[2]]: int(match[1])}).total_seconds())
