"""The loops of one term, connected: what a leader has, from its first request to its last."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from agent import __version__
from agent.cluster.audit import ClusterAudit
from agent.cluster.client import KubeClient
from agent.cluster.guard import ClusterGuard
from agent.cluster.inventory import ClusterInventories
from agent.cluster.journal import ClusterJournal
from agent.cluster.keys import GeneratedKeys
from agent.cluster.kubernetes import KubernetesCluster
from agent.cluster.orders import ClusterOrderJournal
from agent.cluster.places import Places
from agent.cluster.secrets import SecretShelf
from agent.cluster.state import ClusterState
from agent.cluster.values import Opening, ResolvedSecrets
from agent.cluster.vault import ClusterVault
from agent.cluster.verbs import ClusterVerbs
from agent.loops.accepted import Accepted
from agent.loops.audit import KeepAuditLoop, KeepPorts
from agent.loops.effects import Effects, Records
from agent.loops.guarding import Guarding, GuardLoop
from agent.loops.order_kinds import crafts
from agent.loops.orders import OrderDesk, OrderPorts, OrdersLoop, Trade
from agent.loops.outbox import Outbox
from agent.loops.passes import KeepPass, Policy
from agent.loops.poll import Learnt, PollLoop, PollPorts
from agent.loops.reconcile import ReconcileLoop
from agent.loops.report import ReportLoop, ReportPorts, Teller, Told
from agent.loops.results import OrderResults
from agent.loops.rolls import Rolls
from agent.loops.rotate import RotateLoop, RotatePorts
from agent.loops.statuses import Statuses
from agent.loops.trust import Trust
from agent.model.facts import Enrolled
from agent.model.lease import Term
from agent.ports import Clock, Loop, Telemetry
from agent.settings import Settings
from agent.telemetry.metrics import Metrics
from agent.uplink.client import HttpUplink
from agent.uplink.credentials import LiveCredentials
from agent.uplink.enrol import enrol
from agent.uplink.identity import Identity
from agent.uplink.renew import Desk
from agent.uplink.spool import DurableSpool
from agent.uplink.trust import Trusted, first_bundle
from agent.wire.sealing import SealedFor, open_sealed, refuse_unusable
from agent.wire.telling import WireReports
from agent.wiring.figures import show
from agent.wiring.meaning import (
    account_of,
    allowed_orders,
    order_pace,
    poll_pace,
    reconcile_pace,
    report_pace,
    rotate_pace,
)

_KEEP_AFTER = 2
"""Audit records that the control plane did not take within so many reports are kept in the cluster too."""


@dataclass(frozen=True, slots=True)
class Base:
    """What every term is built on."""

    settings: Settings
    clock: Clock
    client: KubeClient
    cluster: KubernetesCluster
    telemetry: Telemetry
    metrics: Metrics
    spool: DurableSpool


@asynccontextmanager
async def term_of(base: Base, term: Term) -> AsyncIterator[Sequence[Loop]]:
    """The loops of one term, with a connection and a memory of their own."""
    settings, telemetry, clock = base.settings, base.telemetry, base.clock
    shelf = SecretShelf(base.client, settings.cluster.namespace)
    vault = ClusterVault(shelf)
    credentials = await _credentials(base, vault)
    async with HttpUplink(settings.uplink, credentials, clock=clock) as uplink:
        credentials.watch(uplink.reconnect)
        show(base.metrics, uplink, credentials)
        accepted, statuses, results = Accepted(), Statuses(), OrderResults()
        trust, guarding = Trust(), Guarding(account_of(settings))
        rules = ClusterGuard(base.client, settings.cluster.namespace)
        poll_ports = PollPorts(uplink, credentials, ClusterState(shelf), telemetry, clock)
        effects = _effects(base, shelf, term, credentials)
        keeping = KeepAuditLoop(
            KeepPorts(ClusterAudit(shelf), base.spool, telemetry, clock), seconds=_KEEP_AFTER * settings.report.seconds
        )
        reconcile = ReconcileLoop(
            effects,
            accepted,
            statuses,
            pace=reconcile_pace(settings),
            keep=_keep_pass(effects, settings, guarding),
        )
        yield (
            GuardLoop(rules, guarding, statuses, clock),
            RotateLoop(RotatePorts(credentials, vault, telemetry, clock), statuses, trust, pace=rotate_pace(settings)),
            PollLoop(poll_ports, Learnt(accepted, statuses, trust), pace=poll_pace(settings), guarding=guarding),
            reconcile,
            OrdersLoop(
                OrderPorts(ClusterOrderJournal(shelf), telemetry, clock),
                OrderDesk(accepted, statuses, results),
                Trade(crafts(reconcile), allowed_orders(settings), term),
                pace=order_pace(settings),
            ),
            ReportLoop(
                ReportPorts(uplink, base.cluster, WireReports(), telemetry, clock),
                Told(accepted, statuses, trust, results),
                Outbox(base.spool, batch_limit=settings.report.batch_limit),
                pace=report_pace(settings),
                teller=Teller(__version__, settings.cluster.name, term),
            ),
            keeping,
        )
        await keeping.finish()


def _effects(base: Base, shelf: SecretShelf, term: Term, credentials: LiveCredentials) -> Effects:
    """What passes may do to the world, written down under this term."""
    verbs = ClusterVerbs(base.client, base.cluster.observation)
    keys, values = GeneratedKeys(base.client, shelf, verbs), _values(base, shelf, verbs, credentials)
    records = Records(ClusterInventories(shelf), keys, values, ClusterJournal(shelf, term))
    return Effects(base.cluster, verbs, records, base.telemetry, base.clock)


def _values(base: Base, shelf: SecretShelf, verbs: ClusterVerbs, credentials: LiveCredentials) -> ResolvedSecrets:
    """Secret values, opened with the sealing key that we have at that moment."""
    name = base.settings.cluster.name
    opening = Opening(
        lambda instance, path, text: open_sealed(text, credentials.sealing, SealedFor(name, instance, path)),
        lambda value, path: refuse_unusable(value, path=path),
    )
    return ResolvedSecrets(shelf, Places(base.client, verbs), opening, shared=base.settings.secrets.namespaces)


def _keep_pass(effects: Effects, settings: Settings, guarding: Guarding) -> KeepPass:
    reconcile = settings.reconcile
    policy = Policy(
        settings.cluster.namespace,
        account_of(settings),
        reconcile.prune_limit,
        guarding=guarding,
        pool=frozenset(settings.cluster.namespaces),
    )
    return KeepPass(effects, policy, Rolls(reconcile.roll_limit))


async def _credentials(base: Base, vault: ClusterVault) -> LiveCredentials:
    """The identity that the cluster keeps, or a new one for the token. The trust bundle is kept first: an identity
    without it would be of no use, while a bundle alone is only read again.
    """
    settings = base.settings
    identity, trust = await vault.load()
    desk = Desk(settings.uplink, base.clock, settings.cluster.name, __version__)
    pin = settings.uplink.root_fingerprint
    if identity is not None and trust is not None:
        return LiveCredentials(desk, Identity.from_secret(identity), Trusted.from_secret(trust, root_fingerprint=pin))
    fresh, envelope = await enrol(settings.uplink, settings.cluster, clock=base.clock, version=__version__)
    trusted = Trusted.first(first_bundle(envelope, root_fingerprint=pin))
    await vault.keep_trust(trusted.to_secret())
    await vault.keep_identity(fresh.to_secret())
    base.telemetry.emit(Enrolled(settings.cluster.name, fresh.not_after))
    return LiveCredentials(desk, fresh, trusted)
