"""When an instance may be disturbed: whether one of its maintenance windows is open, and when the next one opens. Pure.

A window opens by the wall clock of its zone and closes after its duration has really passed. Where the clock is put
forward over an opening, the window opens right after the jump; where an hour is repeated, it opens in the first of the
two. So Debian's cron treats fixed times, and cronsim with it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from cronsim import CronSim

from agent.model.instance import Window


def open_at(windows: Sequence[Window], now: datetime) -> bool:
    """Whether one of them is open. Without any there is nothing to wait for: always."""
    return not windows or any(_is_open(window, now.astimezone(UTC)) for window in windows)


def next_opening(windows: Sequence[Window], now: datetime) -> datetime | None:
    """The first opening after now, in UTC, whether or not one is open; None without windows."""
    openings = (_opening_after(window, now.astimezone(UTC)) for window in windows)
    return min((opening for opening in openings if opening is not None), default=None)


def _is_open(window: Window, now: datetime) -> bool:
    """Whether it opened less than its duration ago: the first opening since then is enough to know."""
    opening = _opening_after(window, now - window.duration)
    return opening is not None and opening <= now


def _opening_after(window: Window, moment: datetime) -> datetime | None:
    """All in UTC: times of one zone are compared by what the clock shows, which repeats an hour each autumn."""
    for local in CronSim(_by_the_wall_clock(window.schedule), moment.astimezone(window.zone)):
        opening = local.astimezone(UTC)
        # From within the second of two equal hours, cron's next fixed time may be one in the first of them.
        if opening > moment:
            return opening
    return None


def _by_the_wall_clock(schedule: str) -> str:
    """The same schedule without a star in minutes or hours.

    With one, cron goes by the time that passes instead, and cronsim then misses a day that begins with a jump.
    """
    minutes, hours, *days = schedule.split()
    return " ".join((minutes.replace("*", "0-59"), hours.replace("*", "0-23"), *days))
