"""Very many instances on one agent: growing to them, changing one among them, at rest with them, starting over them.

Here: the order, and what is noted at each step. A few instances run, with pods, and take the changes; all others
hibernate, so that their objects exist and pods of thousands do not bury a small machine. Not here: what is at rest or
a restart (``life``), what a change is (``changes``).
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace

from agent.loops.pace import SystemClock
from bench.changes import Entry, Seconds, ThroughTheAgent, race
from bench.findings import Findings, Fleet, Row
from bench.ledger import cpu_seconds, memory, traffic
from bench.life import back_in_sync
from bench.process import AgentProcess
from bench.sight import anything, awaited
from bench.stage import Instance, Stage
from sandbox.testcluster import AuditLog, AuditMark

_CALM_SECONDS = 5.0
_SECONDS_PER_INSTANCE = 5.0
_ROWS = {Row.CHANGED: Row.AMONG, Row.REPORTED: Row.AMONG_REPORTED, Row.TOLD: Row.AMONG_READY}


@dataclass(frozen=True, slots=True)
class Crowd:
    """Who is present: the agent's process, where in the audit log its life began, and every instance that it has."""

    agent: AgentProcess
    born: AuditMark
    present: list[Instance]


async def grow(stage: Stage, crowd: Crowd, findings: Findings, *, instances: int) -> None:
    """Bring the number of instances up, in two steps so that the cost of each further one can be told."""
    clock, counts = SystemClock(), {len(crowd.present): memory(crowd.agent)}
    objects, took = 0, 0.0
    for step in (count for count in (instances // 2, instances) if count > len(crowd.present)):
        fresh = [Instance(f"crowd-{number}", asleep=True) for number in range(len(crowd.present), step)]
        began = clock.monotonic()
        objects += await _made(stage, fresh)
        took += clock.monotonic() - began
        crowd.present.extend(fresh)
        await clock.wait(asyncio.Event(), seconds=_CALM_SECONDS)
        counts[len(crowd.present)] = memory(crowd.agent)
    findings.fleets[stage.venue.name] = Fleet(len(crowd.present), objects, took, counts)


async def _made(stage: Stage, fresh: Sequence[Instance]) -> int:
    """Publish and wait for every object and every report; returns how many objects there are."""
    refs = [ref for instance in fresh for ref in instance.refs()]
    there = stage.sight.expect_each(refs, anything)
    patience = 60 + _SECONDS_PER_INSTANCE * len(fresh)
    born = SystemClock().now()
    for instance in fresh:
        await stage.publish(instance)
    await awaited(there, seconds=patience)
    async with asyncio.timeout(patience):
        while not await stage.all_told([instance.id for instance in fresh], after=born):
            await SystemClock().wait(asyncio.Event(), seconds=1)
    return len(refs)


async def change_one(stage: Stage, crowd: Crowd, findings: Findings, *, rounds: int) -> None:
    """Change one of the running instances at a time, among all the others."""
    log, name = AuditLog(stage.venue.audit_log), stage.venue.name
    mark, before = await log.mark(), cpu_seconds(crowd.agent)
    await race(stage, findings, [Entry(_Among(ThroughTheAgent(stage)), rounds)])
    spent, made = cpu_seconds(crowd.agent) - before, await traffic(log, mark)
    if name in findings.fleets and (Row.AMONG, name) in findings.latencies:
        count = findings.latencies[Row.AMONG, name].n
        each = (spent / count, (made.total - made.aside) / count)
        findings.fleets[name] = replace(
            findings.fleets[name], cpu_seconds_per_change=each[0], requests_per_change=each[1]
        )


class _Among:
    """A change through the agent, told under the rows of a crowd."""

    name = "one instance changed among many"

    def __init__(self, changer: ThroughTheAgent) -> None:
        self._changer = changer

    async def change(self) -> Seconds:
        """One change."""
        found = await self._changer.change()
        return {told: found[row] for row, told in _ROWS.items()}


async def start_again(stage: Stage, present: Sequence[Instance], findings: Findings, *, rounds: int) -> None:
    """Start agents over all of them, the first one being gone."""
    name, ids = stage.venue.name, frozenset(instance.id for instance in present)
    held = await back_in_sync(stage, findings, ids, rounds=rounds)
    if name in findings.fleets:
        findings.fleets[name] = replace(findings.fleets[name], restarted=held)
