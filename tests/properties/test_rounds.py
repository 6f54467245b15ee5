"""Rounds leave nobody out and call nobody twice, however unevenly the ticks fall."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from agent.planning.rounds import SHARES, due, share_of, shares_due

ids = st.lists(st.uuids().map(str), min_size=1, max_size=30, unique=True)
periods = st.sampled_from([60.0, 600.0, 3600.0, 86400.0, 7.5])


@st.composite
def ticks(draw: st.DrawFn) -> tuple[float, list[float]]:
    """A period, and moments from one of its multiples to another with any others in between."""
    period = draw(periods)
    begin = draw(st.integers(0, 30_000_000)) * period
    rounds = draw(st.integers(1, 3))
    between = draw(st.lists(st.floats(0, 1, exclude_min=True, exclude_max=True), max_size=40))
    span = rounds * period
    # Two looks at most a period apart: else more than one turn would be over at once.
    ends = (begin + number * period for number in range(1, rounds + 1))
    return period, sorted({begin, *ends, *(begin + part * span for part in between)})


@given(ids, ticks())
def test_everybody_has_one_turn_in_each_period(names: list[str], when: tuple[float, list[float]]) -> None:
    period, moments = when
    turns = Counter[str]()
    for since, until in pairwise(moments):
        turns.update(due(names, period_seconds=period, since=since, until=until))
    rounds = round((moments[-1] - moments[0]) / period)
    assert turns == dict.fromkeys(names, rounds)


@given(ids, st.floats(0, 2e9))
def test_no_time_gives_no_turn(names: list[str], moment: float) -> None:
    assert list(due(names, period_seconds=60, since=moment, until=moment)) == []


@given(ids, periods, st.floats(0, 2e9))
def test_who_slept_for_longer_than_a_period_calls_everybody_once(
    names: list[str], period: float, moment: float
) -> None:
    assert list(due(names, period_seconds=period, since=moment, until=moment + 2.5 * period)) == names


@given(st.integers(0, 1_000_000))
def test_turns_are_spread_over_the_period(number: int) -> None:
    names = [f"{number}-{one}" for one in range(1000)]
    minutes = [len(list(due(names, period_seconds=600, since=since, until=since + 60))) for since in range(0, 600, 60)]
    assert sum(minutes) == len(names)
    assert max(minutes) < 160, "a tenth of them, give or take"


@given(ids, ticks())
def test_everybody_has_a_turn_for_each_share_in_each_period(names: list[str], when: tuple[float, list[float]]) -> None:
    period, moments = when
    turns = Counter[tuple[str, int]]()
    for since, until in pairwise(moments):
        turns.update(shares_due(names, period_seconds=period * SHARES, since=since, until=until))
    rounds = round((moments[-1] - moments[0]) / period)
    assert all(count in {rounds // SHARES, -(-rounds // SHARES)} for count in turns.values())
    assert sum(turns.values()) == rounds * len(names)


@given(st.text(max_size=40))
def test_everything_belongs_to_one_of_the_shares(name: str) -> None:
    assert share_of(name) in range(SHARES)
