"""Maintenance windows as a document writes them: a schedule of cron, how long it stays open, and in which zone.

Here: each is read once, at the border, so that whatever is wrong with it is refused with its path, and nothing further
in has to read files to know the time of a place. A zone is judged by the list of the tzdata package and not by what the
system happens to have: both ends take the same names. Not here: whether a window is open (planning).
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from functools import cache
from importlib.resources import files
from typing import Annotated, Final
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError
from pydantic import AfterValidator

from agent.wire.arrays import AtMost
from agent.wire.frames import Frame
from agent.wire.refusals import Reason, broken, shown
from agent.wire.scalars import Shape

MOST_WINDOWS: Final = 10
LONGEST: Final = timedelta(days=7)

_FIELD: Final = r"[0-9A-Za-z*,/#-]+"
_SOME_YEAR: Final = datetime(2026, 1, 1)  # noqa: DTZ001 - whether a schedule ever comes round is asked of no zone
_UNITS: Final = {"m": "minutes", "h": "hours"}


def _comes_round(schedule: str) -> str:
    try:
        opening = next(CronSim(schedule, _SOME_YEAR), None)
    except CronSimError as error:
        raise broken(Reason.MALFORMED, f"{shown(schedule)} is not a schedule of cron: {error}") from error
    if opening is None:
        raise broken(Reason.MALFORMED, f"{shown(schedule)} never comes round")
    return schedule


def _bounded(text: str) -> str:
    if not timedelta() < length(text) <= LONGEST:
        raise broken(Reason.MALFORMED, f"{shown(text)} must be between 1m and {LONGEST // timedelta(hours=1)}h")
    return text


@cache
def _zones() -> frozenset[str]:
    return frozenset(files("tzdata").joinpath("zones").read_text(encoding="utf-8").split())


def _known_zone(name: str) -> str:
    if name not in _zones():
        raise broken(Reason.MALFORMED, f"{shown(name)} is not a time zone of the IANA database such as Europe/Berlin")
    return name


Schedule = Annotated[
    str,
    Shape(
        rf"{_FIELD}(?: +{_FIELD}){{4}}",
        "a schedule of cron with five fields (minute, hour, day of month, month, day of week) such as 0 2 * * 6",
        100,
    ),
    AfterValidator(_comes_round),
]
Duration = Annotated[
    str,
    Shape(r"[0-9]{1,5}[mh]", "a duration in minutes or hours such as 90m or 4h", 6),
    AfterValidator(_bounded),
]
TimeZone = Annotated[
    str,
    Shape(r"[A-Za-z0-9_+-]+(?:/[A-Za-z0-9_+-]+)*", "the name of a time zone such as Europe/Berlin", 64),
    AfterValidator(_known_zone),
]


class WindowV1(Frame):
    """Opens whenever the ``schedule`` comes round in ``timeZone`` and stays open for the ``duration`` on the clock."""

    schedule: Schedule
    duration: Duration
    time_zone: TimeZone = "UTC"


class MaintenanceV1(Frame):
    """When the agent may do what disturbs; without a window, at any time."""

    windows: Annotated[tuple[WindowV1, ...], AtMost(MOST_WINDOWS)] = ()


def length(duration: str) -> timedelta:
    """How long a checked duration is."""
    number, unit = re.fullmatch(r"([0-9]+)([mh])", duration).groups()  # type: ignore[union-attr]
    return timedelta(**{_UNITS[unit]: int(number)})


def zone(name: str) -> ZoneInfo:
    """The rules of a checked zone; read from a file once, then shared."""
    return ZoneInfo(name)
