"""Which documents of a verified index may be acted upon: each judged alone, so that a bad one holds up no other. Pure.

Absence is not a delete order: an instance that the index no longer names keeps its last document.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

from agent.model.desired import Document, Entry, Refusal
from agent.model.errors import Refused


@dataclass(frozen=True, slots=True)
class Judged:
    """The documents in force by instance id, and the refusals of those that should have replaced them."""

    documents: Mapping[str, Document]
    refusals: Mapping[str, Refusal]


Parse = Callable[[Entry, bytes], Document]
"""Checks a document's bytes against its entry and parses them; raises Refused."""


def accept(
    entries: Iterable[Entry], fetched: Mapping[str, bytes], *, before: Mapping[str, Document], parse: Parse
) -> Judged:
    """Judge every listed document; what was in force before stays where the new one is refused or missing."""
    documents = dict(before)
    refusals: dict[str, Refusal] = {}
    for entry in entries:
        try:
            document = _judge(entry, fetched.get(entry.digest), before.get(entry.id), parse)
        except Refused as refused:
            refusals[entry.id] = Refusal(entry, refused.reason, refused.explain())
        else:
            if document is not None:
                documents[entry.id] = document
    return Judged(documents, refusals)


def _judge(entry: Entry, raw: bytes | None, held: Document | None, parse: Parse) -> Document | None:
    if held is not None and entry.revision < held.entry.revision:
        raise Refused(
            f"is {entry.revision}, older than {held.entry.revision}, which is in force",
            path="revision",
            reason="RevisionWentBack",
            hint="going back is a new revision with the older content",
        )
    if held is not None and held.entry.digest == entry.digest:
        return replace(held, entry=entry)
    return parse(entry, raw) if raw is not None else None
