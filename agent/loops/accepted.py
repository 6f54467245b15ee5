"""The accepted desired state in memory: the poll loop writes it, the others read it and are woken by its changes."""

from __future__ import annotations

import asyncio

from agent.model.desired import Desired, Standing


class Accepted:
    """Holds what was accepted last. ``ready`` is set once anything was, from the cluster or from the control plane."""

    def __init__(self) -> None:
        self.desired = Desired(Standing(0, 0))
        self.ready = asyncio.Event()
        self._changed: set[str] = set()
        self._news = asyncio.Event()

    def publish(self, desired: Desired) -> None:
        """Take a new state; what differs for an instance wakes its work."""
        before, self.desired = self.desired, desired
        for instance_id in {*before.documents, *desired.documents, *before.refusals, *desired.refusals}:
            old = before.documents.get(instance_id), before.refusals.get(instance_id), instance_id in before.unlisted
            new = desired.documents.get(instance_id), desired.refusals.get(instance_id), instance_id in desired.unlisted
            if old != new:
                self._changed.add(instance_id)
        self.ready.set()
        self._news.set()

    async def changed(self) -> frozenset[str]:
        """Wait for ids of which the document, the refusal or the listing changed."""
        while not self._changed:
            self._news.clear()
            await self._news.wait()
        changed, self._changed = frozenset(self._changed), set()
        return changed
