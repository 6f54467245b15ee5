"""Bearer secrets: how they are made, written and checked. Only their hashes are ever kept. Pure but for chance.

A secret reads ``<kind>_<id>_<secret>``: the kind lets secret scanners find a leaked one, the id names the row that it
belongs to, and the secret is 256 bits from the system's source of randomness. With that much chance in it a plain
SHA-256 is a sufficient hash: there is nothing to guess, so there is nothing to slow down.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass, field
from enum import StrEnum

_WRITTEN = re.compile(r"^(?P<kind>[a-z]{8})_(?P<id>[0-9a-f]{12})_(?P<secret>[A-Za-z0-9_-]{43})$")
_NOBODY = hashlib.sha256(b"nobody").hexdigest()


class Kind(StrEnum):
    """What a secret is good for; one kind is never taken for another."""

    ENROL = "pgenroll"
    ADMIN = "pgaccess"


@dataclass(frozen=True, slots=True)
class Bearer:
    """A secret in the clear: shown once to whom it is made for. It never shows up in a representation."""

    kind: Kind
    id: str
    secret: str = field(repr=False)

    @classmethod
    def new(cls, kind: Kind) -> Bearer:
        """A fresh one."""
        return cls(kind, secrets.token_hex(6), secrets.token_urlsafe(32))

    @classmethod
    def parse(cls, kind: Kind, text: str) -> Bearer | None:
        """Read one; None if it is not a secret of that kind at all."""
        match = _WRITTEN.match(text)
        if match is None or match["kind"] != kind:
            return None
        return cls(kind, match["id"], match["secret"])

    def reveal(self) -> str:
        """The whole secret, as its owner keeps it."""
        return f"{self.kind}_{self.id}_{self.secret}"

    @property
    def hash(self) -> str:
        """The hex SHA-256 that is kept."""
        return hashlib.sha256(self.secret.encode()).hexdigest()

    def matches(self, kept: str | None) -> bool:
        """Whether this is the secret of that hash, in constant time; None (no such row) costs the same and is False."""
        return hmac.compare_digest(self.hash, kept or _NOBODY) and kept is not None
