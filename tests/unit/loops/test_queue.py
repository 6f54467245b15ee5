"""The work queue: never the same key twice at once, nothing forgotten, nothing before its time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from agent.loops.pace import Backoff
from agent.loops.queue import KeyQueue, Urgency
from tests.support.clock import StillClock


class HandClock(StillClock):
    """A clock whose timers go off when a test lets the time pass."""

    def __init__(self) -> None:
        super().__init__()
        self._timers: list[asyncio.TimerHandle] = []

    def later(self, seconds: float, call: Callable[[], None]) -> asyncio.TimerHandle:
        self._timers.append(asyncio.TimerHandle(self.ticks + seconds, call, [], asyncio.get_running_loop()))
        return self._timers[-1]

    def pass_by(self, seconds: float) -> None:
        super().pass_by(seconds)
        due = [timer for timer in self._timers if timer.when() <= self.ticks]
        self._timers = [timer for timer in self._timers if timer not in due]
        for timer in sorted(due, key=asyncio.TimerHandle.when):
            if not timer.cancelled():
                timer._run()


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
async def queue(clock: HandClock) -> KeyQueue:
    return KeyQueue(clock)


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


async def test_a_key_for_later_comes_later(queue: KeyQueue, clock: HandClock) -> None:
    queue.add_later("a", 5)
    clock.pass_by(4.9)
    assert len(queue) == 0
    clock.pass_by(0.2)
    assert await queue.get() == "a"


async def test_an_ask_for_now_replaces_one_for_later(queue: KeyQueue, clock: HandClock) -> None:
    queue.add_later("a", 5)
    queue.add("a")
    assert await queue.get() == "a"
    queue.done("a")
    clock.pass_by(10)
    assert len(queue) == 0


@pytest.mark.parametrize("seconds", [(5, 60), (60, 5)])
async def test_of_two_asks_for_later_the_earlier_counts(
    queue: KeyQueue, clock: HandClock, seconds: tuple[int, int]
) -> None:
    for wait in seconds:
        queue.add_later("a", wait)
    clock.pass_by(6)
    assert await queue.get() == "a"
    queue.done("a")
    clock.pass_by(100)
    assert len(queue) == 0


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


async def test_the_urgent_come_first_and_each_class_in_its_own_order(queue: KeyQueue) -> None:
    for key, urgency in [("r", Urgency.ROUTINE), ("e1", Urgency.EVENT), ("n", Urgency.NEWS), ("e2", Urgency.EVENT)]:
        queue.add(key, urgency)
    assert [await queue.get() for _ in range(4)] == ["n", "e1", "e2", "r"]


async def test_a_more_urgent_ask_brings_a_key_forward(queue: KeyQueue) -> None:
    queue.add("a", Urgency.ROUTINE)
    queue.add("b", Urgency.EVENT)
    queue.add("a", Urgency.NEWS)
    assert [await queue.get(), await queue.get()] == ["a", "b"]
    assert len(queue) == 0


async def test_a_less_urgent_ask_holds_no_key_back(queue: KeyQueue) -> None:
    queue.add("a", Urgency.NEWS)
    queue.add("b", Urgency.NEWS)
    queue.add("a", Urgency.ROUTINE)
    assert [await queue.get(), await queue.get()] == ["a", "b"]


async def test_the_urgency_asked_for_during_work_counts_afterwards(queue: KeyQueue) -> None:
    queue.add("a")
    await queue.get()
    queue.add("a", Urgency.ROUTINE)
    queue.add("b", Urgency.EVENT)
    queue.add("a", Urgency.NEWS)
    queue.done("a")
    assert [await queue.get(), await queue.get()] == ["a", "b"]


async def test_an_ask_for_later_comes_as_an_event(queue: KeyQueue, clock: HandClock) -> None:
    queue.add("r", Urgency.ROUTINE)
    queue.add_later("a", 5)
    clock.pass_by(5)
    assert [await queue.get(), await queue.get()] == ["a", "r"]


async def test_a_dropped_key_does_not_come_later(queue: KeyQueue, clock: HandClock) -> None:
    queue.add_later("a", 5)
    queue.drop("a")
    clock.pass_by(10)
    assert len(queue) == 0


@pytest.mark.parametrize("flooding", [{Urgency.NEWS}, {Urgency.EVENT}, set(Urgency)], ids=str)
@pytest.mark.parametrize("patient", Urgency)
async def test_nobody_starves(queue: KeyQueue, flooding: set[Urgency], patient: Urgency) -> None:
    """However much of whatever keeps coming in, a key of any class has its turn within two rounds of favours."""
    queue.add("patient", patient)
    served = []
    for number in range(40):
        for urgency in flooding:
            queue.add(f"{urgency.name}-{number}", urgency)
        served.append(await queue.get())
    assert "patient" in served[:20]


async def test_the_urgent_get_most_turns_in_a_flood(queue: KeyQueue) -> None:
    for number in range(100):
        for urgency in Urgency:
            queue.add(f"{urgency.name}-{number}", urgency)
    served = [str(await queue.get()).partition("-")[0] for _ in range(90)]
    assert [served.count(urgency.name) for urgency in Urgency] == [80, 5, 5]
