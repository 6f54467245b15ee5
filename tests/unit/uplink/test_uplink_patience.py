from __future__ import annotations

from agent.uplink.patience import WHOLE_TO_ASK_MORE, Patience


def test_two_cut_polls_shorten_the_wait_and_ten_seconds_is_the_least() -> None:
    patience = Patience()
    waits = []
    for _ in range(7):
        waits.append(patience.seconds(50))
        patience.cut()
    assert waits == [50, 50, 25, 25, 10, 10, 10]


def test_one_cut_between_whole_polls_changes_nothing() -> None:
    patience = Patience()
    for _ in range(20):
        patience.cut()
        patience.whole()
    assert patience.seconds(50) == 50


def test_the_wait_grows_back_step_by_step_while_polls_stay_whole() -> None:
    patience = Patience()
    for _ in range(4):
        patience.cut()
    waits = []
    for _ in range(3):
        waits.append(patience.seconds(50))
        for _ in range(WHOLE_TO_ASK_MORE):
            patience.whole()
    assert waits == [10, 25, 50]
    assert patience.seconds(50) == 50


def test_a_cut_on_the_way_up_starts_the_count_anew() -> None:
    patience = Patience()
    patience.cut()
    patience.cut()
    for _ in range(WHOLE_TO_ASK_MORE - 1):
        patience.whole()
    patience.cut()
    patience.whole()
    assert patience.seconds(50) == 25
