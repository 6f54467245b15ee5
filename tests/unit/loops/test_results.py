"""Results ride with batches: each until it is delivered, and a batch that is sent again says the same."""

from __future__ import annotations

from dataclasses import replace

from agent.loops.results import MOST_ABOARD, OrderResults
from agent.model.orders import OrderResult, Outcome
from agent.model.spool import Batch
from tests.support.clock import BEGIN


def a_result(name: str, message: str = "") -> OrderResult:
    return OrderResult(name, Outcome.DONE, "Done", message, BEGIN)


def batch(sequence: int) -> Batch:
    return Batch("stream", sequence, ())


ONE, TWO = a_result("one"), a_result("two")


def test_what_rides_with_a_batch_stays_with_it_until_it_arrives() -> None:
    results = OrderResults()
    results.put(ONE)
    assert results.aboard(batch(1)) == (ONE,)
    results.put(TWO)
    assert results.aboard(batch(1)) == (ONE,), "sent again under its sequence it says the same"
    results.delivered()
    assert results.told() == {"one"}
    assert results.aboard(batch(2)) == (TWO,)


def test_what_was_delivered_is_told_again_only_if_somebody_asks() -> None:
    results = OrderResults()
    results.put(ONE)
    results.aboard(batch(1))
    results.delivered()
    assert results.aboard(batch(2)) == ()
    results.put(ONE)
    assert results.aboard(batch(3)) == (ONE,)


def test_what_is_left_after_a_delivery_is_news_again() -> None:
    results = OrderResults()
    for number in range(MOST_ABOARD + 1):
        results.put(a_result(str(number)))
    results.begin()
    assert len(results.aboard(batch(1))) == MOST_ABOARD
    results.delivered()
    assert results.news.is_set()
    assert len(results.aboard(batch(2))) == 1
    results.begin()
    results.delivered()
    assert not results.news.is_set()


def test_a_batch_that_was_rejected_lets_the_next_go_without_what_rode_with_it() -> None:
    results = OrderResults()
    results.put(ONE)
    results.aboard(batch(1))
    assert results.rejected()
    assert results.aboard(batch(2)) == ()
    assert not results.rejected(), "nothing rode with it: it is to blame itself"
    assert results.aboard(batch(3)) == ()
    results.delivered()
    assert results.told() == frozenset()
    results.begin()
    assert results.aboard(batch(4)) == (ONE,), "the next time that anything is told"


def test_a_batch_of_an_earlier_life_takes_nothing_along() -> None:
    """It may have arrived, and is then not looked into: what rode with it would be told, and heard by nobody."""
    results = OrderResults()
    results.put(ONE)
    assert results.aboard(replace(batch(1), again=True)) == ()
    results.delivered()
    assert results.told() == frozenset()
    assert results.aboard(batch(2)) == (ONE,)


def test_the_same_sequence_of_another_stream_is_another_batch() -> None:
    results = OrderResults()
    results.put(ONE)
    results.aboard(batch(1))
    results.put(TWO)
    assert results.aboard(replace(batch(1), stream="other")) == (ONE, TWO)


def test_a_result_that_changed_while_it_was_on_its_way_is_told_once_more() -> None:
    results = OrderResults()
    results.put(ONE)
    results.aboard(batch(1))
    newer = a_result("one", "more")
    results.put(newer)
    results.delivered()
    assert results.aboard(batch(2)) == (newer,)


def test_what_the_journal_forgot_is_forgotten() -> None:
    results = OrderResults()
    results.put(ONE)
    results.aboard(batch(1))
    results.delivered()
    results.forget({"one"})
    assert results.told() == frozenset()
