"""Who lives in which namespace of a fixed pool, remembered for the term, in which nobody else settles anybody.

Where the agent makes namespaces itself, their labels tell. It may not label those that it was given.
"""

from __future__ import annotations

from collections.abc import Iterable

from agent.model.objects import Inventory


class Homes:
    """One instance for each namespace. Bounded by the number of instances."""

    def __init__(self) -> None:
        self._holders: dict[str, str] = {}

    def learn(self, inventories: Iterable[Inventory]) -> None:
        """Records tell who lives somewhere already; who retains something there still does."""
        self._holders |= {one.namespace: one.instance_id for one in inventories if one.namespace}

    def settle(self, namespace: str, instance_id: str) -> str:
        """Let an instance have a namespace that is free; returns who has it from now on."""
        if namespace not in self._holders:
            self.leave(instance_id)  # one that was never made may still choose
            self._holders[namespace] = instance_id
        return self._holders[namespace]

    def leave(self, instance_id: str) -> None:
        """The instance is gone, with all that it had."""
        self._holders = {namespace: one for namespace, one in self._holders.items() if one != instance_id}
