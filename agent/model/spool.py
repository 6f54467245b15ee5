"""What waits to be told to the control plane: letters in classes, the batches that they leave in, and what was lost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum, IntEnum, auto


class Priority(IntEnum):
    """The class of a letter. Where there is no room the lowest class gives way first, its oldest before its newer."""

    LOGS = 10
    USAGE = 20
    EVENTS = 30
    HEALTH = 40
    AUDIT = 50

    @property
    def word(self) -> str:
        """How it is called in reports and metrics."""
        return self.name.lower()


class Outcome(Enum):
    """What became of a batch: taken; not now, so that its letters wait again; or never to be taken."""

    TAKEN = auto()
    AGAIN = auto()
    NEVER = auto()


@dataclass(frozen=True, slots=True)
class Letter:
    """One thing to tell, as bytes. ``subject``: of the letters of one class about the same one, the newest counts more
    than the others; empty where each counts for itself.
    """

    priority: Priority
    body: bytes = field(repr=False)
    subject: str = ""


@dataclass(frozen=True, slots=True)
class Batch:
    """What goes into one request. ``sequence`` is unique within the stream and only grows.

    ``again``: it was on its way before, perhaps in an earlier life; ``rest``: the letters that wait behind it.
    """

    stream: str
    sequence: int
    letters: tuple[Letter, ...]
    again: bool = False
    rest: int = 0


@dataclass(frozen=True, slots=True)
class SpoolStanding:
    """How much waits, and how many letters were lost, by the word of their class; 0 where none were."""

    waiting: int = 0
    size: int = 0
    dropped: Mapping[str, int] = field(default_factory=dict)

    @property
    def lost(self) -> int:
        """Letters lost, of all classes."""
        return sum(self.dropped.values())


@dataclass(frozen=True, slots=True)
class SpoolTrouble:
    """Why what waits is not on disk, or what else a person should know about the disk. ``reason`` is CamelCase."""

    reason: str
    message: str
