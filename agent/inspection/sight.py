"""What an inspection sees the world through: which agent it is about, and the ports to look with."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from agent.loops.passes import Policy
from agent.model.errors import AgentError
from agent.ports import Clock, Cluster, Inventories, Journal, Leases, StateStore, Verbs, Verifier


@dataclass(frozen=True, slots=True)
class Target:
    """One agent, by its cluster and its namespace there.

    ``cluster`` None: its settings are not known. Then what its namespace keeps is believed in which cluster this is,
    which root to believe, and which account it binds its rights to.
    """

    kubeconfig: Path | None
    namespace: str
    prune_limit: int
    cluster: str | None = None
    root_fingerprint: str | None = None
    service_account: str | None = None
    namespaces: tuple[str, ...] = ()


class Glance(Cluster, Protocol):
    """The cluster, looked at when it is asked for."""

    async def look(self, *, instance_id: str = "", namespace: str = "") -> None:
        """See what is there now: of one instance in its namespace, or of all. To be called once."""
        ...

    def surveyed(self, instance_id: str) -> bool:
        """Whether the kinds that no watch covers were looked at, for this instance."""
        ...


@dataclass(frozen=True, slots=True)
class Sight:
    """The ports. ``verifier`` is an error where there is nothing to verify with; ``server`` is told to people.

    ``policy`` is the agent's as far as it is known. ``configured``: from its settings; else records have to tell.
    """

    cluster: Glance
    verbs: Verbs
    state: StateStore
    inventories: Inventories
    journal: Journal
    leases: Leases
    clock: Clock
    policy: Policy
    verifier: Verifier | AgentError
    server: str
    configured: bool
