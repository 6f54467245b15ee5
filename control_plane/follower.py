"""What a running server does about keys that changed: it looks once a second, since the command line may change them.

Here: reading the ring and the chain of bundles, moving the listeners' certificate on, and waking who polls. Not here:
what a rotation is (``services.rotation``).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from control_plane.listeners import Doors
from control_plane.services.assembly import Services
from control_plane.state import certify_server

LOG = logging.getLogger("control_plane.follower")
_SECONDS = 1.0


class Follower:
    """Takes up what changed."""

    def __init__(self, services: Services, doors: Doors, *, version: int) -> None:
        self._services = services
        self._doors = doors
        self._ring = services.state.keys.ring
        self._version = version

    async def look(self) -> None:
        """Take up other keys, and tell who polls of another bundle."""
        services = self._services
        await asyncio.to_thread(services.state.reload, now=services.clock.now())
        await services.rotations.advance()
        if services.state.keys.ring != self._ring:
            self._ring = services.state.keys.ring
            await asyncio.to_thread(self._take_up)
        version = await services.trust.version()
        if version != self._version:
            self._version = version
            for cluster in await services.membership.clusters():
                await services.news.ring(cluster.name)

    def _take_up(self) -> None:
        services = self._services
        certify_server(services.state, services.settings, now=services.clock.now())
        self._doors.renew()
        services.state.admitted = services.state.keys

    async def run(self) -> None:
        """Look for ever."""
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(_SECONDS):
                    await asyncio.Event().wait()
            try:
                await self.look()
            except Exception as error:  # noqa: BLE001 - the next look may do better; the listeners must not stop for it
                # The text of an unforeseen error may quote what it stumbled over.
                LOG.error("keys_not_followed error=%s", type(error).__name__)  # noqa: TRY400


@asynccontextmanager
async def following(follower: Follower) -> AsyncIterator[None]:
    """Follow while the block runs."""
    running = asyncio.ensure_future(follower.run())  # noqa: TID251 - ended below; a group would wrap the block's errors
    try:
        yield
    finally:
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running
