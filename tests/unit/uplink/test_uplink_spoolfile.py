"""The outbox as a file: what is kept over a crash, in which order it leaves, and what goes when there is no room."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from agent.model.spool import Batch, Letter, Priority
from agent.uplink.spoolfile import BATCH_BYTES, SpoolFile
from tests.support.letters import health


def bodies(batch: Batch) -> list[str]:
    return [letter.body.decode().strip() for letter in batch.letters]


def drained(file: SpoolFile, most: int = 100) -> list[str]:
    seen: list[str] = []
    while (batch := file.next(most)).letters:
        seen += bodies(batch)
        file.acknowledge(batch)
    return seen


def killed(file: SpoolFile) -> None:
    """As a crash would leave it: what was committed is there, nothing more is done."""
    file.close()


def test_after_a_restart_the_same_stream_goes_on_with_the_same_batch_and_higher_sequences(tmp_path: Path) -> None:
    first = SpoolFile(tmp_path, bound=10**6)
    first.put([health("a"), health("b"), health("c")], {})
    sent = first.next(2)
    first.acknowledge(sent)
    on_its_way = first.next(1)
    killed(first)
    second = SpoolFile(tmp_path, bound=10**6)
    again = second.next(100)
    assert (again.stream, again.sequence, again.letters) == (first.stream, on_its_way.sequence, on_its_way.letters)
    assert again.again
    second.acknowledge(again)
    second.put([health("d")], {})
    following = second.next(100)
    assert following.sequence > again.sequence
    assert bodies(following) == ["d1"]
    second.close()


def test_no_sequence_is_used_twice_although_heartbeats_write_nothing(tmp_path: Path) -> None:
    used: list[int] = []
    for _ in range(3):
        file = SpoolFile(tmp_path, bound=10**6)
        used += [file.next(10).sequence for _ in range(2)]
        before = file._sql.total_changes
        used.append(file.next(10).sequence)
        assert file._sql.total_changes == before
        file.put([health("a")], {})
        batch = file.next(10)
        used.append(batch.sequence)
        file.acknowledge(batch)
        file.close()
    assert used == sorted(set(used))


def test_notes_and_letters_are_kept_both(tmp_path: Path) -> None:
    file = SpoolFile(tmp_path, bound=10**6)
    file.put([health("a")], {"head": "x"})
    file.put([], {"head": "y"})
    killed(file)
    again = SpoolFile(tmp_path, bound=10**6)
    assert (again.note("head"), again.note("other"), drained(again)) == ("y", "", ["a1"])
    again.close()


def full(letters: Sequence[Letter], *, rows: int) -> SpoolFile:
    """An outbox with room for so many letters of 1000 bytes, after these came."""
    file = SpoolFile(None, bound=rows * 1200)
    for letter in letters:
        file.put([letter], {})
    return file


def large(priority: Priority, name: str, subject: str = "") -> Letter:
    return Letter(priority, name.ljust(1000).encode(), subject)


def test_when_full_the_lowest_class_goes_first_and_its_oldest_before_its_newer() -> None:
    came = [
        large(Priority.AUDIT, "audit"),
        large(Priority.HEALTH, "health"),
        large(Priority.LOGS, "log-1"),
        large(Priority.LOGS, "log-2"),
        large(Priority.EVENTS, "event"),
        large(Priority.USAGE, "usage"),
    ]
    file = full(came, rows=4)
    assert file.standing().dropped == {"logs": 2, "usage": 0, "events": 0, "health": 0, "audit": 0}
    file.put([large(Priority.HEALTH, "health-2"), large(Priority.AUDIT, "audit-2")], {})
    assert file.standing().dropped == {"logs": 2, "usage": 1, "events": 1, "health": 0, "audit": 0}
    assert drained(file) == ["audit", "health", "health-2", "audit-2"]


def test_an_older_status_gives_way_to_the_newest_of_its_instance_and_audit_goes_last_of_all() -> None:
    came = [large(Priority.HEALTH, f"{name}{number}", name) for number in (1, 2) for name in "ab"]
    file = full([large(Priority.AUDIT, "first"), *came], rows=3)
    assert file.standing().dropped["health"] == 2
    file.put([large(Priority.HEALTH, "c1", "c")], {})
    assert file.standing().dropped["health"] == 3
    for number in range(4):
        file.put([large(Priority.AUDIT, f"record-{number}")], {})
    assert file.standing().dropped["health"] == 5
    assert file.standing().dropped["audit"] == 2
    assert drained(file) == ["record-1", "record-2", "record-3"]


def test_what_is_on_its_way_is_not_dropped() -> None:
    file = full([health("a", size=1000)], rows=2)
    sent = file.next(10)
    for number in range(5):
        file.put([health("a", str(number), size=1000)], {})
    assert file.next(10).letters == sent.letters
    file.acknowledge(sent)
    assert drained(file) == ["a4"]


def test_what_was_counted_as_lost_is_still_counted_after_a_restart(tmp_path: Path) -> None:
    file = SpoolFile(tmp_path, bound=3000)
    file.put([health(name, size=1000) for name in "abcd"], {})
    lost = file.standing().lost
    assert lost > 0
    killed(file)
    again = SpoolFile(tmp_path, bound=3000)
    assert again.standing().lost == lost
    again.close()


def test_a_large_backlog_leaves_in_portions_that_fit_into_a_report(tmp_path: Path) -> None:
    file = SpoolFile(tmp_path, bound=10**9)
    file.put([health(str(number), size=60_000) for number in range(40)], {})
    batch = file.next(1000)
    assert sum(len(letter.body) for letter in batch.letters) <= BATCH_BYTES
    assert batch.rest == 40 - len(batch.letters)
    file.release(batch)
    file.put([Letter(Priority.AUDIT, b"x" * (BATCH_BYTES + 1))], {})
    assert len(drained(file)) == 41
    file.close()


def test_the_newest_of_a_class_come_oldest_first_within_both_bounds() -> None:
    file = SpoolFile(None, bound=10**6)
    file.put([Letter(Priority.AUDIT, f"{number:04}".encode()) for number in range(10)], {})
    file.put([health("a")], {})
    assert [letter.body for letter in file.newest(Priority.AUDIT, 3, 1000)] == [b"0007", b"0008", b"0009"]
    assert [letter.body for letter in file.newest(Priority.AUDIT, 100, 11)] == [b"0008", b"0009"]


@given(
    st.lists(st.lists(st.tuples(st.sampled_from("abcdef"), st.integers(1, 9)), max_size=8), max_size=12),
    st.integers(1, 12),
    st.integers(1, 5),
)
def test_whatever_comes_nothing_exceeds_the_bound_and_nothing_vanishes_uncounted(
    puts: list[list[tuple[str, int]]], rows: int, most: int
) -> None:
    file = SpoolFile(None, bound=rows * 130)
    came = left = 0
    sequences = []
    for number, put in enumerate(puts):
        file.put([health(name, str(revision)) for name, revision in put], {})
        came += len(put)
        batch = file.next(most)
        assert file.standing().waiting <= rows + most
        if number % 3 == 0:
            sequences.append(batch.sequence)
            left += len(batch.letters)
            file.acknowledge(batch)
    while (batch := file.next(most)).letters:
        sequences.append(batch.sequence)
        left += len(batch.letters)
        file.acknowledge(batch)
    assert came == left + file.standing().lost
    assert sequences == sorted(set(sequences))
    assert (file.standing().waiting, file.standing().size) == (0, 0)
    file.close()
