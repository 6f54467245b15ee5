"""What a difference between our clock and the control plane's means. Pure: both the time and the difference are told.

The difference comes from the ``Date`` of answers over connections that proved to be the control plane's, so that nobody
on the way chooses it. Not here: measuring it, and certificates, which TLS judges by our clock alone.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from agent.model.conditions import Condition, Truth

IN_STEP_SECONDS: Final = 30.0
"""So much a slow answer and the whole seconds of ``Date`` cannot feign, and it is far from the five minutes below which
nothing breaks: whoever is told has time to act."""

ALLOWED_SECONDS: Final = 300.0
"""So far ahead our clock may be without indexes being refused for it. As much as Kerberos allows; and whoever has the
control plane's certificate but not its signing keys gains no more than this by lying about the time."""

_COARSE: Final = -1
"""Told to ten seconds: else each answer would bring a new message, and each message a report."""


def clock_condition(skew_seconds: float, *, at: datetime) -> Condition:
    """Whether our clock goes with the control plane's; ``skew_seconds``: how far ours is ahead."""
    if abs(skew_seconds) <= IN_STEP_SECONDS:
        return Condition("ClockInStep", Truth.TRUE, "WithinBound", "our clock goes with the control plane's", at)
    side = "ahead of" if skew_seconds > 0 else "behind"
    message = (
        f"our clock is about {abs(round(skew_seconds, _COARSE)):.0f} s {side} the control plane's; "
        "correct the one that is wrong"
    )
    return Condition("ClockInStep", Truth.FALSE, "ClockSkewed", message, at)


def judging_time(now: datetime, skew_seconds: float | None) -> datetime:
    """The time by which an index counts as expired: ours, put back by as much as we are ahead, within what is allowed.

    Never later than ours: a clock that is behind makes nobody stricter.
    """
    ahead = min(max(skew_seconds or 0.0, 0.0), ALLOWED_SECONDS)
    return now - timedelta(seconds=ahead)
