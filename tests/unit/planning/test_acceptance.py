"""Which documents are acted upon at all, what stays in force where one is refused, what is left of those that go."""

from __future__ import annotations

import uuid
from dataclasses import replace

import pytest

from agent.model.desired import Document, Entry, Refusal
from agent.planning.acceptance import MOST_BURIED, Judged, accept, in_force, newest, news, remember, settle
from agent.wire.codec import parse_document
from tests.support.builders import AN_ID, a_document, an_entry, document_bytes

OTHER_ID = "5b1c1f5e-2f8e-4f0c-8a8e-0d5f2f1c9b22"


def holding(*documents: Document, **fields: dict[str, int]) -> Judged:
    return Judged({document.entry.id: document for document in documents}, **fields)  # type: ignore[arg-type]


def a_tombstone(instance_id: str = AN_ID, *, revision: int = 3) -> Document:
    return a_document(instance_id, revision=revision, state="deleted")


def judged_as(raw: bytes, entry: Entry, before: Judged) -> Judged:
    return accept([entry], {entry.digest: raw}, before=before, parse=parse_document)


def test_one_bad_document_holds_up_no_other() -> None:
    good, bad = document_bytes(), document_bytes(OTHER_ID, name="NOT A NAME")
    entries = [an_entry(bad, OTHER_ID), an_entry(good)]
    judged = accept(
        entries,
        {entry.digest: raw for entry, raw in zip(entries, (bad, good), strict=True)},
        before=Judged(),
        parse=parse_document,
    )
    assert set(judged.documents) == {AN_ID}
    assert "metadata.name" in judged.refusals[OTHER_ID].message


def test_what_was_in_force_stays_when_its_successor_is_refused() -> None:
    before = holding(a_document(revision=1))
    forged = Entry(AN_ID, 2, "0" * 64, 10)
    judged = judged_as(b"x" * 10, forged, before)
    assert judged.documents == before.documents
    assert judged.refusals[AN_ID].reason == "DigestMismatch"


def test_an_instance_that_is_no_longer_listed_keeps_its_document() -> None:
    before = holding(a_document())
    assert settle(accept([], {}, before=before, parse=parse_document), listed=(), finished=()) == before


def test_an_older_revision_is_refused() -> None:
    raw = document_bytes(team="older")
    before = holding(a_document(revision=5))
    judged = judged_as(raw, an_entry(raw, revision=4), before)
    assert judged.refusals[AN_ID].reason == "RevisionWentBack"
    assert judged.documents == before.documents


def test_a_revision_that_says_the_same_needs_no_bytes() -> None:
    held = a_document(revision=1)
    entry = Entry(AN_ID, 2, held.entry.digest, held.entry.size)
    judged = accept([entry], {}, before=holding(held), parse=_never)
    assert judged.documents[AN_ID].entry.revision == 2


def test_what_did_not_change_is_the_very_same_document_and_no_news() -> None:
    held = a_document()
    again = replace(held.entry)
    assert news([again], before=holding(held)) == ()
    assert in_force(again, holding(held))


@pytest.mark.parametrize(("reason", "expected"), [("Malformed", 0), ("DigestMismatch", 1)])
def test_bytes_that_were_refused_are_not_asked_for_again_but_those_that_came_wrong_are(
    reason: str, expected: int
) -> None:
    entry = an_entry(document_bytes())
    before = Judged(refusals={AN_ID: Refusal(entry, reason, "")})
    assert len(news([entry], before=before)) == expected
    assert len(news([replace(entry, revision=2)], before=before)) == 1


def test_a_refusal_ends_when_the_document_in_force_is_listed_again() -> None:
    held, refused = a_document(revision=2), an_entry(b"nonsense", revision=1)
    before = judged_as(b"nonsense", refused, holding(held))
    assert before.refusals
    assert news([held.entry], before=before) == (held.entry,)
    assert accept([held.entry], {}, before=before, parse=_never).refusals == {}


def test_a_refusal_of_an_instance_that_is_no_longer_listed_is_forgotten() -> None:
    before = Judged(refusals={AN_ID: Refusal(an_entry(b""), "Malformed", "")})
    assert settle(before, listed={AN_ID}, finished=()).refusals
    assert settle(before, listed=(), finished=()).refusals == {}


def test_a_tombstone_that_was_carried_out_leaves_a_floor_behind() -> None:
    judged = settle(holding(a_tombstone()), listed=(), finished={AN_ID})
    assert judged == Judged(floors={AN_ID: 3})


def test_nothing_older_comes_back_after_a_burial() -> None:
    """A control plane that was restored from a backup lists, in a new epoch, what was deleted after the backup."""
    buried = settle(holding(a_tombstone()), listed=(), finished={AN_ID})
    raw = document_bytes()
    older = judged_as(raw, an_entry(raw, revision=2), buried)
    assert older.documents == {}
    assert older.refusals[AN_ID].reason == "RevisionWentBack"
    assert settle(older, listed={AN_ID}, finished=()).floors == {AN_ID: 3}


def test_a_newer_document_after_a_burial_counts_and_is_its_own_floor() -> None:
    buried = settle(holding(a_tombstone()), listed=(), finished={AN_ID})
    raw = document_bytes()
    newer = settle(judged_as(raw, an_entry(raw, revision=4), buried), listed={AN_ID}, finished=())
    assert newer.documents[AN_ID].entry.revision == 4
    assert newer.floors == {}


@pytest.mark.parametrize(
    ("document", "listed", "finished"),
    [
        (a_tombstone(), {AN_ID}, {AN_ID}),
        (a_tombstone(), set(), set()),
        (a_document(), set(), {AN_ID}),
    ],
    ids=["still listed", "not carried out", "no tombstone"],
)
def test_nothing_else_is_ever_buried(document: Document, listed: set[str], finished: set[str]) -> None:
    before = holding(document)
    assert settle(before, listed=listed, finished=finished) == before


def test_once_there_are_too_many_floors_tombstones_stay_in_force() -> None:
    floors = {str(uuid.uuid4()): 1 for _ in range(MOST_BURIED)}
    before = holding(a_tombstone(), floors=floors)
    assert settle(before, listed=(), finished={AN_ID}) == before


def test_a_line_whose_document_was_lost_is_a_floor() -> None:
    lost, held = an_entry(b"lost", OTHER_ID, revision=7), a_document(revision=2)
    judged = remember(holding(held), [lost, held.entry])
    assert judged.floors == {OTHER_ID: 7}


def test_a_line_that_another_agent_accepted_is_a_floor_above_what_is_in_force_here() -> None:
    raw = document_bytes(team="between")
    judged = remember(holding(a_document(revision=2)), [an_entry(b"newer", revision=9)])
    assert judged_as(raw, an_entry(raw, revision=8), judged).refusals[AN_ID].reason == "RevisionWentBack"


def test_of_two_accepted_states_the_newer_document_of_each_instance_counts() -> None:
    older, newer, other = a_document(revision=1), a_document(revision=2), a_document(OTHER_ID)
    for mine, theirs in ((holding(older, other), holding(newer)), (holding(newer), holding(older, other))):
        assert newest(mine, theirs).documents == {AN_ID: newer, OTHER_ID: other}


def test_what_another_agent_buried_is_in_force_no_more() -> None:
    theirs = Judged(floors={AN_ID: 3})
    assert newest(holding(a_document(revision=2)), theirs) == theirs
    same = holding(a_tombstone(revision=3))
    assert newest(same, theirs).documents == same.documents


def _never(entry: Entry, raw: bytes) -> Document:
    raise AssertionError(f"{entry} of {len(raw)} bytes was parsed")
