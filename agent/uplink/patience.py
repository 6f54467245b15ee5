"""How long a poll may ask to wait: less after the connection was cut twice, more again after it held for a while.

Proxies close connections on which nothing happens, after a time that nobody tells us. Pure: it is told what happened.
"""

from __future__ import annotations

from typing import Final

SHARES: Final = (1.0, 0.5, 0.2)
"""Of the configured wait: 50 s, then 25 s, then 10 s."""
CUTS_TO_ASK_LESS: Final = 2
WHOLE_TO_ASK_MORE: Final = 10


class Patience:
    """The present wait. A cut is a poll that broke while it waited; a whole one brought any answer."""

    def __init__(self) -> None:
        self._step = 0
        self._cuts = 0
        self._whole = 0

    def seconds(self, asked: float) -> float:
        """How long to wait where ``asked`` is configured."""
        return asked * SHARES[self._step]

    def cut(self) -> None:
        """The connection broke, or the answer did not come in time."""
        self._whole = 0
        self._cuts += 1
        if self._cuts >= CUTS_TO_ASK_LESS:
            self._cuts = 0
            self._step = min(self._step + 1, len(SHARES) - 1)

    def whole(self) -> None:
        """An answer came."""
        self._cuts = 0
        self._whole += 1
        if self._whole >= WHOLE_TO_ASK_MORE:
            self._whole = 0
            self._step = max(self._step - 1, 0)
