"""A right that is on its way is waited for, a little longer each time, and not for ever."""

from __future__ import annotations

import pytest

from agent.loops.rights import once_allowed
from agent.model.errors import NotAuthorised
from tests.support.clock import StillClock


class Door:
    """Says no so many times."""

    def __init__(self, refusals: int) -> None:
        self.refusals = refusals
        self.knocks = 0

    async def knock(self) -> str:
        self.knocks += 1
        if self.knocks <= self.refusals:
            raise NotAuthorised("not yet")
        return "in"


async def test_it_asks_again_until_the_right_has_come() -> None:
    clock, door = StillClock(), Door(3)
    assert await once_allowed(clock, door.knock) == "in"
    assert door.knocks == 4
    assert clock.waits == sorted(clock.waits)
    assert sum(clock.waits) < 0.5


async def test_what_is_allowed_is_not_waited_for() -> None:
    clock = StillClock()
    assert await once_allowed(clock, Door(0).knock) == "in"
    assert clock.waits == []


async def test_a_right_that_does_not_come_is_told_after_a_few_seconds() -> None:
    clock, door = StillClock(), Door(100)
    with pytest.raises(NotAuthorised, match="not yet"):
        await once_allowed(clock, door.knock)
    assert 2 < sum(clock.waits) < 5
