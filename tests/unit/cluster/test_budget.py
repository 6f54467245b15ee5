"""How the budget of requests follows the server: in a time that jumps from timer to timer."""

from __future__ import annotations

import asyncio
import itertools

import pytest

from agent.cluster.budget import MOST_WAIT_SECONDS, Admission, Priority, RequestBudget, priority_of
from agent.model.errors import Throttled
from tests.support.clock import LoopClock, in_loop_time

CLOCK = LoopClock()
SECONDS = 15


def a_budget(per_second: float = 100, burst: int = 200) -> RequestBudget:
    return RequestBudget(CLOCK, per_second=per_second, burst=burst)


async def seconds_for(budget: RequestBudget, requests: int, priority: Priority = Priority.CHANGE) -> float:
    """How long so many requests take that are made one after the other."""
    began = CLOCK.monotonic()
    for _ in range(requests):
        await budget.admit(priority)
    return CLOCK.monotonic() - began


async def lets_pass(seconds: float) -> None:
    await CLOCK.wait(asyncio.Event(), seconds=seconds)


@in_loop_time
async def test_a_healthy_server_below_the_rate_is_never_waited_for() -> None:
    budget = a_budget()
    for _ in range(100):
        assert await seconds_for(budget, 50) == 0
        await lets_pass(0.5)
    assert budget.waited() == {}


@in_loop_time
async def test_a_burst_passes_and_what_goes_on_keeps_to_the_rate() -> None:
    budget = a_budget()
    assert await seconds_for(budget, 200) == 0
    assert await seconds_for(budget, 100) == pytest.approx(1, abs=0.05)
    assert budget.waited()["change"] == pytest.approx(1, abs=0.05)


@in_loop_time
async def test_many_at_once_are_let_through_in_turn() -> None:
    budget = a_budget(per_second=10, burst=1)
    ended: list[tuple[int, float]] = []

    async def one(number: int) -> None:
        await budget.admit(Priority.CHANGE)
        ended.append((number, CLOCK.monotonic()))

    began = CLOCK.monotonic()
    async with asyncio.TaskGroup() as group:
        for number in range(20):
            group.create_task(one(number))
    assert [number for number, _ in ended] == list(range(20))
    assert ended[-1][1] - began == pytest.approx(1.9, abs=0.05)


@in_loop_time
async def test_a_429_pauses_its_own_priority_for_as_long_as_it_says() -> None:
    budget = a_budget()
    budget.throttled(await budget.admit(Priority.CHANGE), level="", after_seconds=3)
    assert await seconds_for(budget, 1, Priority.LOOK) < 1
    assert await seconds_for(budget, 1) == pytest.approx(3, abs=1)
    budget.throttled(await budget.admit(Priority.CHANGE), level="", after_seconds=None)
    assert await seconds_for(budget, 1) == pytest.approx(1, abs=0.1)


@in_loop_time
async def test_requests_that_the_server_counts_to_one_level_pause_together() -> None:
    budget = a_budget()
    for priority, level in ((Priority.CHANGE, "workload-low"), (Priority.LOOK, "workload-low")):
        budget.answered(await budget.admit(priority), level=level)
    budget.throttled(await budget.admit(Priority.CHANGE), level="workload-low", after_seconds=3)
    assert await seconds_for(budget, 1, Priority.LOOK) == pytest.approx(3, abs=0.1)


@in_loop_time
async def test_the_lease_never_waits_however_full_and_paused_everything_is() -> None:
    budget = a_budget(per_second=1, burst=1)
    for level in ("", "one"):
        for priority in Priority:
            budget.throttled(Admission(priority, CLOCK.monotonic()), level=level, after_seconds=60)
    assert await seconds_for(budget, 1000, Priority.LEASE) == 0


@in_loop_time
async def test_who_would_wait_too_long_is_told_for_how_long_and_takes_nothing() -> None:
    budget = a_budget()
    budget.throttled(await budget.admit(Priority.CHANGE), level="", after_seconds=60)
    for _ in range(1000):
        with pytest.raises(Throttled) as raised:
            await budget.admit(Priority.CHANGE)
    assert raised.value.after_seconds == pytest.approx(60, abs=0.1)
    assert await seconds_for(budget, 1, Priority.LOOK) < 1


@in_loop_time
async def test_a_pause_that_begins_while_one_waits_counts_too_and_the_wait_stays_bounded() -> None:
    budget = a_budget(per_second=1, burst=1)
    first = await budget.admit(Priority.CHANGE)

    async def told_to_wait() -> None:
        await lets_pass(0.5)
        budget.throttled(first, level="", after_seconds=MOST_WAIT_SECONDS)

    async with asyncio.TaskGroup() as group:
        group.create_task(told_to_wait())
        began = CLOCK.monotonic()
        with pytest.raises(Throttled):
            await budget.admit(Priority.CHANGE)
        assert CLOCK.monotonic() - began <= MOST_WAIT_SECONDS


@in_loop_time
async def test_who_gives_up_waiting_leaves_his_place_to_others() -> None:
    budget = a_budget(per_second=1, burst=1)
    await budget.admit(Priority.CHANGE)
    for _ in range(100):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.001):
                await budget.admit(Priority.CHANGE)
    assert await seconds_for(budget, 1) < 1


@in_loop_time
async def test_the_rate_is_halved_by_what_was_sent_and_grows_back_steadily() -> None:
    budget = a_budget()
    await lets_pass(5)
    for _ in range(40):
        last = await budget.admit(Priority.CHANGE)
    budget.throttled(last, level="", after_seconds=0)
    assert budget.rate() == pytest.approx(20, abs=1)
    grown = []
    for _ in range(31):
        grown.append(budget.rate())
        await lets_pass(1)
    steps = [after - before for before, after in itertools.pairwise(grown) if after < 100]
    assert steps == pytest.approx([100 / 30] * len(steps))
    assert budget.rate() == 100


@in_loop_time
async def test_a_volley_of_429_is_one_congestion_and_one_cut() -> None:
    budget = a_budget()
    await lets_pass(5)
    volley = [await budget.admit(Priority.CHANGE) for _ in range(40)]
    await lets_pass(0.05)
    for one in volley:
        budget.throttled(one, level="", after_seconds=0)
    assert budget.rate() == pytest.approx(20, abs=1)
    budget.throttled(await budget.admit(Priority.CHANGE), level="", after_seconds=0)
    assert budget.rate() == pytest.approx(5 + 100 / 30, abs=5)


@in_loop_time
async def test_the_rate_never_falls_to_nothing() -> None:
    budget = a_budget()
    for _ in range(50):
        budget.throttled(Admission(Priority.LOOK, CLOCK.monotonic()), level="", after_seconds=0)
    assert budget.rate() >= 5
    assert await seconds_for(budget, 3, Priority.CHANGE) < 1


@pytest.mark.timeout(20)
@in_loop_time
async def test_a_server_with_less_room_than_we_ask_is_used_well_and_asked_little_more() -> None:
    """AIMD against a server that takes 30 a second and refuses the rest: what it takes is near to that."""
    budget, room, taken, refused = a_budget(), 30.0, 0, 0
    filled = began = CLOCK.monotonic()

    async def ask() -> None:
        nonlocal room, filled, taken, refused
        while CLOCK.monotonic() - began < SECONDS:
            try:
                admission = await budget.admit(Priority.CHANGE)
            except Throttled:
                await lets_pass(1)
                continue
            now = CLOCK.monotonic()
            room, filled = min(30.0, room + (now - filled) * 30), now
            await lets_pass(0.01)
            if room < 1:
                refused += 1
                budget.throttled(admission, level="", after_seconds=1)
            else:
                room, taken = room - 1, taken + 1

    async with asyncio.TaskGroup() as group:
        for _ in range(4):
            group.create_task(ask())
    assert taken / SECONDS > 0.85 * 30
    assert refused < 0.05 * taken


@pytest.mark.parametrize(
    ("method", "path", "priority"),
    [
        ("GET", "/api/v1/pods", Priority.LOOK),
        ("PATCH", "/apis/apps/v1/namespaces/a/deployments/b", Priority.CHANGE),
        ("PUT", "/apis/coordination.k8s.io/v1/namespaces/a/leases/b", Priority.LEASE),
        ("GET", "/apis/coordination.k8s.io/v1/namespaces/a/leases", Priority.LEASE),
    ],
)
def test_what_a_request_is_for(method: str, path: str, priority: Priority) -> None:
    assert priority_of(method, path) is priority
