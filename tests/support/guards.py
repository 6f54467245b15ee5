"""Guards around every test: nothing blocks the event loop, no task is left behind, nothing takes for ever.

Warnings are errors by pyproject.toml; `looptime` moves the clock only where its marker asks for it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from blockbuster import blockbuster_ctx

TESTS = Path(__file__).parents[1]
PRODUCT = ["agent", "control_plane", "sandbox"]
"""A blocking call counts when one of these packages makes it; a test may read a file as it likes."""
LEAVE_SECONDS = 1.0
"""So long may a task of a closed connection take to notice. A task that waits for anything else never ends by
itself.
"""

SECONDS = {
    "unit": 5,
    "architecture": 30,
    "properties": 60,
    "contracts": 60,
    "cluster": 60,
    "integration": 60,
    "e2e": 600,
    "chaos": 600,
}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give each test the time limit of its folder, unless it has one of its own."""
    for item in items:
        folder = item.path.relative_to(TESTS).parts[0] if item.path.is_relative_to(TESTS) else ""
        if folder in SECONDS and item.get_closest_marker("timeout") is None:
            # Units are measured alone: what the first of them imports in a fixture is not its fault.
            item.add_marker(pytest.mark.timeout(SECONDS[folder], func_only=folder == "unit"))


@pytest.fixture(autouse=True)
def guards(request: pytest.FixtureRequest) -> None:
    """Guard asynchronous tests; the others have no loop that could be blocked or leaked into."""
    if request.node.get_closest_marker("asyncio") is not None:
        request.getfixturevalue("no_task_left_behind")
        request.getfixturevalue("nothing_blocks")


@pytest.fixture
def nothing_blocks() -> Iterator[None]:
    """A blocking call inside the loop raises where it is made."""
    with blockbuster_ctx(scanned_modules=PRODUCT) as guard:
        for call in guard.functions.values():
            # It has a thread and a loop of its own, which nobody else waits on.
            call.can_block_in("agent/cluster/connection.py", "_load")
            # A zone is a file of at most 2 KiB, read once in the life of a process.
            call.can_block_in("agent/wire/maintenance.py", {"zone", "_zones"})
        yield


@pytest.fixture
async def no_task_left_behind() -> AsyncIterator[None]:
    """A task that a test started and nobody awaits fails the test, after it was cancelled."""
    before = asyncio.all_tasks()
    yield
    left = asyncio.all_tasks() - before - {asyncio.current_task()}
    _, stuck = await asyncio.wait(left, timeout=LEAVE_SECONDS) if left else (left, left)
    for task in stuck:
        task.cancel()
    await asyncio.gather(*stuck, return_exceptions=True)
    if stuck:
        pytest.fail("left behind: " + ", ".join(sorted(f"{task.get_name()} {task.get_coro()}" for task in stuck)))
