"""What settings mean to those who are wired: paces, names, kinds, accounts."""

from __future__ import annotations

import socket
import uuid

from agent.loops.campaign import Candidate
from agent.loops.orders import OrderPace
from agent.loops.pace import chance
from agent.loops.poll import PollPace
from agent.loops.reconcile import ReconcilePace
from agent.loops.report import ReportPace
from agent.loops.rotate import RotatePace
from agent.model.lease import LeaseTimes
from agent.rendering import AgentAccount
from agent.settings import Settings

_GATHER_SECONDS = 0.2
"""So long changes are collected into one report: short for who watches, long enough to make a batch of a burst."""


def candidate_of(settings: Settings) -> Candidate:
    """A name that no other process has, in a restarted container either, and that tells people which pod it is."""
    lease = settings.lease
    times = LeaseTimes(lease.duration_seconds, lease.renew_deadline_seconds, lease.retry_seconds)
    return Candidate(f"{socket.gethostname()}_{uuid.uuid4().hex[:8]}", times)


def account_of(settings: Settings) -> AgentAccount | None:
    """The agent's own account; None where it has its rights from elsewhere."""
    return agent_account(settings.cluster.namespace, settings.cluster.service_account)


def agent_account(namespace: str, name: str | None) -> AgentAccount | None:
    """The account of this name, if there is one."""
    return AgentAccount(namespace, name) if name is not None else None


def poll_pace(settings: Settings) -> PollPace:
    """How long a poll waits, and how long failures are waited out."""
    backoff = settings.reconcile.backoff
    return PollPace(settings.uplink.poll_wait_seconds, backoff.min_seconds, backoff.max_seconds)


def rotate_pace(settings: Settings) -> RotatePace:
    """How long failed renewals are waited out."""
    backoff = settings.reconcile.backoff
    return RotatePace(backoff.min_seconds, backoff.max_seconds, chance())


def reconcile_pace(settings: Settings) -> ReconcilePace:
    """How many instances at once, and how often each is looked at how closely."""
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


def allowed_orders(settings: Settings) -> frozenset[str] | None:
    """The kinds of orders that are carried out here; None: every kind that the agent knows."""
    return frozenset(settings.orders.allow) if settings.orders.allow is not None else None


def order_pace(settings: Settings) -> OrderPace:
    """How long failures of the journal and of orders are waited out."""
    backoff = settings.reconcile.backoff
    return OrderPace(backoff.min_seconds, backoff.max_seconds)


def report_pace(settings: Settings) -> ReportPace:
    """How soon and how often the control plane is told."""
    backoff = settings.reconcile.backoff
    return ReportPace(
        gather_seconds=min(_GATHER_SECONDS, settings.report.seconds),
        heartbeat_seconds=settings.report.seconds,
        least_backoff_seconds=backoff.min_seconds,
        most_backoff_seconds=min(backoff.max_seconds, settings.report.seconds),
    )
