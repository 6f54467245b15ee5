"""What the process shows of itself: metrics, probes and records, connected to those who know."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AsyncExitStack
from datetime import datetime

from agent.cluster.budget import RequestBudget
from agent.cluster.client import KubeClient
from agent.ports import Clock, Telemetry
from agent.settings import Settings
from agent.telemetry.metrics import Metrics
from agent.telemetry.probes import Readiness, serving_metrics, serving_probes
from agent.telemetry.records import Records as LogRecords
from agent.telemetry.sink import Sinks
from agent.uplink.client import HttpUplink
from agent.uplink.credentials import LiveCredentials
from agent.uplink.spool import DurableSpool


def count(metrics: Metrics, client: KubeClient, budget: RequestBudget) -> None:
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


def show_spool(metrics: Metrics, spool: DurableSpool) -> None:
    """How much waits to be told, and what was lost."""
    metrics.tally(
        "perigee_spool_dropped",
        "Letters that the outbox had no room for, by class.",
        lambda: spool.standing().dropped,
        label="class",
    )
    metrics.show("perigee_spool_bytes", "Bytes that wait to be told.", lambda: spool.standing().size)


def show(metrics: Metrics, uplink: HttpUplink, credentials: LiveCredentials) -> None:
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


async def telemetry_of(
    settings: Settings, resources: AsyncExitStack, *, metrics: Metrics, clock: Clock, sinks: Sequence[Telemetry]
) -> Telemetry:
    """Every sink, and the two listeners that show what they gathered."""
    probes, scrape = settings.probes, settings.metrics
    readiness = Readiness(clock=clock, stale_seconds=probes.stale_seconds)
    await resources.enter_async_context(serving_probes(host=probes.host, port=probes.port, verdict=readiness.verdict))
    await resources.enter_async_context(serving_metrics(metrics, host=scrape.host, port=scrape.port))
    return Sinks((metrics, LogRecords(), readiness, *sinks))
