"""Whose the fields of one object are, and what became of those that were ours, from its managedFields. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from agent.model.objects import MANAGER, SCALE_MANAGER, Manifest
from agent.planning.fields import Fields, Path, members, text
from agent.planning.ownership import entries, fields_of, holder

_OURS = frozenset({MANAGER, SCALE_MANAGER})


@dataclass(frozen=True, slots=True)
class Holding:
    """What one manager holds. ``manager`` has a subresource that was written through behind a slash."""

    manager: str
    operation: str
    at: str
    fields: tuple[Path, ...]
    ours: bool


@dataclass(frozen=True, slots=True)
class Lost:
    """A field that was ours after our last apply and no longer is; ``to`` holds it now, empty: nobody does."""

    path: Path
    to: str

    @property
    def field(self) -> str:
        """As the API server names it in a conflict."""
        return text(self.path)


def holdings(live: Manifest) -> tuple[Holding, ...]:
    """Every manager of the object with its fields: ours first, then the latest."""
    found = [
        Holding(
            manager=holder(entry),
            operation=str(entry.get("operation", "")),
            at=str(entry.get("time", "")),
            fields=tuple(path for path in members(entry.get("fieldsV1") or {}) if path),
            ours=entry.get("manager") in _OURS,
        )
        for entry in entries(live)
    ]
    found.sort(key=lambda one: one.at, reverse=True)
    return tuple(sorted(found, key=lambda one: not one.ours))


def folded(fields: Sequence[Path], most: int) -> tuple[str, ...]:
    """The fields in at most so many lines: where there are more, those below one parent become one."""
    for depth in range(max(map(len, fields), default=0), 0, -1):
        groups = Counter(path[:depth] for path in fields)
        if len(groups) <= most or depth == 1:
            return tuple(
                f"{text(path)} ({count} fields)" if count > 1 else text(path) for path, count in groups.items()
            )
    return ()


def lost(recorded: Fields, live: Manifest) -> tuple[Lost, ...]:
    """What became of the fields that ``recorded`` says were ours."""
    present = set(members(fields_of(live) or {}))
    holders = dict(_held(live))
    return tuple(Lost(path, holders.get(path, "")) for path in members(recorded) if path and path not in present)


def _held(live: Manifest) -> Iterator[tuple[Path, str]]:
    """Each field of others with who holds it; of several, the one that wrote last."""
    others = [entry for entry in entries(live) if entry.get("manager") != MANAGER]
    for entry in sorted(others, key=lambda entry: str(entry.get("time", ""))):
        for path in members(entry.get("fieldsV1") or {}):
            yield path, holder(entry)
