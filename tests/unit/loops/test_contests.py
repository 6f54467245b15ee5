"""How often something may be taken back before the fight is given up, and that counting needs little memory."""

from __future__ import annotations

from agent.loops.contests import Contests
from agent.model.objects import ObjectRef

HOUR = 3600.0


def ref(name: str = "web") -> ObjectRef:
    return ObjectRef("v1", "ConfigMap", "af-hello", name)


def fought(*moments: float) -> Contests:
    contests = Contests()
    for moment in moments:
        contests.count("one", ref(), moment)
    return contests


def test_two_in_an_hour_are_no_war() -> None:
    assert not Contests().endless("one", ref(), 0)
    assert not fought(0, 1).endless("one", ref(), 2)


def test_three_in_an_hour_are_enough() -> None:
    assert fought(0, 1, 2).endless("one", ref(), 3)


def test_an_hour_after_the_first_it_is_tried_again() -> None:
    contests = fought(0, 10, 20)
    assert contests.endless("one", ref(), HOUR - 1)
    assert not contests.endless("one", ref(), HOUR)


def test_only_the_last_three_count() -> None:
    assert not fought(0, 10, HOUR, HOUR + 20).endless("one", ref(), HOUR + 21)
    assert fought(0, HOUR, HOUR + 10, HOUR + 20).endless("one", ref(), HOUR + 21)


def test_each_object_has_a_count_of_its_own() -> None:
    assert not fought(0, 1, 2).endless("one", ref("other"), 3)


def test_what_was_fought_for_longest_ago_is_forgotten_first() -> None:
    contests = fought(0, 1, 2)
    for number in range(9_999):
        contests.count("one", ref(f"other-{number}"), 3)
    assert contests.endless("one", ref(), 4)
    contests.count("one", ref("one-more"), 3)
    assert not contests.endless("one", ref(), 4)


def test_what_is_still_fought_for_is_not_the_oldest() -> None:
    contests = fought(0, 1)
    for number in range(9_999):
        contests.count("one", ref(f"other-{number}"), 2)
    contests.count("one", ref(), 3)
    contests.count("one", ref("one-more"), 3)
    assert contests.endless("one", ref(), 4)


def test_of_an_instance_that_is_gone_nothing_is_remembered() -> None:
    contests = fought(0, 1, 2)
    for moment in range(3):
        contests.count("other", ref(), moment)
    contests.forget("one")
    assert not contests.endless("one", ref(), 3)
    assert contests.endless("other", ref(), 3)
