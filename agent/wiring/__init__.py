"""The composition root: settings in, a running daemon out, or the sight of an inspection. Alone in seeing every edge;
decides nothing itself.

Here: what lives as long as the process. Not here: the loops of one term (term), what an inspection sees (inspection),
what settings mean to loops (meaning), what the process shows of itself (figures), and its memory (memory).
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack

from agent import __version__
from agent.cluster.budget import RequestBudget
from agent.cluster.client import KubeClient
from agent.cluster.connection import connect
from agent.cluster.kinds import POOLED
from agent.cluster.kubernetes import KubernetesCluster
from agent.cluster.lease import ClusterLease
from agent.daemon import Daemon, stop_on_signals
from agent.loops.audit import AuditLoop
from agent.loops.campaign import LeadPorts
from agent.loops.lead import LeadLoop
from agent.loops.pace import SystemClock
from agent.loops.tenure import Tenure
from agent.loops.warm import WarmLoop
from agent.ports import Clock, Telemetry
from agent.settings import Settings
from agent.telemetry.audit import AuditTrail
from agent.telemetry.metrics import Metrics
from agent.telemetry.records import configure
from agent.uplink.spool import opened as spool_opened
from agent.wiring.figures import count, show_spool, telemetry_of
from agent.wiring.inspection import inspecting
from agent.wiring.meaning import candidate_of
from agent.wiring.memory import keep_little
from agent.wiring.term import Base, term_of

__all__ = ["build", "inspecting", "run", "serve"]


_RELEASE_SECONDS = 5.0
"""So long, after the loops' own time to end, the lease may take to be released."""


def run(settings: Settings) -> int:
    """Run the agent until a signal stops it; returns the exit code. Raises AgentError where it cannot start."""
    keep_little()
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
    tenure, candidate = Tenure(clock), candidate_of(settings)
    budget = RequestBudget(clock, per_second=settings.cluster.requests_per_second, burst=settings.cluster.request_burst)
    pool = settings.cluster.namespaces
    connection = await connect(settings.cluster.kubeconfig, watches=len(pool) * len(POOLED))
    client = KubeClient(connection, fence=tenure, budget=budget, holder=candidate.holder)
    resources.push_async_callback(client.close)
    cluster = KubernetesCluster(client, clock, namespaces=pool)
    metrics = Metrics(version=__version__, clock=clock)
    count(metrics, client, budget)
    trail = AuditTrail(clock)
    telemetry = await telemetry_of(settings, resources, metrics=metrics, clock=clock, sinks=(trail, *sinks))
    spool = await resources.enter_async_context(spool_opened(settings.spool, telemetry))
    show_spool(metrics, spool)
    base = Base(settings, clock, client, cluster, telemetry, metrics, spool)
    lease = ClusterLease(client, settings.cluster.namespace, write_seconds=settings.lease.retry_seconds)
    lead = LeadLoop(
        LeadPorts(lease, telemetry, clock),
        tenure,
        lambda term: term_of(base, term),
        candidate=candidate,
        grace_seconds=settings.daemon.grace_seconds,
    )
    return Daemon(
        loops=(lead,),
        services=(cluster, WarmLoop(cluster, telemetry, clock), AuditLoop(trail, spool, clock)),
        grace_seconds=settings.daemon.grace_seconds + _RELEASE_SECONDS,
    )
