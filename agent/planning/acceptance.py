"""Which documents of a verified index may be acted upon: each judged alone, so that a bad one holds up no other. Pure.

Absence is not a delete order: an instance that the index no longer names keeps its last document. Only a tombstone
that was carried out may go, and its revision stays behind as a floor: nothing older ever comes into force again.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from agent.model.desired import Document, Entry, Refusal
from agent.model.errors import Refused
from agent.model.instance import State

MOST_BURIED: Final = 2048
"""So many tombstones that were carried out leave no more behind than a floor; further ones stay in force."""

_OF_THE_WAY: Final = "DigestMismatch"
"""The reason of a refusal that the next try may not meet: other bytes came than those that the index names."""


@dataclass(frozen=True, slots=True)
class Judged:
    """The documents in force by instance id, the refusals of those that should have replaced them, and the floors.

    ``floors``: the revision that was in force last, of instances that have no document any more.
    """

    documents: Mapping[str, Document] = field(default_factory=dict)
    refusals: Mapping[str, Refusal] = field(default_factory=dict)
    floors: Mapping[str, int] = field(default_factory=dict)


Parse = Callable[[Entry, bytes], Document]
"""Checks a document's bytes against its entry and parses them; raises Refused."""

Screen = Callable[[Document, Document | None], None]
"""Raises Refused if the customer's rules keep a document from taking the place of the one that is in force."""

_BY_THE_GUARD: Final = frozenset({"GuardViolation", "GuardInvalid"})
"""The reasons of refusals that other rules of the customer may not meet."""


def news(entries: Iterable[Entry], *, before: Judged) -> tuple[Entry, ...]:
    """The lines that still have to be judged: all but those in force, and those whose very bytes were refused."""
    return tuple(entry for entry in entries if not _settled(entry, before))


def in_force(entry: Entry, judged: Judged) -> bool:
    """Whether the instance has the document of this line in force, under whichever revision."""
    document = judged.documents.get(entry.id)
    return document is not None and document.entry.digest == entry.digest


def reconsidered(before: Judged) -> Judged:
    """The same without the refusals of the guard, so that their lines are judged again by its rules of today."""
    refusals = {key: one for key, one in before.refusals.items() if one.reason not in _BY_THE_GUARD}
    return replace(before, refusals=refusals) if len(refusals) < len(before.refusals) else before


def accept(
    entries: Iterable[Entry],
    fetched: Mapping[str, bytes],
    *,
    before: Judged,
    parse: Parse,
    screen: Screen | None = None,
) -> Judged:
    """Judge these lines; what was in force before stays where the new document is refused or missing.

    Without ``screen`` they were screened when they came into force.
    """
    documents, refusals = dict(before.documents), dict(before.refusals)
    for entry in entries:
        refusals.pop(entry.id, None)
        held = documents.get(entry.id)
        floor = max(_revision(held), before.floors.get(entry.id, 0))
        try:
            _refuse_older(entry, floor)
            document = _judge(entry, fetched.get(entry.digest), held, parse)
            if screen is not None and document is not None and document.entry.digest != _digest(held):
                screen(document, held)
        except Refused as refused:
            refusals[entry.id] = Refusal(entry, refused.reason, refused.explain())
        else:
            if document is not None:
                documents[entry.id] = document
    return replace(before, documents=documents, refusals=refusals)


def remember(judged: Judged, entries: Iterable[Entry]) -> Judged:
    """Let nothing older come into force than these lines, which were accepted before: whoever accepted them, and
    whether or not their documents are still there.
    """
    floors = dict(judged.floors)
    for entry in entries:
        floor = max(entry.revision, floors.get(entry.id, 0))
        if floor > _revision(judged.documents.get(entry.id)):
            floors[entry.id] = floor
    return replace(judged, floors=floors)


def newest(mine: Judged, theirs: Judged) -> Judged:
    """Of two accepted states what is newer of each instance; a document below the other's floor is in force no more."""
    floors = {key: max(floor, mine.floors.get(key, 0)) for key, floor in theirs.floors.items()}
    floors = {**mine.floors, **floors}
    documents: dict[str, Document] = {}
    for instance_id, document in (*mine.documents.items(), *theirs.documents.items()):
        floor = max(floors.get(instance_id, 0), _revision(documents.get(instance_id)))
        if document.entry.revision >= floor:
            documents[instance_id] = document
    return Judged(documents, {**mine.refusals, **theirs.refusals}, floors)


def settle(judged: Judged, *, listed: Collection[str], finished: Collection[str]) -> Judged:
    """Drop what need not be remembered: refusals of what is no longer listed, and tombstones that are neither listed
    nor have anything left to do. ``finished``: the instances whose document in force was carried out.
    """
    documents = dict(judged.documents)
    floors = {key: floor for key, floor in judged.floors.items() if floor > _revision(documents.get(key))}
    for instance_id in sorted(finished):
        document = documents.get(instance_id)
        if document is None or instance_id in listed or document.instance.state is not State.DELETED:
            continue
        if len(floors) < MOST_BURIED:
            floors[instance_id] = documents.pop(instance_id).entry.revision
    refusals = {key: refusal for key, refusal in judged.refusals.items() if key in listed}
    return Judged(documents, refusals, floors)


def _settled(entry: Entry, before: Judged) -> bool:
    document = before.documents.get(entry.id)
    refusal = before.refusals.get(entry.id)
    if refusal is not None:
        return refusal.entry == entry and refusal.reason != _OF_THE_WAY
    return document is not None and document.entry == entry


def _revision(document: Document | None) -> int:
    return document.entry.revision if document is not None else 0


def _digest(document: Document | None) -> str:
    return document.entry.digest if document is not None else ""


def _refuse_older(entry: Entry, floor: int) -> None:
    if entry.revision < floor:
        raise Refused(
            f"is {entry.revision}, older than {floor}, which was accepted before",
            path="revision",
            reason="RevisionWentBack",
            hint="going back is a new revision with the older content",
        )


def _judge(entry: Entry, raw: bytes | None, held: Document | None, parse: Parse) -> Document | None:
    if held is not None and held.entry.digest == entry.digest:
        return replace(held, entry=entry)
    return parse(entry, raw) if raw is not None else None
