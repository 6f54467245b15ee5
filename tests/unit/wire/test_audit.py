"""The chain of audit records: what was changed, taken out or put in shows, and what was dropped is told apart."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from agent.model.audit import AuditEntry, AuditEvent
from agent.model.changes import Action, Change
from agent.model.desired import Entry
from agent.model.errors import Refused
from agent.model.objects import ObjectRef
from agent.wire.audit import Chain, fault, read_record, sealed, verify
from agent.wire.limits import MAX_AUDIT_RECORD, MAX_REPORT_BYTES
from agent.wire.refusals import Reason
from tests.support.clock import BEGIN

REFUSED = AuditEntry(BEGIN, AuditEvent.REFUSED, "index", "BadSignature", "no key of ours signed it")


def chained(entries: list[AuditEntry], begin: Chain | None = None) -> tuple[list[bytes], Chain]:
    records, chain = [], begin or Chain("life-1")
    for entry in entries:
        for raw, after in sealed(chain, entry):
            records.append(raw)
            chain = after
    return records, chain


def ten() -> list[bytes]:
    return chained([REFUSED] * 10)[0]


def test_a_chain_as_it_was_written_is_good_in_any_order() -> None:
    records = ten()
    assert verify(records).records == 10
    assert verify([*reversed(records), b"\n", records[3]]).records == 10


def altered(records: list[bytes], line: int, **fields: object) -> list[bytes]:
    changed = json.dumps({**json.loads(records[line]), **fields}, sort_keys=True, separators=(",", ":")).encode()
    return [*records[:line], changed, *records[line + 1 :]]


@pytest.mark.parametrize(
    ("forge", "line"),
    [
        (lambda records: altered(records, 4, message="it was well signed"), "line 6"),
        (lambda records: [*records[:4], *records[5:]], "line 5"),
        (lambda records: [*records, altered(records, 4, message="another one")[4]], "line"),
        (lambda records: altered(records, 4, previous="0" * 64), "line 5"),
        (lambda records: altered(records, 7, event="gap", dropped=5), "line 9"),
    ],
    ids=["altered", "taken out", "put in", "chained to nothing", "declared falsely"],
)
def test_what_is_not_as_it_was_written_is_named_by_its_line(
    forge: Callable[[list[bytes]], list[bytes]], line: str
) -> None:
    with pytest.raises(Refused) as caught:
        verify(forge(ten()))
    assert caught.value.reason == Reason.BROKEN_CHAIN
    assert caught.value.path.startswith(line)
    assert "chain life-1" in caught.value.path


@pytest.mark.parametrize("line", range(9))
def test_any_altered_record_but_the_last_is_found(line: int) -> None:
    with pytest.raises(Refused, match="altered"):
        verify(altered(ten(), line, subject="somebody-else"))


def test_what_is_no_record_is_refused_with_its_line() -> None:
    with pytest.raises(Refused, match="line 3"):
        verify([*ten()[:2], b"no record"])


def test_records_that_were_dropped_are_missing_with_a_word_and_no_others() -> None:
    records, chain = chained([REFUSED] * 6)
    gap, _ = chained([AuditEntry(BEGIN, AuditEvent.GAP, "agent", dropped=2)], chain)
    assert verify([*records[:2], *records[4:], *gap]).dropped == 2
    with pytest.raises(Refused, match="missing"):
        verify([*records[:1], *records[4:], *gap])


def test_a_life_goes_on_from_the_last_record_of_the_one_before() -> None:
    first, end = chained([REFUSED] * 3)
    second, _ = chained([REFUSED] * 3, Chain("life-2", 0, end.digest))
    verified = verify([*first, *second])
    assert (verified.chains, verified.cut) == (2, 0)
    with pytest.raises(Refused, match="chain before it"):
        verify([*first[:2], *second])


def test_a_file_may_begin_in_the_middle() -> None:
    assert verify(ten()[4:]).cut == 1


def test_every_change_of_a_pass_is_in_records_that_fit() -> None:
    change = Change(ObjectRef("apps/v1", "Deployment", "n" * 63, "m" * 253), Action.UPDATE, "ü" * 5000)
    entry = AuditEntry(BEGIN, AuditEvent.CHANGED, "one", changes=(change,) * 120)
    records, _ = chained([entry])
    assert [len(read_record(raw, what="r").record.changes) for raw in records] == [50, 50, 20]
    assert all(len(raw) <= MAX_AUDIT_RECORD < MAX_REPORT_BYTES for raw in records)
    assert verify(records).records == 3


def test_every_revision_is_named() -> None:
    revisions = tuple(Entry(str(number), number, "ab" * 32, 10) for number in range(1, 61))
    records, _ = chained([AuditEntry(BEGIN, AuditEvent.ACCEPTED, "index", revisions=revisions)])
    found = [one.id for raw in records for one in read_record(raw, what="r").record.revisions]
    assert found == [one.id for one in revisions]


def test_the_place_of_a_record_is_judged_by_the_one_before_it() -> None:
    first, second, third = (read_record(raw, what="r") for raw in ten()[:3])
    assert fault(first, None) == ""
    assert fault(second, first.end) == ""
    assert "missing" in fault(third, first.end)
    assert "missing" in fault(second, None)
    assert "altered" in fault(second, Chain("life-1", 1, "0" * 64))
