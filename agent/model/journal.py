"""The journal of what was done to an instance that applying again cannot undo."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from agent.model.changes import Change


@dataclass(frozen=True, slots=True)
class Deed:
    """One deletion or scaling, written down before it was done. ``uid`` is the incarnation that it was meant for.

    ``number`` counts the instance's deeds without a gap, ``term`` and ``author`` say under whose lead it was written;
    all three are given by the journal.
    """

    change: Change
    uid: str
    at: datetime
    number: int = 0
    term: int = 0
    author: str = ""
