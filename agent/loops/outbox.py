"""What the report loop takes out of the spool: one batch at a time, the same one until it is settled.

A batch keeps its sequence and its content until it is acknowledged, over restarts too, so that the control plane can
tell a repetition from news. Not here: where letters wait and what goes when there is no room (the port ``Spool``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from agent.model.spool import Batch, Letter, Outcome, Priority
from agent.model.status import AgentStatus
from agent.outgoing import Spool


@dataclass(frozen=True, slots=True)
class Parcel:
    """A batch of letters, and how the agent does: it goes with each batch."""

    batch: Batch
    agent: AgentStatus


class Outbox:
    """The sending end of a spool."""

    def __init__(self, spool: Spool, *, batch_limit: int) -> None:
        self.spool = spool
        self._batch_limit = batch_limit
        self._most = batch_limit
        self._agent: AgentStatus | None = None
        self._outgoing: Parcel | None = None

    async def put(self, letters: Sequence[Letter]) -> None:
        """Add letters; they are as safe as the spool when this returns."""
        if letters:
            await self.spool.put(letters, notes={})

    def tell(self, agent: AgentStatus) -> None:
        """There is something to say about the agent itself; only the newest counts."""
        self._agent = agent

    async def next(self) -> Parcel | None:
        """What to send: the same until it is acknowledged or rejected. None: there is nothing to say."""
        if self._outgoing is None and self._agent is not None:
            batch = await self.spool.next(most=self._most)
            self._outgoing = Parcel(batch, self._agent)
            # A batch of an earlier life may have arrived, and is then not looked into: the agent's news must go again.
            if batch.rest <= 0 and not batch.again:
                self._agent = None
        return self._outgoing

    async def acknowledge(self, parcel: Parcel) -> None:
        """The control plane has it."""
        self._outgoing, self._most = None, self._batch_limit
        await self.spool.settle(parcel.batch, Outcome.TAKEN)

    async def again(self, parcel: Parcel) -> None:
        """What rode with it was not taken: its letters go once more, under another sequence."""
        self._outgoing = None
        await self.spool.settle(parcel.batch, Outcome.AGAIN)
        self._agent = self._agent or parcel.agent

    async def reject(self, parcel: Parcel) -> tuple[str, ...]:
        """The control plane will never take this: send half of it; one letter alone is dropped and counted.

        Returns the ids of the instances whose status was dropped.
        """
        self._outgoing = None
        letters = parcel.batch.letters
        if len(letters) <= 1:
            self._most = self._batch_limit
            await self.spool.settle(parcel.batch, Outcome.NEVER)
            return tuple(letter.subject for letter in letters if letter.priority is Priority.HEALTH)
        await self.spool.settle(parcel.batch, Outcome.AGAIN)
        self._most = len(letters) // 2
        self._agent = self._agent or parcel.agent
        return ()
