"""What the loops see of the world: clock, control plane, cluster, telemetry. Edges implement these; tests may too.

Here: the names, for whoever needs some; each module beside this has those of one concern. Not here: what is told to the
control plane (``agent.outgoing``).
"""

from __future__ import annotations

from agent.ports.cluster import Cluster, GuardRules, Verbs
from agent.ports.control_plane import ControlPlane, IndexAnswer, Verifier
from agent.ports.identity import Credentials, Vault
from agent.ports.journals import Journal, OrderJournal
from agent.ports.lease import Fence, Leases
from agent.ports.running import Clock, Loop, Telemetry
from agent.ports.secrets import HeldKeys, KeyDemand, KeyPlace, Keys, SecretValues
from agent.ports.state import Inventories, KeptState, StateStore

__all__ = [
    "Clock",
    "Cluster",
    "ControlPlane",
    "Credentials",
    "Fence",
    "GuardRules",
    "HeldKeys",
    "IndexAnswer",
    "Inventories",
    "Journal",
    "KeptState",
    "KeyDemand",
    "KeyPlace",
    "Keys",
    "Leases",
    "Loop",
    "OrderJournal",
    "SecretValues",
    "StateStore",
    "Telemetry",
    "Vault",
    "Verbs",
    "Verifier",
]
