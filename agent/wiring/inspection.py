"""What an inspection sees of a cluster, connected: ports over a client that cannot write."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from agent.cluster.client import KubeClient
from agent.cluster.connection import connect
from agent.cluster.glance import ClusterGlance, ReadingClient
from agent.cluster.guard import ClusterGuard
from agent.cluster.inventory import ClusterInventories
from agent.cluster.journal import ClusterJournal
from agent.cluster.lease import ClusterLease
from agent.cluster.secrets import SecretShelf
from agent.cluster.state import ClusterState
from agent.cluster.vault import TRUST
from agent.cluster.verbs import ClusterVerbs
from agent.inspection.sight import Sight, Target
from agent.loops.guarding import Guarding, GuardLoop
from agent.loops.pace import SystemClock
from agent.loops.passes import Policy
from agent.loops.statuses import Statuses
from agent.model.errors import AgentError, Misconfigured
from agent.model.lease import Term
from agent.ports import Verifier
from agent.uplink.trust import Trusted
from agent.wire.index import IndexVerifier
from agent.wiring.meaning import agent_account

_LOOK_SECONDS = 3.0
"""So long somebody who looks waits for the Lease."""


@asynccontextmanager
async def inspecting(target: Target) -> AsyncIterator[Sight]:
    """The ports of an inspection, over a client that cannot write. Raises Misconfigured where there is no way."""
    clock = SystemClock()
    client = ReadingClient(await connect(target.kubeconfig))
    try:
        shelf = SecretShelf(client, target.namespace)
        cluster = ClusterGlance(client, clock, namespaces=target.namespaces)
        yield Sight(
            cluster,
            ClusterVerbs(client, cluster.observation),
            ClusterState(shelf),
            ClusterInventories(shelf),
            ClusterJournal(shelf, Term(0, "")),
            ClusterLease(client, target.namespace, write_seconds=_LOOK_SECONDS),
            clock,
            await _policy(client, target),
            await _verifier(shelf, target),
            client.server,
            configured=target.cluster is not None,
        )
    finally:
        await client.close()


async def _policy(client: KubeClient, target: Target) -> Policy:
    """The agent's rules as far as they are known, and the customer's as they are written now."""
    account = agent_account(target.namespace, target.service_account)
    guarding = Guarding(account)
    await GuardLoop(ClusterGuard(client, target.namespace), guarding, Statuses(), SystemClock()).read()
    pool = frozenset(target.namespaces)
    return Policy(target.namespace, account, target.prune_limit, guarding=guarding, pool=pool)


async def _verifier(shelf: SecretShelf, target: Target) -> Verifier | AgentError:
    """What judges the accepted state, by the trust that the agent keeps; or why nothing can."""
    trust = await shelf.read(TRUST)
    if trust is None or "bundle" not in trust.content:
        return Misconfigured(
            f"there is no trust bundle in Secret {shelf.namespace}/{TRUST}, so that no signature can be verified",
            hint="the agent keeps it when it enrols",
        )
    try:
        trusted = Trusted.from_secret(trust.content, root_fingerprint=target.root_fingerprint)
    except AgentError as error:
        return error
    return IndexVerifier(trusted.bundle, target.cluster, former=trusted.former)
