"""Which trust bundle the agent goes by, and the doubts whether it is the newest: shared by the loops.

The rotate loop says what it found, the poll loop what makes it doubt, and the report loop acknowledges the bundle.
"""

from __future__ import annotations

import asyncio

from agent.model.errors import AgentError

_DOUBTFUL = frozenset({"BadSignature", "EpochAhead", "ServerNotVerified", "NotAuthorised"})
"""Reasons that may have one cause: keys were rotated while we were away."""


class Trust:
    """The version in force, and two events: ``doubted`` asks for a look, ``changed`` says that one was worth it."""

    def __init__(self) -> None:
        self.version = 0
        self.doubted = asyncio.Event()
        self.changed = asyncio.Event()

    def about(self, error: AgentError) -> None:
        """Doubt if this error may come of keys that we do not know yet."""
        if error.reason in _DOUBTFUL:
            self.doubted.set()

    def named(self, version: int) -> None:
        """Doubt if this version, which the control plane named, is later than ours."""
        if version > self.version:
            self.doubted.set()
