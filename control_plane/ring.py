"""Which keys are in use, oldest first: the one small file that is replaced whole when a rotation begins, moves or ends.

A rotation of a kind names the new key beside the old ones, from the trust bundle on whose version is kept here, until
it is finished. Pure: reading and writing the file is ``state``'s work.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum


class Kind(StrEnum):
    """What can be rotated."""

    AUTHORITY = "authority"
    INDEX = "index"
    ROOT = "root"


@dataclass(frozen=True, slots=True)
class Ring:
    """Names of keys by what they are for. The newest authority issues; ``serving`` issued our listeners' certificate.

    ``begun``: the kinds that are being rotated, and the version of the first bundle that names the new key.
    """

    authority: tuple[str, ...] = ("root",)
    index: tuple[str, ...] = ("index",)
    root: tuple[str, ...] = ("root",)
    serving: str = "root"
    begun: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def from_bytes(cls, raw: bytes) -> Ring:
        """What ``to_bytes`` wrote."""
        data = json.loads(raw)
        names = {kind.value: tuple(data[kind.value]) for kind in Kind}
        return cls(**names, serving=data["serving"], begun=data["begun"])

    def to_bytes(self) -> bytes:
        """The file's content."""
        return json.dumps(asdict(self), indent=1, sort_keys=True).encode("utf-8") + b"\n"

    def names(self, kind: Kind) -> tuple[str, ...]:
        """The keys of a kind, oldest first."""
        return {Kind.AUTHORITY: self.authority, Kind.INDEX: self.index, Kind.ROOT: self.root}[kind]

    @property
    def moved(self) -> bool:
        """Whether our listeners show a certificate of the newest authority."""
        return self.serving == self.authority[-1]

    def begin(self, kind: Kind, *, version: int) -> Ring:
        """With a new key of the kind, which the bundle of that version is the first to name."""
        base, _, number = self.names(kind)[-1].partition("-")
        named = (*self.names(kind), f"{base}-{int(number or 1) + 1}")
        return replace(self._with(kind, named), begun={**self.begun, kind.value: version})

    def move(self) -> Ring:
        """With our listeners' certificate of the newest authority."""
        return replace(self, serving=self.authority[-1])

    def finish(self) -> Ring:
        """With the newest keys of every kind and no other."""
        after = self.move()
        for kind in Kind:
            after = after._with(kind, self.names(kind)[-1:])  # noqa: SLF001 - its own class
        return replace(after, begun={})

    def _with(self, kind: Kind, names: tuple[str, ...]) -> Ring:
        if kind is Kind.AUTHORITY:
            return replace(self, authority=names)
        return replace(self, index=names) if kind is Kind.INDEX else replace(self, root=names)
