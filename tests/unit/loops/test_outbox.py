from __future__ import annotations

from collections.abc import Iterable

from hypothesis import given
from hypothesis import strategies as st

from agent.loops.outbox import Outbox
from agent.model.desired import Standing
from agent.model.status import AgentStatus, InstanceStatus
from tests.support.clock import BEGIN

AGENT = AgentStatus("1", "north", Standing(1, 1), (), {}, BEGIN)


def status(name: str, revision: int = 1) -> InstanceStatus:
    return InstanceStatus(name, name, "ns", revision, "running", (), (), (), BEGIN)


def box(limit: int = 100, batch_limit: int = 3, instances: Iterable[InstanceStatus] = ()) -> Outbox:
    outbox = Outbox(stream="life", limit=limit, batch_limit=batch_limit)
    outbox.put(agent=AGENT, instances=instances)
    return outbox


def drained(outbox: Outbox) -> list[tuple[int, list[str]]]:
    seen = []
    while (batch := outbox.next()) is not None:
        seen.append((batch.sequence, [f"{one.id}{one.revision}" for one in batch.instances]))
        outbox.acknowledge(batch.sequence)
    return seen


def test_statuses_leave_in_order_in_batches_with_growing_sequences() -> None:
    outbox = box(instances=[status(name) for name in "abcde"])
    assert outbox.waiting == 5
    assert drained(outbox) == [(1, ["a1", "b1", "c1"]), (2, ["d1", "e1"])]
    assert outbox.waiting == 0
    assert outbox.dropped == 0


def test_the_agent_alone_is_worth_a_batch_and_only_once() -> None:
    outbox = box()
    assert drained(outbox) == [(1, [])]
    assert outbox.next() is None


def test_an_unacknowledged_batch_stays_as_it_is_whatever_comes_in() -> None:
    outbox = box(limit=10, instances=[status("a")])
    first = outbox.next()
    outbox.put(agent=AGENT, instances=[status("a", revision) for revision in range(2, 30)])
    assert outbox.next() is first
    outbox.acknowledge(99)
    assert outbox.next() is first
    assert first is not None
    outbox.acknowledge(first.sequence)
    following = outbox.next()
    assert following is not None
    assert following.sequence == 2


def test_when_full_the_newest_of_each_instance_wins_and_the_rest_is_counted() -> None:
    outbox = box(limit=4, batch_limit=10, instances=[status(name, n) for n in (1, 2, 3) for name in "ab"])
    assert outbox.waiting == 4
    assert outbox.dropped == 2
    outbox.put(agent=AGENT, instances=[status("c"), status("d")])
    assert drained(outbox) == [(1, ["a3", "b3", "c1", "d1"])]
    assert outbox.dropped == 4


def test_more_instances_than_room_lose_the_oldest() -> None:
    outbox = box(limit=2, instances=[status(name) for name in "abc"])
    assert drained(outbox) == [(1, ["b1", "c1"])]
    assert outbox.dropped == 1


def test_a_batch_that_will_never_be_taken_is_halved_down_to_the_one_that_is_to_blame() -> None:
    outbox = box(batch_limit=4, instances=[status(name) for name in "abcd"])
    taken, sizes = [], []
    while (batch := outbox.next()) is not None:
        sizes.append(len(batch.instances))
        if any(one.id == "c" for one in batch.instances):
            outbox.reject(batch.sequence)
        else:
            taken += [one.id for one in batch.instances]
            outbox.acknowledge(batch.sequence)
    assert taken == ["a", "b", "d"]
    assert outbox.dropped == 1
    assert sizes == [4, 2, 2, 1, 1]


def test_rejecting_what_is_not_on_its_way_changes_nothing() -> None:
    outbox = box(instances=[status("a")])
    batch = outbox.next()
    outbox.reject(7)
    assert outbox.next() is batch
    assert outbox.dropped == 0


@given(
    st.lists(st.lists(st.tuples(st.sampled_from("abcdef"), st.integers(1, 9)), max_size=8), max_size=12),
    st.integers(1, 12),
    st.integers(1, 5),
)
def test_whatever_comes_nothing_exceeds_the_bound_and_nothing_vanishes_uncounted(
    puts: list[list[tuple[str, int]]], limit: int, batch_limit: int
) -> None:
    outbox = Outbox(stream="life", limit=limit, batch_limit=batch_limit)
    came = left = 0
    sequences = []
    for number, put in enumerate(puts):
        outbox.put(agent=AGENT, instances=[status(name, revision) for name, revision in put])
        came += len(put)
        assert outbox.waiting <= max(limit, batch_limit)
        batch = outbox.next()
        assert batch is not None
        assert len(batch.instances) <= batch_limit
        if number % 3 == 0:
            sequences.append(batch.sequence)
            left += len(batch.instances)
            outbox.acknowledge(batch.sequence)
    for sequence, names in drained(outbox):
        sequences.append(sequence)
        left += len(names)
    assert came == left + outbox.dropped
    assert sequences == sorted(set(sequences))
