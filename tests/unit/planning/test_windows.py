"""Maintenance windows, above all around the two changes of the clock."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from agent.model.instance import Window
from agent.planning.windows import next_opening, open_at

BERLIN = ZoneInfo("Europe/Berlin")
LORD_HOWE = ZoneInfo("Australia/Lord_Howe")  # its clock moves by half an hour


def a_window(schedule: str = "0 2 * * 6", *, hours: float = 4, zone: ZoneInfo = BERLIN) -> Window:
    return Window(schedule, timedelta(hours=hours), zone)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(f"2026-{text}").replace(tzinfo=UTC)


def openings(window: Window, *, after: datetime, count: int) -> list[datetime]:
    found: list[datetime] = []
    for _ in range(count):
        opening = next_opening([window], found[-1] if found else after)
        assert opening is not None
        found.append(opening)
    return found


def test_without_windows_it_is_always_open_and_never_opens() -> None:
    assert open_at([], utc("01-01 00:00"))
    assert next_opening([], utc("01-01 00:00")) is None


@pytest.mark.parametrize(
    ("moment", "expected"),
    [
        ("01-31 00:59:59", False),
        ("01-31 01:00:00", True),  # Saturday, 02:00 in Berlin
        ("01-31 04:59:59.999999", True),
        ("01-31 05:00:00", False),
        ("02-01 01:00:00", False),
    ],
)
def test_a_window_is_open_from_its_first_moment_until_before_its_last(moment: str, expected: bool) -> None:
    assert open_at([a_window()], utc(moment)) is expected


def test_the_next_opening_is_after_now_also_while_one_is_open() -> None:
    assert next_opening([a_window()], utc("01-31 01:00:00")) == utc("02-07 01:00")
    assert next_opening([a_window()], utc("01-31 00:59:59.5")) == utc("01-31 01:00")


def test_one_of_several_is_enough_and_the_soonest_is_the_next() -> None:
    windows = [a_window(), a_window("30 12 * * *", hours=1, zone=ZoneInfo("UTC"))]
    assert open_at(windows, utc("01-31 01:30"))
    assert open_at(windows, utc("01-30 13:00"))
    assert not open_at(windows, utc("01-30 13:30"))
    assert next_opening(windows, utc("01-30 13:30")) == utc("01-31 01:00")


def test_a_window_longer_than_its_period_never_closes() -> None:
    window = a_window("0 0 * * *", hours=25)
    assert all(open_at([window], utc("03-28 00:00") + timedelta(minutes=30 * step)) for step in range(96))


def test_in_spring_an_opening_in_the_hour_that_is_left_out_comes_right_after_it() -> None:
    window = a_window("30 2 * * *", hours=1)  # on 29 March the clock jumps from 02:00 to 03:00, at 01:00 UTC
    found = openings(window, after=utc("03-27 12:00"), count=3)
    assert found == [utc("03-28 01:30"), utc("03-29 01:00"), utc("03-30 00:30")]
    assert not open_at([window], utc("03-29 00:59"))
    assert open_at([window], utc("03-29 01:59"))
    assert not open_at([window], utc("03-29 02:00"))


def test_in_autumn_a_window_opens_once_in_the_first_of_the_two_hours() -> None:
    window = a_window("45 2 * * *", hours=0.5)  # on 25 October 02:00 to 03:00 comes twice, from 00:00 UTC on
    found = openings(window, after=utc("10-24 12:00"), count=2)
    assert found == [utc("10-25 00:45"), utc("10-26 01:45")]
    assert open_at([window], utc("10-25 01:14"))
    # Cron's next fixed time, asked from the second 02:20, is the first 02:45: it must not count again.
    assert not open_at([window], utc("10-25 01:15"))
    assert not open_at([window], utc("10-25 01:50"))
    assert next_opening([window], utc("10-25 01:20")) == utc("10-26 01:45")


def test_a_star_means_every_hour_that_the_clock_shows_and_none_of_them_twice() -> None:
    found = openings(a_window("*/30 * * * *", hours=0.1), after=utc("10-24 23:29"), count=4)
    assert found == [utc("10-24 23:30"), utc("10-25 00:00"), utc("10-25 00:30"), utc("10-25 02:00")]


def test_a_day_that_begins_with_a_jump_has_its_windows() -> None:
    """In Cairo the clock jumps from midnight to one: on Friday, 24 April, at 22:00 UTC the day before."""
    window = a_window("*/30 1 * * 5", zone=ZoneInfo("Africa/Cairo"))
    assert openings(window, after=utc("04-22 12:00"), count=2) == [utc("04-23 22:00"), utc("04-23 22:30")]


@pytest.mark.parametrize("change", ["03-29 00:30", "10-25 00:30"])
def test_a_window_over_the_change_stays_open_for_as_long_as_it_says(change: str) -> None:
    window = a_window("0 1 * * *", hours=4)
    (opening,) = openings(window, after=utc(change) - timedelta(hours=3), count=1)
    last = opening + timedelta(hours=4)
    assert opening < utc(change) < last
    assert open_at([window], last - timedelta(seconds=1))
    assert not open_at([window], last)


def test_a_clock_that_moves_by_half_an_hour_is_followed_too() -> None:
    window = a_window(
        "15 2 * * *", hours=1, zone=LORD_HOWE
    )  # on 4 October 02:00 becomes 02:30, at 15:30 UTC the day before
    assert openings(window, after=utc("10-02 20:00"), count=2) == [utc("10-03 15:30"), utc("10-04 15:15")]


@pytest.mark.parametrize("zone", [UTC, BERLIN, ZoneInfo("Asia/Tokyo")])
def test_it_does_not_matter_in_which_zone_now_is_told(zone: ZoneInfo) -> None:
    window = a_window("45 2 * * *", hours=0.5)
    for minute in range(0, 240, 5):
        now = utc("10-24 23:00") + timedelta(minutes=minute)
        assert open_at([window], now.astimezone(zone)) == open_at([window], now)
        assert next_opening([window], now.astimezone(zone)) == next_opening([window], now)
