"""The work queue: one key per instance, never worked on twice at once, woken now or later.

The same three sets as in Kubernetes' client-go workqueue: what waits, what is worked on, and what was asked for
while it was worked on.
"""

from __future__ import annotations

import asyncio
from collections import deque

from agent.ports import Clock


class KeyQueue:
    """Keys to work on, first come first served; a key that is added twice before its turn is worked on once."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._waiting: deque[str] = deque()
        self._asked: set[str] = set()
        self._working: set[str] = set()
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._wake = asyncio.Event()
        self._closed = False

    def __len__(self) -> int:
        return len(self._asked)

    def add(self, key: str) -> None:
        """Ask for work on the key as soon as possible."""
        timer = self._timers.pop(key, None)
        if timer is not None:
            timer.cancel()
        if key in self._asked:
            return
        self._asked.add(key)
        if key not in self._working:
            self._waiting.append(key)
            self._wake.set()

    def add_later(self, key: str, seconds: float) -> None:
        """Ask for work on the key after so many seconds; of several asks the earliest counts."""
        if key in self._asked or self._closed:
            return
        present, timer = self._timers.get(key), self._clock.later(seconds, lambda: self.add(key))
        if present is not None and present.when() <= timer.when():
            timer.cancel()
            return
        if present is not None:
            present.cancel()
        self._timers[key] = timer

    async def get(self) -> str | None:
        """The next key, and ``done`` must follow; None once the queue is closed."""
        while not self._waiting and not self._closed:
            self._wake.clear()
            await self._wake.wait()
        if self._closed:
            return None
        key = self._waiting.popleft()
        self._asked.discard(key)
        self._working.add(key)
        return key

    def done(self, key: str) -> None:
        """The work on the key ended; if it was asked for meanwhile, it waits again."""
        self._working.discard(key)
        if key in self._asked:
            self._waiting.append(key)
            self._wake.set()

    def close(self) -> None:
        """Hand out nothing more, and cancel what was to come later."""
        self._closed = True
        self._wake.set()
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()
