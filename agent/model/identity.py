"""How long an identity holds, as far as deciding about its renewal needs to know."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Life:
    """When a certificate begins and ends; ``superseded``: another authority issues by now than the one that issued
    it.
    """

    not_before: datetime
    not_after: datetime
    superseded: bool = False
