"""Who the agent is and whom it trusts, kept in two Secrets; each replacement holds only for what was read before."""

from __future__ import annotations

from collections.abc import Mapping

from agent.cluster.secrets import SecretShelf, Stored
from agent.model.errors import Conflict

IDENTITY = "perigee-identity"
TRUST = "perigee-trust"
_ROLES = {IDENTITY: "identity", TRUST: "trust"}


class ClusterVault:
    """Implements ``ports.Vault`` over Secrets of the agent's namespace."""

    def __init__(self, shelf: SecretShelf) -> None:
        self._shelf = shelf
        self._stored: dict[str, Stored | None] = {}

    async def load(self) -> tuple[Mapping[str, bytes] | None, Mapping[str, bytes] | None]:
        """Identity and trust as they are kept; None: not at all."""
        return await self._read(IDENTITY), await self._read(TRUST)

    async def identity(self) -> Mapping[str, bytes]:
        """The identity that is kept; raises Conflict if it was deleted."""
        return await self._needed(IDENTITY)

    async def trust(self) -> Mapping[str, bytes]:
        """The trust that is kept; raises Conflict if it was deleted."""
        return await self._needed(TRUST)

    async def keep_identity(self, content: Mapping[str, bytes]) -> None:
        """Keep it in place of the one that was read or kept last; raises Conflict if another one stands there."""
        await self._keep(IDENTITY, content)

    async def keep_trust(self, content: Mapping[str, bytes]) -> None:
        """The same for the trust."""
        await self._keep(TRUST, content)

    async def _keep(self, name: str, content: Mapping[str, bytes]) -> None:
        stored, role = self._stored.get(name), _ROLES[name]
        if stored is None:
            self._stored[name] = await self._shelf.create(name, content, role=role)
        else:
            self._stored[name] = await self._shelf.replace(stored, content, role=role)

    async def _read(self, name: str) -> Mapping[str, bytes] | None:
        self._stored[name] = stored = await self._shelf.read(name)
        return stored.content if stored is not None else None

    async def _needed(self, name: str) -> Mapping[str, bytes]:
        content = await self._read(name)
        if content is None:
            raise Conflict(
                f"Secret {self._shelf.namespace}/{name} was deleted while the agent runs",
                hint="restart the agent: it then begins with what is there, or enrols again",
            )
        return content
