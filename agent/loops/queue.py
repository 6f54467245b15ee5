"""A queue of keys with bounded memory: the urgent first, each key worked on by one worker at a time, none lost.

The three sets are those of Kubernetes' client-go workqueue: what waits, what is worked on, and what was asked for while
it was worked on. Urgent keys do not starve the others: after a few of them one of a lower class has its turn.
"""

from __future__ import annotations

import asyncio
from collections import deque
from enum import IntEnum

from agent.ports import Clock

_FAVOURED = 8
"""So many keys of a higher class are handed out before one of a lower class that waits."""


class Urgency(IntEnum):
    """Why a key is worked on; less is sooner."""

    NEWS = 0
    """Somebody wants something new, and waits for it."""
    EVENT = 1
    """Something happened in the cluster, or is tried again."""
    ROUTINE = 2
    """Nothing happened: it is only looked after."""


class KeyQueue:
    """Keys to work on, by urgency and then first come first served; a key that is added twice is worked on once."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._waiting: dict[Urgency, deque[str]] = {urgency: deque() for urgency in Urgency}
        self._asked: dict[str, Urgency] = {}
        self._working: set[str] = set()
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._wake = asyncio.Event()
        self._closed = False
        self._favoured = 0
        self._favours = 0

    def __len__(self) -> int:
        return len(self._asked)

    def add(self, key: str, urgency: Urgency = Urgency.EVENT) -> None:
        """Ask for work on the key as soon as its urgency allows; the more urgent of two asks counts."""
        timer = self._timers.pop(key, None)
        if timer is not None:
            timer.cancel()
        present = self._asked.get(key)
        if present is not None and present <= urgency:
            return
        self._asked[key] = urgency
        if key in self._working:
            return
        if present is not None:
            self._waiting[present].remove(key)
        self._waiting[urgency].append(key)
        self._wake.set()

    def add_later(self, key: str, seconds: float) -> None:
        """Ask for work on the key after so many seconds; of several asks the earliest counts."""
        if key in self._asked or self._closed:
            return
        present, timer = self._timers.get(key), self._clock.later(seconds, lambda: self.add(key, Urgency.EVENT))
        if present is not None and present.when() <= timer.when():
            timer.cancel()
            return
        if present is not None:
            present.cancel()
        self._timers[key] = timer

    def drop(self, key: str) -> None:
        """Forget what was to come later: the key is gone."""
        timer = self._timers.pop(key, None)
        if timer is not None:
            timer.cancel()

    async def get(self) -> str | None:
        """The next key, and ``done`` must follow; None once the queue is closed."""
        while not any(self._waiting.values()) and not self._closed:
            self._wake.clear()
            await self._wake.wait()
        if self._closed:
            return None
        key = self._next().popleft()
        del self._asked[key]
        self._working.add(key)
        return key

    def _next(self) -> deque[str]:
        """The line whose first key has its turn."""
        lines = [line for line in self._waiting.values() if line]
        if len(lines) == 1:
            self._favoured = 0
            return lines[0]
        self._favoured = (self._favoured + 1) % (_FAVOURED + 1)
        if self._favoured:
            return lines[0]
        # The lower classes take turns: were it always the last one's, the one in between would starve.
        self._favours += 1
        return lines[1 + self._favours % (len(lines) - 1)]

    def done(self, key: str) -> None:
        """The work on the key ended; if it was asked for meanwhile, it waits again."""
        self._working.discard(key)
        urgency = self._asked.get(key)
        if urgency is not None:
            self._waiting[urgency].append(key)
            self._wake.set()

    def close(self) -> None:
        """Hand out nothing more, and cancel what was to come later."""
        self._closed = True
        self._wake.set()
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()
