"""The waits of a fleet that lost its control plane: spread when it is back, short for one that only stumbled."""

from __future__ import annotations

from collections import Counter

import pytest

from agent.loops.pace import Backoff

AGENTS = 200
TENTHS = 10


@pytest.mark.parametrize("failures", [9, 12, 400], ids=["minutes", "an hour", "a week"])
def test_two_hundred_agents_come_back_spread_over_the_whole_wait(failures: int) -> None:
    """gravitational/teleport#10296: each tries for ever, and none of them in step with the others."""
    waits = []
    for _ in range(AGENTS):
        backoff = Backoff(1, 300)
        for _ in range(failures):
            backoff.next()
        waits.append(backoff.next())
    assert all(1 <= wait <= 300 for wait in waits)
    crowd = Counter(int(wait / 300.001 * TENTHS) for wait in waits)
    assert len(crowd) == TENTHS, "some part of the wait stays empty"
    # Twenty to each tenth is the mean; by chance alone fifty come less than once in a hundred million runs.
    assert max(crowd.values()) < 50


def test_the_waits_grow_to_the_bound_and_no_further() -> None:
    backoff = Backoff(1, 300)
    for failure in range(400):
        assert 1 <= backoff.next() <= min(300, 2.0**failure)


def test_one_that_failed_once_is_back_after_the_least_wait_and_one_that_succeeded_forgets() -> None:
    backoff = Backoff(1, 300)
    assert backoff.next() == 1
    for _ in range(9):
        backoff.next()
    backoff.reset()
    assert backoff.next() == 1
