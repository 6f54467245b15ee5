"""The composition root: settings in, a running daemon out, or the sight of an inspection. Alone in seeing every edge;
decides nothing itself.
"""

from __future__ import annotations

import asyncio
import socket
import sys
import uuid
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime

from agent import __version__
from agent.cluster.audit import ClusterAudit
from agent.cluster.budget import RequestBudget
from agent.cluster.client import KubeClient
from agent.cluster.connection import connect
from agent.cluster.glance import ClusterGlance, ReadingClient
from agent.cluster.guard import ClusterGuard
from agent.cluster.inventory import ClusterInventories
from agent.cluster.journal import ClusterJournal
from agent.cluster.keys import GeneratedKeys
from agent.cluster.kinds import POOLED
from agent.cluster.kubernetes import KubernetesCluster
from agent.cluster.lease import ClusterLease
from agent.cluster.orders import ClusterOrderJournal
from agent.cluster.places import Places
from agent.cluster.secrets import SecretShelf
from agent.cluster.state import ClusterState
from agent.cluster.values import Opening, ResolvedSecrets
from agent.cluster.vault import TRUST, ClusterVault
from agent.cluster.verbs import ClusterVerbs
from agent.daemon import Daemon, stop_on_signals
from agent.inspection.sight import Sight, Target
from agent.loops.accepted import Accepted
from agent.loops.audit import AuditLoop, KeepAuditLoop, KeepPorts
from agent.loops.campaign import Candidate, LeadPorts
from agent.loops.effects import Effects, Records
from agent.loops.guarding import Guarding, GuardLoop
from agent.loops.lead import LeadLoop
from agent.loops.order_kinds import crafts
from agent.loops.orders import OrderDesk, OrderPace, OrderPorts, OrdersLoop, Trade
from agent.loops.outbox import Outbox
from agent.loops.pace import SystemClock, chance
from agent.loops.passes import KeepPass, Policy
from agent.loops.poll import Learnt, PollLoop, PollPace, PollPorts
from agent.loops.reconcile import ReconcileLoop, ReconcilePace
from agent.loops.report import ReportLoop, ReportPace, ReportPorts, Teller, Told
from agent.loops.results import OrderResults
from agent.loops.rolls import Rolls
from agent.loops.rotate import RotateLoop, RotatePace, RotatePorts
from agent.loops.statuses import Statuses
from agent.loops.tenure import Tenure
from agent.loops.trust import Trust
from agent.loops.warm import WarmLoop
from agent.model.errors import AgentError, Misconfigured
from agent.model.facts import Enrolled
from agent.model.lease import LeaseTimes, Term
from agent.ports import Clock, Loop, Telemetry, Verifier
from agent.rendering import AgentAccount
from agent.settings import Settings
from agent.telemetry.audit import AuditTrail
from agent.telemetry.metrics import Metrics
from agent.telemetry.probes import Readiness, serving_metrics, serving_probes
from agent.telemetry.records import Records as LogRecords
from agent.telemetry.records import configure
from agent.telemetry.sink import Sinks
from agent.uplink.client import HttpUplink
from agent.uplink.credentials import LiveCredentials
from agent.uplink.enrol import enrol
from agent.uplink.identity import Identity
from agent.uplink.renew import Desk
from agent.uplink.spool import DurableSpool
from agent.uplink.spool import opened as spool_opened
from agent.uplink.trust import Trusted, first_bundle
from agent.wire.index import IndexVerifier
from agent.wire.sealing import SealedFor, open_sealed, refuse_unusable
from agent.wire.telling import WireReports

_GATHER_SECONDS = 0.2
"""So long changes are collected into one report: short for who watches, long enough to make a batch of a burst."""

_KEEP_AFTER = 2
"""Audit records that the control plane did not take within so many reports are kept in the cluster too."""
_LOOK_SECONDS = 3.0
"""So long somebody who looks waits for the Lease."""
_RELEASE_SECONDS = 5.0
"""So long, after the loops' own time to end, the lease may take to be released."""


def run(settings: Settings) -> int:
    """Run the agent until a signal stops it; returns the exit code. Raises AgentError where it cannot start."""
    configure(level=settings.log.level, form=settings.log.format, stream=sys.stderr)
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(_until_signalled(settings))
    return 0


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """Uvloop where it exists, which spends a third less on each request; None: the interpreter's own loop."""
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.new_event_loop


async def _until_signalled(settings: Settings) -> None:
    stop = asyncio.Event()
    stop_on_signals(stop)
    await serve(settings, stop=stop)


async def serve(
    settings: Settings, *, stop: asyncio.Event, sinks: Sequence[Telemetry] = (), clock: Clock | None = None
) -> None:
    """Run the agent until ``stop`` is set; ``sinks`` are told every fact beside the agent's own. ``clock`` None: the
    machine's.

    Raises AgentError where it cannot start: no way to the cluster, no identity and no way to get one.
    """
    async with AsyncExitStack() as resources:
        daemon = await build(settings, resources, sinks=sinks, clock=clock or SystemClock())
        await daemon.run(stop)


async def build(
    settings: Settings, resources: AsyncExitStack, *, clock: Clock, sinks: Sequence[Telemetry] = ()
) -> Daemon:
    """What lives as long as the process: the cache, the listeners, and the loop that leads or stands by. What must be
    closed at the end is put on ``resources``.
    """
    tenure, candidate = Tenure(clock), _candidate(settings)
    budget = RequestBudget(clock, per_second=settings.cluster.requests_per_second, burst=settings.cluster.request_burst)
    pool = settings.cluster.namespaces
    connection = await connect(settings.cluster.kubeconfig, watches=len(pool) * len(POOLED))
    client = KubeClient(connection, fence=tenure, budget=budget, holder=candidate.holder)
    resources.push_async_callback(client.close)
    cluster = KubernetesCluster(client, clock, namespaces=pool)
    metrics = Metrics(version=__version__, clock=clock)
    _count(metrics, client, budget)
    trail = AuditTrail(clock)
    telemetry = await _telemetry(settings, resources, metrics=metrics, clock=clock, sinks=(trail, *sinks))
    spool = await resources.enter_async_context(spool_opened(settings.spool, telemetry))
    _show_spool(metrics, spool)
    base = _Base(settings, clock, client, cluster, telemetry, metrics, spool)
    lease = ClusterLease(client, settings.cluster.namespace, write_seconds=settings.lease.retry_seconds)
    lead = LeadLoop(
        LeadPorts(lease, telemetry, clock),
        tenure,
        lambda term: _term(base, term),
        candidate=candidate,
        grace_seconds=settings.daemon.grace_seconds,
    )
    return Daemon(
        loops=(lead,),
        services=(cluster, WarmLoop(cluster, telemetry, clock), AuditLoop(trail, spool, clock)),
        grace_seconds=settings.daemon.grace_seconds + _RELEASE_SECONDS,
    )


@dataclass(frozen=True, slots=True)
class _Base:
    """What every term is built on."""

    settings: Settings
    clock: Clock
    client: KubeClient
    cluster: KubernetesCluster
    telemetry: Telemetry
    metrics: Metrics
    spool: DurableSpool


@asynccontextmanager
async def _term(base: _Base, term: Term) -> AsyncIterator[Sequence[Loop]]:
    """The loops of one term, with a connection and a memory of their own."""
    settings, telemetry, clock = base.settings, base.telemetry, base.clock
    shelf = SecretShelf(base.client, settings.cluster.namespace)
    vault = ClusterVault(shelf)
    credentials = await _credentials(base, vault)
    async with HttpUplink(settings.uplink, credentials, clock=clock) as uplink:
        credentials.watch(uplink.reconnect)
        _show(base.metrics, uplink, credentials)
        accepted, statuses, results = Accepted(), Statuses(), OrderResults()
        trust, guarding = Trust(), Guarding(_account(settings))
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
            pace=_reconcile_pace(settings),
            keep=_keep_pass(effects, settings, guarding),
        )
        yield (
            GuardLoop(rules, guarding, statuses, clock),
            RotateLoop(RotatePorts(credentials, vault, telemetry, clock), statuses, trust, pace=_rotate_pace(settings)),
            PollLoop(poll_ports, Learnt(accepted, statuses, trust), pace=_poll_pace(settings), guarding=guarding),
            reconcile,
            OrdersLoop(
                OrderPorts(ClusterOrderJournal(shelf), telemetry, clock),
                OrderDesk(accepted, statuses, results),
                Trade(crafts(reconcile), _allowed(settings), term),
                pace=_order_pace(settings),
            ),
            ReportLoop(
                ReportPorts(uplink, base.cluster, WireReports(), telemetry, clock),
                Told(accepted, statuses, trust, results),
                Outbox(base.spool, batch_limit=settings.report.batch_limit),
                pace=_report_pace(settings),
                teller=Teller(__version__, settings.cluster.name, term),
            ),
            keeping,
        )
        await keeping.finish()


def _effects(base: _Base, shelf: SecretShelf, term: Term, credentials: LiveCredentials) -> Effects:
    """What passes may do to the world, written down under this term."""
    verbs = ClusterVerbs(base.client, base.cluster.observation)
    keys, values = GeneratedKeys(base.client, shelf, verbs), _values(base, shelf, verbs, credentials)
    records = Records(ClusterInventories(shelf), keys, values, ClusterJournal(shelf, term))
    return Effects(base.cluster, verbs, records, base.telemetry, base.clock)


def _values(base: _Base, shelf: SecretShelf, verbs: ClusterVerbs, credentials: LiveCredentials) -> ResolvedSecrets:
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
        _account(settings),
        reconcile.prune_limit,
        guarding=guarding,
        pool=frozenset(settings.cluster.namespaces),
    )
    return KeepPass(effects, policy, Rolls(reconcile.roll_limit))


def _candidate(settings: Settings) -> Candidate:
    """A name that no other process has, in a restarted container either, and that tells people which pod it is."""
    lease = settings.lease
    times = LeaseTimes(lease.duration_seconds, lease.renew_deadline_seconds, lease.retry_seconds)
    return Candidate(f"{socket.gethostname()}_{uuid.uuid4().hex[:8]}", times)


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
    account = _agent_account(target.namespace, target.service_account)
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


async def _credentials(base: _Base, vault: ClusterVault) -> LiveCredentials:
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


def _count(metrics: Metrics, client: KubeClient, budget: RequestBudget) -> None:
    """What we ask of the API server, and what it thinks of that."""
    metrics.tally(
        "perigee_kubernetes_requests", "Requests to the Kubernetes API server, by verb.", client.requests, label="verb"
    )
    metrics.tally(
        "perigee_kubernetes_throttled",
        "Requests that the Kubernetes API server answered 429, by verb.",
        client.throttled,
        label="verb",
    )
    metrics.tally(
        "perigee_kubernetes_waited_seconds",
        "Seconds that requests to it waited for the budget, by priority.",
        budget.waited,
        label="priority",
    )
    metrics.show(
        "perigee_kubernetes_requests_per_second_limit",
        "Requests per second that the budget allows at present.",
        budget.rate,
    )


def _show_spool(metrics: Metrics, spool: DurableSpool) -> None:
    metrics.tally(
        "perigee_spool_dropped",
        "Letters that the outbox had no room for, by class.",
        lambda: spool.standing().dropped,
        label="class",
    )
    metrics.show("perigee_spool_bytes", "Bytes that wait to be told.", lambda: spool.standing().size)


def _show(metrics: Metrics, uplink: HttpUplink, credentials: LiveCredentials) -> None:
    """Figures of the term's connection; those of the term before it are replaced."""
    metrics.show(
        "perigee_certificate_not_after_timestamp_seconds",
        "When the agent's certificate ends.",
        lambda: _seconds(credentials.not_after),
    )
    metrics.show(
        "perigee_clock_skew_seconds",
        "How far the agent's clock is ahead of the control plane's.",
        lambda: uplink.skew_seconds,
    )


def _seconds(moment: datetime) -> float:
    return moment.timestamp()


async def _telemetry(
    settings: Settings, resources: AsyncExitStack, *, metrics: Metrics, clock: Clock, sinks: Sequence[Telemetry]
) -> Telemetry:
    """Every sink, and the two listeners that show what they gathered."""
    probes, scrape = settings.probes, settings.metrics
    readiness = Readiness(clock=clock, stale_seconds=probes.stale_seconds)
    await resources.enter_async_context(serving_probes(host=probes.host, port=probes.port, verdict=readiness.verdict))
    await resources.enter_async_context(serving_metrics(metrics, host=scrape.host, port=scrape.port))
    return Sinks((metrics, LogRecords(), readiness, *sinks))


def _account(settings: Settings) -> AgentAccount | None:
    return _agent_account(settings.cluster.namespace, settings.cluster.service_account)


def _agent_account(namespace: str, name: str | None) -> AgentAccount | None:
    return AgentAccount(namespace, name) if name is not None else None


def _poll_pace(settings: Settings) -> PollPace:
    backoff = settings.reconcile.backoff
    return PollPace(settings.uplink.poll_wait_seconds, backoff.min_seconds, backoff.max_seconds)


def _rotate_pace(settings: Settings) -> RotatePace:
    backoff = settings.reconcile.backoff
    return RotatePace(backoff.min_seconds, backoff.max_seconds, chance())


def _reconcile_pace(settings: Settings) -> ReconcilePace:
    reconcile = settings.reconcile
    return ReconcilePace(
        concurrency=reconcile.concurrency,
        resync_seconds=reconcile.resync_seconds,
        survey_seconds=reconcile.survey_seconds,
        compare_seconds=reconcile.compare_seconds,
        secret_seconds=settings.secrets.seconds,
        least_backoff_seconds=reconcile.backoff.min_seconds,
        most_backoff_seconds=reconcile.backoff.max_seconds,
    )


def _allowed(settings: Settings) -> frozenset[str] | None:
    return frozenset(settings.orders.allow) if settings.orders.allow is not None else None


def _order_pace(settings: Settings) -> OrderPace:
    backoff = settings.reconcile.backoff
    return OrderPace(backoff.min_seconds, backoff.max_seconds)


def _report_pace(settings: Settings) -> ReportPace:
    backoff = settings.reconcile.backoff
    return ReportPace(
        gather_seconds=min(_GATHER_SECONDS, settings.report.seconds),
        heartbeat_seconds=settings.report.seconds,
        least_backoff_seconds=backoff.min_seconds,
        most_backoff_seconds=min(backoff.max_seconds, settings.report.seconds),
    )
