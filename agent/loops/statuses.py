"""The newest status of every instance and the agent's own conditions, waiting to be told; newer replaces older."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import replace

from agent.model.conditions import Condition, carried_over
from agent.model.status import InstanceStatus


class Statuses:
    """Written by every loop, read by the report loop. Bounded by the number of instances, once the gone are forgotten.

    What is told costs by what is new, not by how many instances there are.
    """

    def __init__(self) -> None:
        self._instances: dict[str, InstanceStatus] = {}
        self._untold: dict[str, None] = {}
        self._leaving: set[str] = set()
        """Instances of which nothing is to be remembered once their last status was told."""
        self._conditions: dict[str, Condition] = {}
        self.news = asyncio.Event()
        """Set while something is untold."""

    def put(self, status: InstanceStatus) -> None:
        """Keep an instance's newest status; told again only if it says something new."""
        before = self._instances.get(status.id)
        if before is not None:
            kept = status.changes or before.changes
            status = replace(status, conditions=carried_over(status.conditions, before.conditions), changes=kept)
            if replace(status, observed_at=before.observed_at) == before:
                return
        self._instances[status.id] = status
        self._untold[status.id] = None
        self._leaving.discard(status.id)
        self.news.set()

    def forget(self, instance_id: str) -> None:
        """Remember nothing of an instance that is gone for good; what nobody was told of it yet is told first."""
        if instance_id in self._untold:
            self._leaving.add(instance_id)
        else:
            self._instances.pop(instance_id, None)

    def claim(self, condition: Condition) -> None:
        """Keep one of the agent's own conditions."""
        before = self._conditions.get(condition.type)
        (kept,) = carried_over([condition], [before] if before else [])
        self._conditions[condition.type] = kept
        if before is None or (before.status, before.reason, before.message) != (kept.status, kept.reason, kept.message):
            self.news.set()

    def conditions(self) -> tuple[Condition, ...]:
        """The agent's own conditions, by type."""
        return tuple(self._conditions[name] for name in sorted(self._conditions))

    def untold(self) -> tuple[InstanceStatus, ...]:
        """The statuses that nobody was told yet; they stay untold until ``told``."""
        self.news.clear()
        return tuple(self._instances[instance_id] for instance_id in self._untold)

    def told(self, statuses: tuple[InstanceStatus, ...]) -> None:
        """These are on their way; one that became newer meanwhile stays untold."""
        for status in statuses:
            if self._is_newest(status):
                self._untold.pop(status.id, None)
                if status.id in self._leaving:
                    self._leaving.discard(status.id)
                    del self._instances[status.id]

    def retell(self, ids: Iterable[str]) -> None:
        """These instances' statuses were not delivered after all: they count as untold again; nobody is woken."""
        for instance_id in ids:
            if instance_id in self._instances:
                self._untold[instance_id] = None

    def everything(self) -> Mapping[str, InstanceStatus]:
        """The newest status of every instance."""
        return dict(self._instances)

    def _is_newest(self, status: InstanceStatus) -> bool:
        newest = self._instances.get(status.id)
        return newest is status or newest == status
