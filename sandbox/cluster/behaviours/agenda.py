"""What behaviours want to do later: one list of moments, one task that waits for the next.

Here: order and waiting. Not here: what is done.
"""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count

from sandbox.cluster.errors import ApiError
from sandbox.cluster.pace import Pace

_RETRY_SECONDS = 0.2
Action = Callable[[], None]


@dataclass(frozen=True, slots=True, order=True)
class _Entry:
    due: datetime
    number: int
    action: Action = field(compare=False)


class Agenda:
    """Actions by the moment at which they are due."""

    def __init__(self, pace: Pace) -> None:
        self._pace = pace
        self._entries: list[_Entry] = []
        self._numbers = count()
        self._changed = asyncio.Event()

    def attempt(self, action: Action) -> None:
        """Do something that the API may refuse, and try again for as long as it does."""
        try:
            action()
        except ApiError:
            self.later(_RETRY_SECONDS, action)

    def later(self, seconds: float, action: Action) -> None:
        """Do ``action`` after ``seconds``, at once for zero."""
        if seconds <= 0:
            self.attempt(action)
            return
        due = self._pace.now() + timedelta(seconds=seconds)
        heapq.heappush(self._entries, _Entry(due, next(self._numbers), action))
        self._changed.set()

    async def run(self) -> None:
        """Do what is due, for ever."""
        while True:
            self._changed.clear()
            now = self._pace.now()
            while self._entries and self._entries[0].due <= now:
                self.attempt(heapq.heappop(self._entries).action)
            left = (self._entries[0].due - now).total_seconds() if self._entries else None
            await self._pace.wait(self._changed, left)
