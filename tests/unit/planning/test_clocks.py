"""Clocks that differ: told, allowed for within a bound, and never to anybody's harm."""

from __future__ import annotations

from datetime import timedelta

import pytest

from agent.model.conditions import Truth
from agent.planning.clocks import ALLOWED_SECONDS, IN_STEP_SECONDS, clock_condition, judging_time
from tests.support.clock import BEGIN


@pytest.mark.parametrize("skew", [0.0, 1.5, -IN_STEP_SECONDS, IN_STEP_SECONDS])
def test_a_small_difference_is_in_step(skew: float) -> None:
    condition = clock_condition(skew, at=BEGIN)
    assert (condition.status, condition.reason) == (Truth.TRUE, "WithinBound")


@pytest.mark.parametrize(
    ("skew", "words"),
    [(31.0, "about 30 s ahead of"), (-3601.0, "about 3600 s behind"), (444.0, "about 440 s ahead of")],
)
def test_a_larger_one_is_told_with_its_side_and_its_size(skew: float, words: str) -> None:
    condition = clock_condition(skew, at=BEGIN)
    assert (condition.type, condition.status, condition.reason) == ("ClockInStep", Truth.FALSE, "ClockSkewed")
    assert words in condition.message


def test_what_answers_differ_by_is_not_news() -> None:
    assert clock_condition(97.2, at=BEGIN).message == clock_condition(98.9, at=BEGIN).message


@pytest.mark.parametrize(
    ("skew", "put_back"),
    [(None, 0.0), (-4000.0, 0.0), (0.4, 0.4), (200.0, 200.0), (4000.0, ALLOWED_SECONDS)],
)
def test_a_clock_that_is_ahead_is_put_back_within_the_bound_and_one_that_is_behind_is_not_put_forward(
    skew: float | None, put_back: float
) -> None:
    assert judging_time(BEGIN, skew) == BEGIN - timedelta(seconds=put_back)
