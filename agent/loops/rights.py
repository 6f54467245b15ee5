"""A right that was granted a moment ago reaches the API server's authorizer a moment later: until then, ask again."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from agent.model.errors import NotAuthorised
from agent.ports import Clock

_ARRIVE_SECONDS = (0.02, 0.05, 0.1, 0.2, 0.4, 0.8, 1.6)
Answer = TypeVar("Answer")


async def once_allowed(clock: Clock, call: Callable[[], Awaitable[Answer]]) -> Answer:
    """Make a call that a right may still be on its way for; raises NotAuthorised if it does not come."""
    never = asyncio.Event()
    for seconds in _ARRIVE_SECONDS:
        try:
            return await call()
        except NotAuthorised:
            await clock.wait(never, seconds=seconds)
    return await call()
