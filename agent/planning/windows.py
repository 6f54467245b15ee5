"""When an instance may be disturbed: whether one of its maintenance windows is open, and when the next one opens. Pure.

A window opens by the wall clock of its zone and closes after its duration has really passed. Where the clock is put
forward over an opening, the window opens right after the jump; where an hour is repeated, it opens in the first of the
two. So Debian's cron treats fixed times, and cronsim with it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final

from cronsim import CronSim

from agent.model.instance import Window

_A_YEAR: Final = (datetime(2026, 1, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC))
"""Windows are compared over all openings of one year: it has every month, weekday and change of clocks."""
_MOST_OPENINGS: Final = 1500
"""Four a day: what opens more often is open always, and too often to be compared."""


def open_at(windows: Sequence[Window], now: datetime) -> bool:
    """Whether one of them is open. Without any there is nothing to wait for: always."""
    return not windows or any(_is_open(window, now.astimezone(UTC)) for window in windows)


def next_opening(windows: Sequence[Window], now: datetime) -> datetime | None:
    """The first opening after now, in UTC, whether or not one is open; None without windows."""
    openings = (_opening_after(window, now.astimezone(UTC)) for window in windows)
    return min((opening for opening in openings if opening is not None), default=None)


@lru_cache(maxsize=1024)
def outside(window: Window, allowed: tuple[Window, ...]) -> str:
    """Where a window is open while none of the allowed ones is; empty if that never happens in a year."""
    for number, opening in enumerate(_openings(window)):
        if number == _MOST_OPENINGS:
            return "opens more than four times a day"
        left = _left_open(opening, opening + window.duration, allowed)
        if left is not None:
            return f"is open at {left:%Y-%m-%d %H:%M} UTC, when no window of the guard is"
    return ""


def _openings(window: Window) -> Iterator[datetime]:
    moment, end = _A_YEAR[0] - timedelta(minutes=1), _A_YEAR[1]
    while (opening := _opening_after(window, moment)) is not None and (opening < end or moment < _A_YEAR[0]):
        yield opening
        moment = opening


def _left_open(begin: datetime, end: datetime, allowed: Sequence[Window]) -> datetime | None:
    """The first moment of this time that no allowed window covers."""
    moment = begin
    while moment < end:
        closings = [closing for window in allowed if (closing := _closing(window, moment)) is not None]
        if not closings:
            return moment
        moment = max(closings)
    return None


def _closing(window: Window, moment: datetime) -> datetime | None:
    """When the window closes that is open at this moment; None if it is not."""
    opening = _opening_after(window, moment - window.duration)
    return opening + window.duration if opening is not None and opening <= moment else None


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
