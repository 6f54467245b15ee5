"""What the agent costs when nothing changes: at rest, and when it is started again.

Requests are counted in the API server's audit log, not by the agent itself.
"""

from __future__ import annotations

import asyncio
from collections import Counter

import psutil

from agent.loops.pace import SystemClock
from bench.changes import ThroughTheAgent
from bench.findings import Findings, Rest, Row, Traffic
from bench.process import AgentProcess, Event, first, running
from bench.stage import Stage
from sandbox.testcluster import AuditedRequests, AuditLog

_USER_AGENT = "perigee-agent/"
_SETTLE_SECONDS = 2


async def at_rest(stage: Stage, agent: AgentProcess, findings: Findings, *, seconds: float) -> None:
    """Watch the agent do nothing for so many seconds, and then make it do something: a dead one is quiet too."""
    clock, never, log = SystemClock(), asyncio.Event(), AuditLog(stage.venue.audit_log)
    await clock.wait(never, seconds=_SETTLE_SECONDS)
    process, mark = psutil.Process(agent.pid), await log.mark()
    before, began = process.cpu_times(), clock.monotonic()
    await clock.wait(never, seconds=seconds)
    after, took = process.cpu_times(), clock.monotonic() - began
    rest = Rest(
        watched_seconds=took,
        traffic=_traffic((await log.read(mark)).by(user_agent=_USER_AGENT)),
        resident_bytes=process.memory_info().rss,
        # The kernel counts in hundredths of a second; what floats add to that is noise.
        cpu_seconds=round(after.user + after.system - before.user - before.system, 2) + 0.0,
    )
    await ThroughTheAgent(stage).change()
    findings.rests[stage.venue.name] = rest


async def restarted(stage: Stage, findings: Findings, *, rounds: int) -> None:
    """Start the agent over instances that are as they shall be, until it has judged and reported each of them; of
    the requests, the start that made the most counts.
    """
    log, seconds = AuditLog(stage.venue.audit_log), []
    ids = frozenset(instance.id for instance in stage.instances)
    for _ in range(rounds):
        mark = await log.mark()
        async with running(stage.settings(level="debug"), stage.venue.directory) as agent:
            seconds.append(await agent.logged(lambda lines: _all_judged(lines, ids)) - agent.started)
            await agent.logged(first("report_delivered"))
        made = _traffic((await log.read(mark)).by(user_agent=_USER_AGENT))
        before = findings.restarts.get(stage.venue.name)
        findings.restarts[stage.venue.name] = max(made, before or made, key=lambda traffic: traffic.total)
    findings.add(Row.RESTARTED, stage.venue.name, seconds)


def _all_judged(lines: list[tuple[float, Event]], ids: frozenset[str]) -> float | None:
    missing = set(ids)
    for at, line in lines:
        if line.get("event") == "reconcile_finished":
            missing.discard(str(line["instance_id"]))
            if not missing:
                return at
    return None


def _traffic(requests: AuditedRequests) -> Traffic:
    return Traffic(dict(sorted(Counter(request.verb for request in requests).items())), len(requests.writes()))
