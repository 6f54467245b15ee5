"""What leaves the outbox, in which order and under which sequence, whatever becomes of it on the way."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from agent.loops.outbox import Outbox
from agent.model.spool import Letter, Priority
from agent.uplink.spool import DurableSpool
from tests.support.letters import AGENT, health, memory_spool, sent


@pytest.fixture
async def spool() -> AsyncIterator[DurableSpool]:
    made = memory_spool()
    yield made
    await made.aclose()


async def box(spool: DurableSpool, names: str, *, batch_limit: int = 3) -> Outbox:
    outbox = Outbox(spool, batch_limit=batch_limit)
    await outbox.put([health(name) for name in names])
    outbox.tell(AGENT)
    return outbox


async def test_letters_leave_in_order_in_batches(spool: DurableSpool) -> None:
    outbox = await box(spool, "abcde")
    assert spool.standing().waiting == 5
    assert await sent(outbox) == [["a1", "b1", "c1"], ["d1", "e1"]]
    assert (spool.standing().waiting, spool.standing().size, spool.standing().lost) == (0, 0, 0)


async def test_the_agent_alone_is_worth_a_batch_and_only_once(spool: DurableSpool) -> None:
    outbox = await box(spool, "")
    assert await sent(outbox) == [[]]
    assert await outbox.next() is None


async def test_an_unacknowledged_batch_stays_as_it_is_whatever_comes_in(spool: DurableSpool) -> None:
    outbox = await box(spool, "a")
    first = await outbox.next()
    await outbox.put([health("a", str(number)) for number in range(2, 30)])
    outbox.tell(replace(AGENT, version="2"))
    assert await outbox.next() is first
    assert first is not None
    await outbox.acknowledge(first)
    following = await outbox.next()
    assert following is not None
    assert following.batch.sequence > first.batch.sequence
    assert following.batch.stream == first.batch.stream
    assert following.agent.version == "2"


async def test_letters_go_again_under_another_sequence_where_what_rode_with_them_was_to_blame(
    spool: DurableSpool,
) -> None:
    outbox = await box(spool, "a")
    first = await outbox.next()
    assert first is not None
    await outbox.again(first)
    following = await outbox.next()
    assert following is not None
    assert (following.batch.letters, following.agent) == (first.batch.letters, first.agent)
    assert following.batch.sequence > first.batch.sequence


async def test_a_batch_that_will_never_be_taken_is_halved_down_to_the_one_that_is_to_blame(
    spool: DurableSpool,
) -> None:
    outbox = await box(spool, "abcd", batch_limit=4)
    taken = await sent(outbox, taken=lambda letters: all(letter.subject != "c" for letter in letters))
    assert [name for batch in taken for name in batch] == ["a1", "b1", "d1"]
    assert spool.standing().dropped["health"] == 1


async def test_what_was_dropped_alone_is_named_so_that_it_can_be_told_again(spool: DurableSpool) -> None:
    outbox = await box(spool, "a")
    await outbox.put([Letter(Priority.AUDIT, b"record")])
    parcel = await outbox.next()
    assert parcel is not None
    assert await outbox.reject(parcel) == ()
    parcel = await outbox.next()
    assert parcel is not None
    assert await outbox.reject(parcel) == ("a",)
    assert spool.standing().waiting == 1


async def test_a_new_term_goes_on_with_the_batch_of_the_one_before_and_tells_its_own_news_too(
    spool: DurableSpool,
) -> None:
    before = await (await box(spool, "ab")).next()
    after = await box(spool, "c")
    again = await after.next()
    assert before is not None
    assert again is not None
    assert again.batch.again
    assert (again.batch.sequence, again.batch.letters) == (before.batch.sequence, before.batch.letters)
    assert await sent(after) == [["a1", "b1"], ["c1"]]


async def test_the_news_of_the_agent_goes_again_behind_a_batch_that_may_have_arrived(spool: DurableSpool) -> None:
    await (await box(spool, "a")).next()
    assert await sent(await box(spool, "")) == [["a1"], []]
