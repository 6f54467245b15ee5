"""The server's clock, seen from outside: stamps in objects are whole seconds, and some promises are about two of them.

Here: waiting for another second without sleeping. Not here: what happens in it.
"""

from __future__ import annotations

import asyncio

from tests.support.kube import Kube

_SECONDS = 5.0


async def next_second(kube: Kube) -> None:
    """Return when the server's clock shows another second than now.

    Raises:
        TimeoutError: its clock stands still.
    """
    first = (await kube.request("GET", "/version")).headers["Date"]
    async with asyncio.timeout(_SECONDS):
        while (await kube.request("GET", "/version")).headers["Date"] == first:
            pass
