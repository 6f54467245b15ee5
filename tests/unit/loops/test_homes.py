"""One instance for each namespace of a pool."""

from __future__ import annotations

from agent.loops.homes import Homes
from agent.model.objects import Inventory


def test_who_comes_first_has_it() -> None:
    homes = Homes()
    assert homes.settle("one", "a") == "a"
    assert homes.settle("one", "b") == "a"
    assert homes.settle("one", "a") == "a"


def test_records_tell_who_lived_there_before() -> None:
    homes = Homes()
    homes.learn([Inventory("a", namespace="one"), Inventory("b")])
    assert homes.settle("one", "b") == "a"
    assert homes.settle("two", "b") == "b"


def test_who_moves_before_anything_was_made_leaves_the_first_choice_free() -> None:
    homes = Homes()
    homes.settle("one", "a")
    assert homes.settle("two", "a") == "a"
    assert homes.settle("one", "b") == "b"


def test_who_is_refused_elsewhere_keeps_what_it_has() -> None:
    homes = Homes()
    homes.settle("one", "a")
    homes.settle("two", "b")
    assert homes.settle("two", "a") == "b"
    assert homes.settle("one", "c") == "a"


def test_who_is_gone_leaves_it_free() -> None:
    homes = Homes()
    homes.settle("one", "a")
    homes.leave("a")
    assert homes.settle("one", "b") == "b"
