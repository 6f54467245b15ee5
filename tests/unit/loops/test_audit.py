"""When the audit trail is written down, and that its records outlive what carries them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest

from agent.loops.audit import AuditLoop, KeepAuditLoop, KeepPorts
from agent.model.errors import AgentError, Conflict, Unreachable
from agent.model.facts import AuditNotKept, StateRefused
from agent.model.spool import Letter, Outcome, Priority
from agent.settings import SpoolSettings
from agent.telemetry.audit import AuditTrail
from agent.uplink.spool import DurableSpool, opened
from agent.wire.audit import read_record, verify
from tests.support.clock import StillClock
from tests.support.letters import Stated

PERIOD = 30.0


@pytest.fixture
async def spool() -> AsyncIterator[DurableSpool]:
    async with opened(SpoolSettings(directory=None), Stated()) as made:
        yield made


async def life(spool: DurableSpool, *messages: str) -> None:
    """One life of the audit loop in which these refusals happen."""
    clock, stop = StillClock(), asyncio.Event()
    trail = AuditTrail(clock)
    for message in messages:
        trail.emit(StateRefused("index", "Malformed", message))
    stop.set()
    await AuditLoop(trail, spool, clock).run(stop)


async def records(spool: DurableSpool) -> list[bytes]:
    return [letter.body for letter in await spool.newest(Priority.AUDIT, most=1000, size=10**6)]


async def test_events_become_one_chain_in_order(spool: DurableSpool) -> None:
    await life(spool, "a", "b", "c")
    found = await records(spool)
    assert [read_record(raw, what="r").record.message for raw in found] == ["a", "b", "c"]
    assert verify(found).chains == 1


async def test_the_chain_of_the_next_life_begins_where_the_last_one_ended(tmp_path: Path) -> None:
    for number in range(3):
        async with opened(SpoolSettings(directory=tmp_path), Stated()) as spool:
            await life(spool, f"{number}a", f"{number}b")
            found = await records(spool)
    assert (verify(found).records, verify(found).chains) == (6, 3)
    assert read_record(found[2], what="r").record.previous == read_record(found[1], what="r").digest


async def test_nothing_happens_and_nothing_is_written(spool: DurableSpool) -> None:
    await life(spool)
    assert spool.standing().waiting == 0


async def test_records_that_there_was_no_room_for_are_told_by_the_chain_itself() -> None:
    async with opened(SpoolSettings(directory=None, max_bytes=1024**2), Stated()) as spool:
        clock = StillClock()
        trail = AuditTrail(clock)
        loop = AuditLoop(trail, spool, clock)
        for turn in range(6):
            for number in range(400):
                trail.emit(StateRefused(f"{turn}-{number}", "Malformed", "x" * 900))
            await loop._write()
        found = [letter.body for letter in await spool.newest(Priority.AUDIT, most=10**6, size=10**9)]
        lost = spool.standing().dropped["audit"]
        assert lost > 0
        told = sum(read_record(raw, what="r").record.dropped for raw in found)
        assert 0 < told <= lost
        assert verify(found).cut == 1, "the oldest went first"


class Secret:
    """Implements the store; fails as the script says."""

    def __init__(self, held: Sequence[bytes] = (), script: Sequence[AgentError | None] = ()) -> None:
        self.held = tuple(held)
        self.writes = 0
        self._script = list(script)

    async def load(self) -> tuple[bytes, ...]:
        return self.held

    async def keep(self, kept: Sequence[bytes]) -> None:
        error = self._script.pop(0) if self._script else None
        if error is not None:
            raise error
        self.writes += 1
        self.held = tuple(kept)


class Periods(StillClock):
    """A clock whose every wait does something, and the last one ends the loop."""

    def __init__(self, *happenings: object) -> None:
        super().__init__()
        self._happenings = list(happenings)

    async def wait(self, event: asyncio.Event, *, seconds: float) -> bool:
        if not self._happenings:
            event.set()
        else:
            happening = self._happenings.pop(0)
            if callable(happening):
                await happening()
        return await super().wait(event, seconds=seconds)


def keeping(store: Secret, spool: DurableSpool, clock: StillClock, stated: Stated | None = None) -> KeepAuditLoop:
    return KeepAuditLoop(KeepPorts(store, spool, stated or Stated(), clock), seconds=PERIOD)


async def test_what_waits_over_a_whole_period_is_kept_once_and_at_rest_nothing_is_written(
    spool: DurableSpool,
) -> None:
    store = Secret()

    async def happens() -> None:
        await life(spool, "a", "b")

    clock = Periods(None, happens, None, None, None)
    await keeping(store, spool, clock).run(asyncio.Event())
    assert store.writes == 1
    assert list(store.held) == await records(spool)


async def test_what_the_control_plane_takes_in_time_is_not_written(spool: DurableSpool) -> None:
    store = Secret()

    async def happens_and_is_taken() -> None:
        await life(spool, "a")
        await spool.settle(await spool.next(most=10), Outcome.TAKEN)

    await keeping(store, spool, Periods(happens_and_is_taken, None, happens_and_is_taken, None)).run(asyncio.Event())
    assert store.writes == 0


async def test_a_graceful_end_keeps_what_nobody_took(spool: DurableSpool) -> None:
    store = Secret()
    loop = keeping(store, spool, Periods())
    await loop.run(asyncio.Event())
    await life(spool, "a")
    await loop.finish()
    await loop.finish()
    assert store.writes == 1
    assert list(store.held) == await records(spool)


async def test_only_the_newest_are_kept_within_the_bound(spool: DurableSpool) -> None:
    store = Secret()
    await life(spool, *(f"{number} {'x' * 900}" for number in range(500)))
    await keeping(store, spool, Periods()).finish()
    assert len(store.held) <= 200
    assert sum(map(len, store.held)) <= 256 * 1024
    assert store.held[-1] == (await records(spool))[-1]


async def test_a_new_pod_takes_over_what_the_one_before_could_not_tell_and_only_once(tmp_path: Path) -> None:
    async with opened(SpoolSettings(directory=None), Stated()) as lost:
        await life(lost, "a", "b")
        store = Secret(await records(lost))
    for _ in range(2):
        async with opened(SpoolSettings(directory=tmp_path), Stated()) as spool:
            await keeping(store, spool, Periods()).run(asyncio.Event())
            assert await records(spool) == list(store.held)
    assert store.writes == 0


@pytest.mark.parametrize("error", [Conflict("somebody wrote"), Unreachable("nobody there"), ValueError("canary")])
async def test_a_copy_that_fails_is_made_at_the_next_turn(spool: DurableSpool, error: AgentError) -> None:
    store, stated = Secret(script=[error]), Stated()
    await life(spool, "a")
    await keeping(store, spool, Periods(None, None, None, None), stated).run(asyncio.Event())
    assert store.writes == 1
    told = [fact for fact in stated.facts if isinstance(fact, AuditNotKept)]
    assert len(told) == (0 if isinstance(error, Conflict) else 1)
    assert "canary" not in repr(told)


async def test_a_secret_that_somebody_filled_with_something_else_is_named_and_not_told(spool: DurableSpool) -> None:
    stated = Stated()
    await keeping(Secret([b"no record"]), spool, Periods(), stated).run(asyncio.Event())
    assert [fact.reason for fact in stated.facts if isinstance(fact, AuditNotKept)] == ["Malformed"]
    assert spool.standing().waiting == 0


def test_a_letter_shows_nothing_of_what_it_says() -> None:
    assert "canary" not in repr(Letter(Priority.AUDIT, b"canary"))
