"""Bells: who waits for something to happen to a key is woken at once, and a ring between look and wait is not missed.

One condition per key and a count of its rings: read ``heard`` first, then look, then wait for more than what was heard.
In this process only: control planes that share a database need a notification of the database's own.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field


@dataclass(slots=True)
class _Chime:
    condition: asyncio.Condition = field(default_factory=asyncio.Condition)
    rings: int = 0
    listeners: int = 0


class Bell:
    """Rings by key. Keys that nobody ever rang or waited for cost nothing."""

    def __init__(self) -> None:
        self._chimes: dict[str, _Chime] = {}
        self._closed = False

    def heard(self, key: str) -> int:
        """How often that key was rung so far."""
        chime = self._chimes.get(key)
        return chime.rings if chime else 0

    def listening(self, key: str) -> int:
        """How many wait for that key right now."""
        chime = self._chimes.get(key)
        return chime.listeners if chime else 0

    async def ring(self, key: str) -> None:
        """Wake everybody who waits for the key."""
        chime = self._chimes.setdefault(key, _Chime())
        async with chime.condition:
            chime.rings += 1
            chime.condition.notify_all()

    async def wait(self, key: str, *, after: int, seconds: float) -> bool:
        """Return True once the key was rung more than ``after`` times; False if time is over or the bell is closed."""
        chime = self._chimes.setdefault(key, _Chime())
        chime.listeners += 1
        try:
            async with asyncio.timeout(seconds), chime.condition:
                await chime.condition.wait_for(lambda: self._closed or chime.rings > after)
        except TimeoutError:
            return chime.rings > after
        finally:
            chime.listeners -= 1
        return chime.rings > after

    async def close(self) -> None:
        """Let everybody go: the control plane stops."""
        self._closed = True
        for chime in tuple(self._chimes.values()):
            async with chime.condition:
                chime.condition.notify_all()
