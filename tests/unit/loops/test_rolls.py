"""Turns at rolling: never more than the limit, kept until given back, and nobody is forgotten."""

from __future__ import annotations

import pytest

from agent.loops.rolls import Rolls


def test_no_more_than_the_limit_have_a_turn() -> None:
    rolls = Rolls(2)
    assert [rolls.ask(name) for name in "abc"] == ["", "", "2 of at most 2 instances are being rolled"]


def test_who_has_a_turn_keeps_it_however_often_he_asks() -> None:
    rolls = Rolls(1)
    assert [rolls.ask("a"), rolls.ask("a")] == ["", ""]
    assert rolls.ask("b")


def test_a_turn_that_is_given_back_is_offered_to_who_waits_longest() -> None:
    rolls = Rolls(1)
    for name in "abc":
        rolls.ask(name)
    assert rolls.release("a") == ("b",)
    assert rolls.ask("b") == ""
    assert rolls.release("b") == ("c",)


def test_as_many_are_called_as_there_are_turns() -> None:
    rolls = Rolls(2)
    for name in "abcd":
        rolls.ask(name)
    assert rolls.release("a") == ("c",)
    assert rolls.release("b") == ("c", "d")


def test_who_had_no_turn_gives_none_back() -> None:
    rolls = Rolls(1)
    rolls.ask("a")
    rolls.ask("b")
    assert rolls.release("c") == ()
    assert rolls.release("b") == (), "it waits no longer"
    assert rolls.release("a") == ()


@pytest.mark.parametrize("order", ["abcdef", "fedcba"])
def test_everybody_has_a_turn_in_the_end(order: str) -> None:
    rolls, rolled = Rolls(2), list[str]()
    rolling = [name for name in order if not rolls.ask(name)]
    while rolling:
        done = rolling.pop(0)
        rolled.append(done)
        rolling += [name for name in rolls.release(done) if name not in rolling and not rolls.ask(name)]
    assert "".join(rolled) == order
