"""The work queue: never the same key twice at once, nothing forgotten, nothing before its time."""

from __future__ import annotations

import asyncio

import pytest

from agent.loops.pace import Backoff, SystemClock
from agent.loops.queue import KeyQueue


@pytest.fixture
async def queue() -> KeyQueue:
    return KeyQueue(SystemClock())


async def test_a_key_that_is_added_twice_is_worked_on_once(queue: KeyQueue) -> None:
    queue.add("a")
    queue.add("a")
    queue.add("b")
    assert [await queue.get(), await queue.get()] == ["a", "b"]
    assert len(queue) == 0


async def test_a_key_that_is_worked_on_is_not_handed_out_again_until_done(queue: KeyQueue) -> None:
    queue.add("a")
    await queue.get()
    queue.add("a")
    queue.add("b")
    assert await queue.get() == "b"
    queue.done("a")
    assert await queue.get() == "a"


async def test_a_key_that_nobody_asked_for_meanwhile_does_not_come_again(queue: KeyQueue) -> None:
    queue.add("a")
    await queue.get()
    queue.done("a")
    queue.add("b")
    assert await queue.get() == "b"


@pytest.mark.looptime
async def test_a_key_for_later_comes_later(queue: KeyQueue) -> None:
    before = asyncio.get_running_loop().time()
    queue.add_later("a", 5)
    assert await queue.get() == "a"
    assert asyncio.get_running_loop().time() - before >= 5


@pytest.mark.looptime
async def test_an_ask_for_now_replaces_one_for_later(queue: KeyQueue) -> None:
    before = asyncio.get_running_loop().time()
    queue.add_later("a", 5)
    queue.add("a")
    assert await queue.get() == "a"
    assert asyncio.get_running_loop().time() - before < 1
    queue.done("a")
    queue.add_later("b", 10)
    assert await queue.get() == "b"  # and not "a" once more, five seconds later


async def test_a_closed_queue_hands_out_nothing_and_lets_its_workers_go(queue: KeyQueue) -> None:
    async with asyncio.TaskGroup() as group:
        workers = [group.create_task(queue.get()) for _ in range(3)]
        queue.add_later("a", 0.01)
        queue.close()
    assert [worker.result() for worker in workers] == [None, None, None]


def test_waits_grow_to_a_bound_and_fall_back_after_a_success() -> None:
    backoff = Backoff(least=1, most=8)
    assert backoff.next() == 1
    assert all(1 <= backoff.next() <= 8 for _ in range(50))
    backoff.reset()
    assert backoff.next() == 1


@pytest.mark.looptime
@pytest.mark.parametrize("seconds", [(5, 60), (60, 5)])
async def test_of_two_asks_for_later_the_earlier_counts(queue: KeyQueue, seconds: tuple[int, int]) -> None:
    before = asyncio.get_running_loop().time()
    for wait in seconds:
        queue.add_later("a", wait)
    assert await queue.get() == "a"
    assert asyncio.get_running_loop().time() - before < 6
    queue.done("a")
    queue.add_later("b", 100)
    assert await queue.get() == "b"  # and not "a" once more, a minute later
