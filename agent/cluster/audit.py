"""The newest audit records that nobody took yet, in one Secret of the agent's namespace: JSON lines, as exported.

It is written only by who leads and has something new to keep. Nobody empties it when its records were taken: that would
be a write that records nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from agent.cluster.secrets import SecretShelf

NAME: Final = "perigee-audit"
_ROLE = "audit"
_KEY = "records"


class ClusterAudit:
    """Implements the port ``AuditStore``."""

    def __init__(self, shelf: SecretShelf) -> None:
        self._shelf = shelf

    async def load(self) -> tuple[bytes, ...]:
        """The records that were kept last, oldest first."""
        stored = await self._shelf.read(NAME)
        return tuple(stored.content.get(_KEY, b"").splitlines()) if stored is not None else ()

    async def keep(self, records: Sequence[bytes]) -> None:
        """Keep these in the place of those before; raises Conflict where somebody wrote meanwhile."""
        content = {_KEY: b"".join(raw + b"\n" for raw in records)}
        stored = await self._shelf.read(NAME)
        if stored is None:
            await self._shelf.create(NAME, content, role=_ROLE)
        else:
            await self._shelf.replace(stored, content, role=_ROLE)
