"""When the cache is full: a standby watches the cluster as a leader does, and from then on it could take over."""

from __future__ import annotations

import asyncio

from agent.model.facts import CacheFilled
from agent.ports import Clock, Cluster, Telemetry


class WarmLoop:
    """States once that every watched kind was listed."""

    name = "warm"

    def __init__(self, cluster: Cluster, telemetry: Telemetry, clock: Clock) -> None:
        self._cluster = cluster
        self._telemetry = telemetry
        self._clock = clock

    async def run(self, stop: asyncio.Event) -> None:
        """Wait for the first full listing, say so, and be quiet until told to stop."""
        began = self._clock.monotonic()
        async with asyncio.TaskGroup() as group:
            filling, stopping = group.create_task(self._cluster.started()), group.create_task(stop.wait())
            await asyncio.wait([filling, stopping], return_when=asyncio.FIRST_COMPLETED)
            if filling.done():
                self._telemetry.emit(CacheFilled(self._clock.monotonic() - began))
            filling.cancel()
