"""Until when this replica leads, as everybody asks it who is about to write. Written by the lead loop alone."""

from __future__ import annotations

from agent.model.errors import NotLeading
from agent.ports import Clock


class Tenure:
    """Implements ``ports.Fence``: closed unless a lease was taken or renewed a short while ago."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._until = float("-inf")

    def extend(self, until: float) -> None:
        """Lead until then, in seconds of ``Clock.boottime``; a tenure never grows shorter by being extended."""
        self._until = max(self._until, until)

    def end(self) -> None:
        """Lead no longer."""
        self._until = float("-inf")

    def left(self) -> float:
        """How many seconds are left; none or less than none when it is over."""
        return self._until - self._clock.boottime()

    def check(self) -> None:
        """Raise NotLeading if no write may start now."""
        if self.left() <= 0:
            raise NotLeading("this replica does not lead, so it writes nothing")
