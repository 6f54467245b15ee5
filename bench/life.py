"""What the agent costs when nothing changes: at rest, and when it is started again.

Requests are counted in the API server's audit log and memory by the kernel, not by the agent itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from dataclasses import dataclass

from agent.loops.pace import SystemClock
from bench.changes import ThroughTheAgent
from bench.findings import Findings, Memory, Rest, Row
from bench.ledger import cpu_seconds, memory, open_watches, traffic
from bench.process import AgentProcess, every_pass, first, in_sync, running
from bench.stage import Stage
from sandbox.testcluster import AuditLog, AuditMark

_SETTLE_SECONDS = 2.0
_SYNC_SECONDS = 300.0


@dataclass(frozen=True, slots=True)
class Idle:
    """How long an agent is watched, after how long a pause, and where in the audit log its life began."""

    seconds: float
    born: AuditMark
    settle_seconds: float = _SETTLE_SECONDS


async def at_rest(stage: Stage, agent: AgentProcess, findings: Findings, idle: Idle) -> None:
    """Watch the agent do nothing, and then make it do something: a dead one is quiet too."""
    clock, never, log = SystemClock(), asyncio.Event(), AuditLog(stage.venue.audit_log)
    await clock.wait(never, seconds=idle.settle_seconds)
    mark = await log.mark()
    before, began = cpu_seconds(agent), clock.monotonic()
    await clock.wait(never, seconds=idle.seconds)
    after, took = cpu_seconds(agent), clock.monotonic() - began
    rest = Rest(
        watched_seconds=took,
        traffic=await traffic(log, mark),
        memory=memory(agent),
        cpu_seconds=round(after - before, 2),
        open_watches=await open_watches(stage.venue.audit_log, idle.born),
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
            seconds.append(await agent.logged(every_pass(ids)) - agent.started)
            await agent.logged(first("report_delivered"))
        await _count(stage, findings, mark)
    findings.add(Row.RESTARTED, stage.venue.name, seconds)


async def back_in_sync(stage: Stage, findings: Findings, ids: Collection[str], *, rounds: int) -> Memory:
    """The same over very many instances, until the control plane was told of each; returns the memory afterwards.

    The moment is read in the agent's log (level debug: one line for each pass and batch), and the control plane is
    asked afterwards whether it really has a status of each instance that is newer than the start.
    """
    log, seconds = AuditLog(stage.venue.audit_log), []
    for _ in range(rounds):
        mark, born = await log.mark(), SystemClock().now()
        async with running(stage.settings(level="debug"), stage.venue.directory) as agent:
            synced = await agent.logged(in_sync(ids), seconds=_SYNC_SECONDS)
            async with asyncio.timeout(_SYNC_SECONDS):
                while not await stage.all_told(ids, after=born):
                    synced = await agent.logged(first("report_delivered"), seconds=_SYNC_SECONDS)
            seconds.append(synced - agent.started)
            await SystemClock().wait(asyncio.Event(), seconds=_SETTLE_SECONDS)
            held = memory(agent)
        await _count(stage, findings, mark)
    findings.add(Row.IN_SYNC, stage.venue.name, seconds)
    return held


async def _count(stage: Stage, findings: Findings, mark: AuditMark) -> None:
    made = await traffic(AuditLog(stage.venue.audit_log), mark)
    before = findings.restarts.get(stage.venue.name)
    findings.restarts[stage.venue.name] = max(made, before or made, key=lambda requests: requests.total)
