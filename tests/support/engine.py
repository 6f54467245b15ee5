"""The reconcile loop over a real cluster edge, connected as the wiring connects it, with a rhythm for tests."""

from __future__ import annotations

from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from agent.cluster.client import KubeClient
from agent.cluster.inventory import ClusterInventories
from agent.cluster.journal import ClusterJournal
from agent.cluster.keys import GeneratedKeys
from agent.cluster.kubernetes import KubernetesCluster
from agent.cluster.places import Places
from agent.cluster.secrets import SecretShelf
from agent.cluster.values import Opening, ResolvedSecrets
from agent.cluster.verbs import ClusterVerbs
from agent.loops.accepted import Accepted
from agent.loops.effects import Effects, Records
from agent.loops.guarding import Guarding
from agent.loops.pace import SystemClock
from agent.loops.passes import KeepPass, Policy
from agent.loops.reconcile import ReconcileLoop, ReconcilePace
from agent.loops.rolls import Rolls
from agent.loops.statuses import Statuses
from agent.model.guard import Guard
from agent.model.lease import Term
from agent.ports import Clock, Telemetry
from agent.rendering import RENDERER_VERSION, AgentAccount
from agent.wire.sealing import SealedFor, open_sealed, refuse_unusable

PACE = ReconcilePace(
    concurrency=2,
    resync_seconds=600,
    survey_seconds=3600,
    compare_seconds=86400,
    secret_seconds=300,
    least_backoff_seconds=0.05,
    most_backoff_seconds=0.3,
)


@dataclass(frozen=True, slots=True)
class Rules:
    """What differs from test to test of an engine's rhythm and of the agent's own rules."""

    pace: ReconcilePace = PACE
    prune_limit: int = 20
    roll_limit: int = 1
    renderer: str = RENDERER_VERSION
    guarding: Guarding | None = None
    """The customer's rules, where a test has any: else those that hold always."""
    pool: frozenset[str] = frozenset()

    def policy(self, namespace: str, account: AgentAccount | None) -> Policy:
        """The rules as the passes take them."""
        guarding = self.guarding or Guarding.by(Guard(), account)
        return Policy(namespace, account, self.prune_limit, self.renderer, guarding=guarding, pool=self.pool)


PLAIN = Rules()
CLUSTER = "a-cluster"
SEALING = X25519PrivateKey.generate()
OPENING = Opening(
    lambda instance, path, text: open_sealed(text, SEALING, SealedFor(CLUSTER, instance, path)),
    lambda value, path: refuse_unusable(value, path=path),
)
"""With the key of this very run of the tests."""


@dataclass(frozen=True, slots=True)
class Bench:
    """What an engine stands on: the edge that watches, the client that acts, where facts go, the clock, and the
    account that it binds its rights to, where it needs to.
    """

    edge: KubernetesCluster
    client: KubeClient
    namespace: str
    telemetry: Telemetry
    clock: Clock = SystemClock()  # noqa: RUF009 - it has no state
    account: str | None = None

    def effects(self) -> Effects:
        """The ports of a pass."""
        shelf = SecretShelf(self.client, self.namespace)
        verbs = ClusterVerbs(self.client, self.edge.observation)
        journal = ClusterJournal(shelf, Term(1, "a-test"))
        keys = GeneratedKeys(self.client, shelf, verbs)
        values = ResolvedSecrets(shelf, Places(self.client, verbs), OPENING, shared=())
        records = Records(ClusterInventories(shelf), keys, values, journal)
        return Effects(self.edge, verbs, records, self.telemetry, self.clock)

    def reconciling(self, accepted: Accepted, statuses: Statuses, *, rules: Rules = PLAIN) -> ReconcileLoop:
        """The loop."""
        effects = self.effects()
        account = AgentAccount(self.namespace, self.account) if self.account is not None else None
        keep = KeepPass(effects, rules.policy(self.namespace, account), Rolls(rules.roll_limit))
        return ReconcileLoop(effects, accepted, statuses, pace=rules.pace, keep=keep)
