"""Who waits for the end of a pass over an instance: each gets the view of the next pass that begins after the ask."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from agent.planning.health import View


@dataclass(frozen=True, slots=True)
class Waiting:
    """Those whom one pass answers."""

    outcomes: tuple[asyncio.Future[View | None], ...] = ()

    def answer(self, view: View | None) -> None:
        """Tell how the pass ended; None: there was nothing to work on. Who went away meanwhile is not told."""
        for outcome in self.outcomes:
            if not outcome.done():
                outcome.set_result(view)


class Asked:
    """Outcomes that somebody waits for, by instance. Bounded by who asks."""

    def __init__(self) -> None:
        self._waiting: dict[str, list[asyncio.Future[View | None]]] = {}

    def outcome(self, instance_id: str) -> asyncio.Future[View | None]:
        """The end of the next pass."""
        outcome: asyncio.Future[View | None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(instance_id, []).append(outcome)
        return outcome

    def taken(self, instance_id: str) -> Waiting:
        """A pass begins: those who asked before it."""
        return Waiting(tuple(self._waiting.pop(instance_id, ())))
