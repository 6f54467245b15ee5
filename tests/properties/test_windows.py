"""Windows agree with somebody who walks through all openings one by one, also around the changes of the clock."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from itertools import product
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from agent.model.instance import Window
from agent.planning.windows import next_opening, open_at

ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Africa/Cairo", "Asia/Kolkata")
CHANGES = tuple(
    datetime(2026, month, day, tzinfo=UTC)
    for month, day in ((3, 8), (3, 29), (4, 4), (4, 23), (10, 3), (10, 25), (10, 29), (11, 1))
)
"""Days on which one of these clocks is put forward or back; the rest is an ordinary day to the others."""

MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)


@dataclass(frozen=True)
class Schedule:
    """A schedule of cron as sets; ``hours`` None: written as a star."""

    minutes: frozenset[int]
    hours: frozenset[int] | None
    weekdays: frozenset[int]

    def expression(self) -> str:
        hours = "*" if self.hours is None else _listed(self.hours)
        return f"{_listed(self.minutes)} {hours} * * {_listed(self.weekdays)}"

    def openings(self, zone: ZoneInfo, *, since: datetime, until: datetime) -> Iterator[datetime]:
        """Every opening in between, found by trying each time of each day."""
        day = (since - DAY).date()
        while day <= (until + DAY).date():
            if day.isoweekday() % 7 in self.weekdays:
                for hour, minute in product(range(24) if self.hours is None else self.hours, self.minutes):
                    moment = _on(datetime.combine(day, time(hour, minute)), zone)
                    if since <= moment <= until:
                        yield moment
            day += DAY


def _listed(numbers: frozenset[int]) -> str:
    return ",".join(str(number) for number in sorted(numbers))


def _on(wall: datetime, zone: ZoneInfo) -> datetime:
    """When the clock first shows this time, or the first that it does show after it."""
    while True:
        moment = wall.replace(tzinfo=zone, fold=0).astimezone(UTC)
        if moment.astimezone(zone).replace(tzinfo=None) == wall:
            return moment
        wall += MINUTE


schedules = st.builds(
    Schedule,
    minutes=st.frozensets(st.integers(0, 59), min_size=1, max_size=3),
    hours=st.none() | st.frozensets(st.integers(0, 4) | st.integers(0, 23), min_size=1, max_size=3),
    weekdays=st.frozensets(st.integers(0, 6), min_size=1, max_size=7),
)
moments = st.builds(
    lambda change, seconds: change + timedelta(seconds=seconds),
    st.sampled_from(CHANGES),
    st.integers(-36 * 3600, 36 * 3600),
)
durations = st.timedeltas(MINUTE, timedelta(hours=30)).map(lambda length: timedelta(minutes=length // MINUTE))
zones = st.sampled_from(ZONES).map(ZoneInfo)


@given(schedules, durations, zones, moments)
def test_open_means_that_somebody_who_walks_finds_an_opening_that_lasts(
    schedule: Schedule, duration: timedelta, zone: ZoneInfo, now: datetime
) -> None:
    window = Window(schedule.expression(), duration, zone)
    walked = any(opening + duration > now for opening in schedule.openings(zone, since=now - duration, until=now))
    assert open_at([window], now) == walked


@given(schedules, zones, moments)
def test_the_next_opening_is_the_first_that_somebody_who_walks_meets(
    schedule: Schedule, zone: ZoneInfo, now: datetime
) -> None:
    window = Window(schedule.expression(), MINUTE, zone)
    walked = schedule.openings(zone, since=now, until=now + 8 * DAY)
    opening = next_opening([window], now)
    assert opening == min(moment for moment in walked if moment > now)
    assert open_at([window], opening)


@given(st.lists(st.tuples(schedules, durations, zones), max_size=4), moments)
def test_several_windows_are_open_if_one_is(several: list[tuple[Schedule, timedelta, ZoneInfo]], now: datetime) -> None:
    windows = [Window(schedule.expression(), duration, zone) for schedule, duration, zone in several]
    assert open_at(windows, now) == (not windows or any(open_at([window], now) for window in windows))
    assert next_opening(windows, now) == min(
        (opening for window in windows if (opening := next_opening([window], now))), default=None
    )
