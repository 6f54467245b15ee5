"""Statuses that wait to be reported: in order, in batches, never more than a limit.

A batch keeps its sequence and its content until it is acknowledged, so that the control plane can tell a repetition
from news. When the box is full, an instance's older statuses give way to newer ones, its newest last of all; what is
lost is counted. Pure: no clock, no connection; it does not survive a restart, after which every instance is told anew.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from agent.model.status import AgentStatus, InstanceStatus


@dataclass(frozen=True, slots=True)
class Batch:
    """What goes into one request. ``sequence`` is unique within the stream and only grows."""

    sequence: int
    agent: AgentStatus
    instances: tuple[InstanceStatus, ...]


class Outbox:
    """A bounded queue of statuses. ``stream`` names one life of the agent: sequences begin at 1 in each."""

    def __init__(self, *, stream: str, limit: int, batch_limit: int) -> None:
        self.stream = stream
        self.dropped = 0
        """Instance statuses lost since the start."""
        self._limit = limit
        self._batch_limit = batch_limit
        self._agent: AgentStatus | None = None
        self._queue: list[InstanceStatus] = []
        self._outgoing: Batch | None = None
        self._sequence = 0

    @property
    def waiting(self) -> int:
        """Instance statuses not acknowledged yet."""
        return len(self._queue) + (len(self._outgoing.instances) if self._outgoing is not None else 0)

    def put(self, *, agent: AgentStatus, instances: Iterable[InstanceStatus]) -> None:
        """Add statuses; of the agent itself only the newest counts."""
        self._agent = agent
        self._queue.extend(instances)
        self._make_room()

    def next(self) -> Batch | None:
        """The batch to send: the same one until it is acknowledged or rejected. None: there is nothing to say."""
        if self._outgoing is None and self._agent is not None:
            self._outgoing = self._batch(self._agent, self._batch_limit)
            if not self._queue:
                self._agent = None
        return self._outgoing

    def acknowledge(self, sequence: int) -> None:
        """The control plane has this batch. An older or unknown sequence changes nothing."""
        if self._outgoing is not None and self._outgoing.sequence == sequence:
            self._outgoing = None

    def reject(self, sequence: int) -> tuple[InstanceStatus, ...]:
        """The control plane will never take this batch: send half of it; one status alone is dropped and counted.

        Returns what was dropped.
        """
        if self._outgoing is None or self._outgoing.sequence != sequence:
            return ()
        rejected, self._outgoing = self._outgoing, None
        if len(rejected.instances) <= 1:
            self.dropped += len(rejected.instances)
            return rejected.instances
        self._queue[:0] = rejected.instances
        self._outgoing = self._batch(rejected.agent, len(rejected.instances) // 2)
        self._agent = self._agent or rejected.agent
        self._make_room()
        return ()

    def _batch(self, agent: AgentStatus, most: int) -> Batch:
        instances, self._queue = tuple(self._queue[:most]), self._queue[most:]
        self._sequence += 1
        return Batch(self._sequence, agent, instances)

    def _make_room(self) -> None:
        """Drop the oldest that something newer replaces, then the oldest; what is on its way stays as it is."""
        excess = self.waiting - self._limit
        if excess <= 0:
            return
        newest = {status.id: number for number, status in enumerate(self._queue)}
        replaced = [number for number, status in enumerate(self._queue) if newest[status.id] != number]
        unique = [number for number, status in enumerate(self._queue) if newest[status.id] == number]
        doomed = set((replaced + unique)[:excess])
        self._queue = [status for number, status in enumerate(self._queue) if number not in doomed]
        self.dropped += len(doomed)
