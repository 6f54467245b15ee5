"""Ports of who we are and whom we believe: what is known of it now, and where it is kept."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from agent.model.identity import Life


class Credentials(Protocol):
    """Who we are and whom we believe. What is new is got first, then kept by a ``Vault``, and used only after that."""

    @property
    def life(self) -> Life:
        """When our certificate begins and ends, and whether its authority still issues."""
        ...

    @property
    def trust(self) -> int:
        """The version of our trust bundle."""
        ...

    async def next_trust(self) -> Mapping[str, bytes] | None:
        """What to keep for the next step of trust; None: we know the newest bundle. Raises Refused or Retryable."""
        ...

    def believe(self, content: Mapping[str, bytes]) -> None:
        """Go by this trust from now on."""
        ...

    async def next_identity(self) -> Mapping[str, bytes]:
        """What to keep as our next identity. Raises NotAuthorised, Refused or Retryable."""
        ...

    def become(self, content: Mapping[str, bytes]) -> None:
        """Be this from now on; calls in flight finish as they began."""
        ...


class Vault(Protocol):
    """Where identity and trust are kept; each replacement raises Conflict if another one stands there by now."""

    async def identity(self) -> Mapping[str, bytes]:
        """The identity that is kept; raises Conflict if it was deleted."""
        ...

    async def trust(self) -> Mapping[str, bytes]:
        """The trust that is kept; raises Conflict if it was deleted."""
        ...

    async def keep_identity(self, content: Mapping[str, bytes]) -> None:
        """Keep it in place of the one before."""
        ...

    async def keep_trust(self, content: Mapping[str, bytes]) -> None:
        """Keep it in place of the one before."""
        ...
