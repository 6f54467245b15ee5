"""Audit records and their chain: each one carries the SHA-256 of the exact bytes of the one before it.

Here: how an entry becomes a record of a chain, and how a chain is judged, by the control plane as records come and by
``perigee audit verify`` as they lie in a file. What is missing or was altered in between shows; who can rewrite a whole
chain up to its end can only be caught by somebody who kept a later record. Pure: entries and bytes in, verdicts out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Final, Literal

from pydantic import Field

from agent.model.audit import AuditEntry, AuditEvent
from agent.model.changes import Change
from agent.model.errors import Refused
from agent.wire.frames import Frame, expect_schema, receive
from agent.wire.limits import MAX_AUDIT_RECORD
from agent.wire.refusals import Reason
from agent.wire.reports import ChangeV1, Name, Text
from agent.wire.scalars import Counter53, Digest, Moment, Ordinal, encode_moment
from agent.wire.strict import canonical, digest, parse_object

AUDIT_SCHEMA: Final = "perigee.dev/audit/v1"
NOTHING_BEFORE: Final = "0" * 64
MOST_IN_RECORD: Final = 50
"""So many changes or revisions stand in one record; more become further records."""
_LONGEST_WHY = 300
_LONGEST_MESSAGE = 1000


class RevisionV1(Frame):
    """A document that came into force."""

    id: Name
    revision: Counter53
    digest: Digest


class AuditRecordV1(Frame):
    """One record: ``number`` counts from 1 in its chain, which is one life of an agent.

    ``previous``: the SHA-256 of the record before; of a chain's first, of the last one in the chain before, or zeros.
    """

    schema_id: Literal["perigee.dev/audit/v1"] = Field(default=AUDIT_SCHEMA, alias="schema")
    chain: Name
    number: Ordinal
    previous: Digest
    at: Moment
    event: Name
    subject: Name
    reason: Name = ""
    message: Text = ""
    changes: tuple[ChangeV1, ...] = Field(default=(), max_length=MOST_IN_RECORD)
    revisions: tuple[RevisionV1, ...] = Field(default=(), max_length=MOST_IN_RECORD)
    dropped: Counter53 = 0


@dataclass(frozen=True, slots=True)
class Chain:
    """Where a chain has come to: the number and digest of its last record; number 0: it has none yet."""

    name: str
    number: int = 0
    digest: str = NOTHING_BEFORE


@dataclass(frozen=True, slots=True)
class Read:
    """A record as it was read, and the digest of its bytes."""

    record: AuditRecordV1
    digest: str

    @property
    def end(self) -> Chain:
        """The chain up to and with this record."""
        return Chain(self.record.chain, self.record.number, self.digest)


def sealed(chain: Chain, entry: AuditEntry) -> Iterator[tuple[bytes, Chain]]:
    """The records that an entry becomes, each with the chain after it."""
    for part in _parts(entry):
        data = {
            "schema": AUDIT_SCHEMA,
            "chain": chain.name,
            "number": chain.number + 1,
            "previous": chain.digest,
            "at": encode_moment(part.at),
            "event": part.event.value,
            "subject": _cut(part.subject, _LONGEST_WHY),
            "reason": _cut(part.reason, _LONGEST_WHY),
            "message": _cut(part.message, _LONGEST_MESSAGE),
            "changes": [_change(one) for one in part.changes],
            "revisions": [{"id": one.id, "revision": one.revision, "digest": one.digest} for one in part.revisions],
            "dropped": part.dropped,
        }
        raw = canonical({name: value for name, value in data.items() if value or name in {"number", "previous"}})
        chain = Chain(chain.name, chain.number + 1, digest(raw))
        yield raw, chain


def read_record(raw: bytes, *, what: str) -> Read:
    """The record that these bytes are. Raises Refused."""
    data = parse_object(raw, limit=4 * MAX_AUDIT_RECORD, what=what)
    expect_schema(data, AUDIT_SCHEMA)
    return Read(receive(AuditRecordV1, data, what=what)[0], digest(raw))


def fault(read: Read, before: Chain | None) -> str:
    """What is wrong with the place of a record, after the last one that is known of its chain; empty if nothing is."""
    record = read.record
    if before is None:
        return "" if record.number == 1 else f"records 1 to {record.number - 1} are missing before it"
    if record.number > before.number + 1:
        return f"records {before.number + 1} to {record.number - 1} are missing before it"
    if record.number == before.number:
        return "there is another record with its number"
    if record.previous != before.digest:
        return f"record {before.number} before it is not the one that it was chained to: one of them was altered"
    return ""


@dataclass(frozen=True, slots=True)
class Verified:
    """What a whole file holds: records, chains, how many of these begin in the middle, and how many records are missing
    of which the chain itself says that the agent dropped them.
    """

    records: int
    chains: int
    cut: int
    dropped: int


@dataclass(frozen=True, slots=True)
class _Line:
    """What the judgement needs of one line."""

    line: int
    read: Read

    @property
    def place(self) -> str:
        record = self.read.record
        return f"line {self.line} (chain {record.chain}, record {record.number})"


@dataclass(frozen=True, slots=True)
class _Found:
    """What was found of one chain: what is wrong with which line, and how many records are missing."""

    faults: tuple[tuple[_Line, str], ...]
    missing: int


def verify(lines: Iterable[bytes]) -> Verified:
    """Judge records, one a line, in any order. Raises Refused (BrokenChain) for the first line that is not as it was
    written, or before which records are missing of which no record says that they were dropped.

    A chain may begin in the middle, where whoever kept it keeps only so many: what came before is not judged.
    """
    chains = _by_chain(lines)
    found = {name: _judged(chain) for name, chain in chains.items()}
    faults = [each for one in found.values() for each in one.faults] + list(_unlinked(chains))
    if faults:
        first, why = min(faults, key=lambda each: each[0].line)
        hint = "compare it with another copy: the control plane's, or Secret perigee-audit in the agent's namespace"
        raise Refused(why, path=first.place, reason=Reason.BROKEN_CHAIN, hint=hint)
    return Verified(
        sum(len(chain) for chain in chains.values()),
        len(chains),
        sum(chain[0].read.record.number > 1 for chain in chains.values()),
        sum(one.missing for one in found.values()),
    )


def _by_chain(lines: Iterable[bytes]) -> dict[str, list[_Line]]:
    """The records of each chain by number; the same record twice counts once."""
    chains: dict[str, dict[tuple[int, str], _Line]] = {}
    for number, line in enumerate(lines, start=1):
        if raw := line.strip():
            one = _Line(number, read_record(raw, what=f"line {number}"))
            record = one.read.record
            chains.setdefault(record.chain, {}).setdefault((record.number, one.read.digest), one)
    return {name: [chain[key] for key in sorted(chain)] for name, chain in chains.items()}


def _judged(chain: Sequence[_Line]) -> _Found:
    faults: list[tuple[_Line, str]] = []
    gaps: list[tuple[_Line, str]] = []
    missing = 0
    for before, one in pairwise(chain):
        why = fault(one.read, before.read.end)
        step = one.read.record.number - before.read.record.number - 1
        if step > 0:  # perhaps dropped from a full outbox: then a record says so
            missing += step
            gaps.append((one, why))
        elif why:
            faults.append((one, why))
    return _Found(tuple(faults + (gaps if missing > _declared(chain) else [])), missing)


def _declared(chain: Sequence[_Line]) -> int:
    return sum(one.read.record.dropped for one in chain if one.read.record.event == AuditEvent.GAP.value)


def _unlinked(chains: Mapping[str, Sequence[_Line]]) -> Iterator[tuple[_Line, str]]:
    """First records that continue a chain of which the record that they name is not here."""
    known = {NOTHING_BEFORE, *(one.read.digest for chain in chains.values() for one in chain)}
    begin = min((chain[0].line for chain in chains.values()), default=0)
    for chain in chains.values():
        first = chain[0]
        begins = first.read.record.number == 1 and first.line != begin
        if begins and first.read.record.previous not in known and not _declared(chain):
            yield first, "the last record of the chain before it is missing or was altered"


def _parts(entry: AuditEntry) -> Iterator[AuditEntry]:
    """The entry in portions that fit into a record."""
    changes, revisions = entry.changes, entry.revisions
    while True:
        yield replace(entry, changes=changes[:MOST_IN_RECORD], revisions=revisions[:MOST_IN_RECORD])
        changes, revisions = changes[MOST_IN_RECORD:], revisions[MOST_IN_RECORD:]
        if not changes and not revisions:
            return


def _change(change: Change) -> dict[str, object]:
    ref = change.ref
    named = {"apiVersion": ref.api_version, "kind": ref.kind, "namespace": ref.namespace, "name": ref.name}
    return {"object": named, "action": change.action.value, "why": _cut(change.why, _LONGEST_WHY)}


def _cut(text: str, most: int) -> str:
    whole = text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")
    return whole if len(whole) <= most else f"{whole[: most - 1]}…"
