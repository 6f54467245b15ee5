"""What every test runs under: the guards, the clusters, the time limits."""

from __future__ import annotations

import asyncio

pytest_plugins = [
    "tests.support.guards",
    "tests.support.clusters",
    "tests.support.faults",
    "tests.support.figures",
]

# pytest-asyncio asks for the current loop before it sets its own; on Python 3.11 asking makes one that nobody closes,
# and since warnings are errors some later test would fail for it. Told that there is none, asyncio makes none.
asyncio.set_event_loop(None)
