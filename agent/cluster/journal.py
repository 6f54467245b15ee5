"""The journal: one Secret per instance with its deeds, each appended under a resourceVersion precondition.

Two agents that both believe to lead cannot both append after the same entry: the history never forks.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from agent.cluster.secrets import SecretShelf, Stored
from agent.model.changes import Action, Change
from agent.model.journal import Deed
from agent.model.lease import Term
from agent.model.objects import ObjectRef

_ROLE = "journal"
_KEPT = 200
"""Older deeds are forgotten: the journal explains what happened lately, it is no archive."""


class ClusterJournal:
    """Implements ``ports.Journal`` over Secrets of the agent's namespace."""

    def __init__(self, shelf: SecretShelf, term: Term) -> None:
        self._shelf = shelf
        self._term = term

    async def append(self, instance_id: str, deeds: Sequence[Deed]) -> None:
        """Add deeds to the end; raises Conflict where somebody else added some meanwhile."""
        stored = await self._shelf.read(_name(instance_id))
        held = _parsed(stored)
        last = held[-1].number if held else 0
        fresh = (
            replace(deed, number=number, term=self._term.number, author=self._term.holder)
            for number, deed in enumerate(deeds, start=last + 1)
        )
        content = {"journal": json.dumps([_line(deed) for deed in (*held, *fresh)][-_KEPT:]).encode()}
        if stored is None:
            await self._shelf.create(_name(instance_id), content, role=_ROLE)
        else:
            await self._shelf.replace(stored, content, role=_ROLE)

    async def read(self, instance_id: str) -> tuple[Deed, ...]:
        """The history that is kept, oldest first."""
        return _parsed(await self._shelf.read(_name(instance_id)))

    async def forget(self, instance_id: str) -> None:
        """Delete it, if there is one."""
        if await self._shelf.read(_name(instance_id)) is not None:
            await self._shelf.delete(_name(instance_id))


def _name(instance_id: str) -> str:
    return f"perigee-journal-{instance_id}"


def _line(deed: Deed) -> dict[str, Any]:
    ref, change = deed.change.ref, deed.change
    return {
        "number": deed.number,
        "term": deed.term,
        "author": deed.author,
        "at": deed.at.isoformat(),
        "action": change.action.value,
        "object": [ref.api_version, ref.kind, ref.namespace, ref.name],
        "uid": deed.uid,
        "why": change.why,
    }


def _parsed(stored: Stored | None) -> tuple[Deed, ...]:
    """What can be understood; a journal that somebody damaged begins anew, since nothing is decided by it."""
    if stored is None:
        return ()
    try:
        return tuple(_deed(line) for line in json.loads(stored.content["journal"]))
    except (ValueError, LookupError, TypeError):
        return ()


def _deed(line: dict[str, Any]) -> Deed:
    change = Change(ObjectRef(*line["object"]), Action(line["action"]), line["why"])
    at = datetime.fromisoformat(line["at"])
    return Deed(change, line["uid"], at, line["number"], line["term"], line["author"])
