"""A bell wakes at once, misses nothing, and lets everybody go when it is closed."""

from __future__ import annotations

import asyncio

from control_plane.bell import Bell

LONG = 60.0


async def listener(bell: Bell, key: str, *, after: int) -> bool:
    return await bell.wait(key, after=after, seconds=LONG)


async def test_a_ring_wakes_everybody_who_waits_for_the_key() -> None:
    bell = Bell()
    async with asyncio.TaskGroup() as group:
        waiting = [group.create_task(listener(bell, "east", after=0)) for _ in range(5)]
        await bell.ring("east")
    assert [task.result() for task in waiting] == [True] * 5


async def test_a_ring_between_look_and_wait_is_not_missed() -> None:
    bell = Bell()
    heard = bell.heard("east")
    await bell.ring("east")
    assert await bell.wait("east", after=heard, seconds=0)


async def test_a_ring_for_another_key_wakes_nobody() -> None:
    bell = Bell()
    await bell.ring("west")
    assert not await bell.wait("east", after=bell.heard("east"), seconds=0.01)


async def test_who_was_woken_before_waits_for_the_next_ring() -> None:
    bell = Bell()
    await bell.ring("east")
    assert not await bell.wait("east", after=bell.heard("east"), seconds=0.01)


async def test_a_closed_bell_lets_everybody_go() -> None:
    bell = Bell()
    async with asyncio.TaskGroup() as group:
        waiting = group.create_task(listener(bell, "east", after=0))
        late = group.create_task(listener(bell, "west", after=0))
        await bell.ring("east")
        await bell.close()
    assert waiting.result()
    assert not late.result()


async def test_listeners_are_counted_while_they_wait() -> None:
    bell = Bell()
    assert bell.listening("east") == 0
    counts: list[int] = []

    async def count_then_ring() -> None:
        counts.append(bell.listening("east"))
        await bell.ring("east")

    async with asyncio.TaskGroup() as group:
        group.create_task(listener(bell, "east", after=0))
        group.create_task(count_then_ring())
    assert counts == [1]
    assert bell.listening("east") == 0
