"""When a certificate is renewed: late enough to be worth it, early enough to fail for a month."""

from __future__ import annotations

from datetime import timedelta

import pytest

from agent.model.identity import Life
from agent.planning.renewal import due_at, seconds_until
from tests.support.clock import BEGIN

LIFE = Life(BEGIN, BEGIN + timedelta(days=90))
SUPERSEDED = Life(BEGIN, BEGIN + timedelta(days=90), superseded=True)
LATER = BEGIN + timedelta(days=3)


@pytest.mark.parametrize(("chance", "day"), [(0.0, 60), (0.5, 62.25), (1.0, 64.5)])
def test_a_certificate_is_due_from_two_thirds_of_its_life_on_each_agent_at_its_own_moment(
    chance: float, day: float
) -> None:
    assert due_at(LIFE, superseded_at=None, chance=chance) == BEGIN + timedelta(days=day)


@pytest.mark.parametrize("chance", [0.0, 0.3, 1.0])
def test_another_authority_makes_it_due_within_minutes(chance: float) -> None:
    due = due_at(SUPERSEDED, superseded_at=LATER, chance=chance)
    assert LATER <= due <= LATER + timedelta(minutes=2)


def test_a_certificate_that_is_due_already_is_not_put_off_by_another_authority() -> None:
    late = BEGIN + timedelta(days=80)
    assert due_at(SUPERSEDED, superseded_at=late, chance=1.0) < late


def test_an_authority_of_before_does_not_count_once_it_issues_again() -> None:
    assert due_at(LIFE, superseded_at=LATER, chance=0.0) == BEGIN + timedelta(days=60)


def test_what_is_past_is_due_now() -> None:
    assert seconds_until(BEGIN, now=LATER) == 0
    assert seconds_until(LATER, now=BEGIN) == timedelta(days=3).total_seconds()
