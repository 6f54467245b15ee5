"""How long a whole instance takes: published → every object exists → every pod ready, one instance after the other."""

from __future__ import annotations

from agent.loops.pace import SystemClock
from bench.findings import Findings, Row
from bench.sight import awaited, exist, run
from bench.stage import Stage


async def measure(stage: Stage, findings: Findings) -> None:
    """Create every instance of the stage."""
    clock, venue = SystemClock(), stage.venue.name
    existing: list[float] = []
    ready: list[float] = []
    for instance in stage.instances:
        refs = instance.refs()
        there, works = stage.sight.expect(exist(refs)), stage.sight.expect(run(refs))
        began = clock.monotonic()
        revision = await stage.publish(instance)
        existing.append(await awaited(there) - began)
        ready.append(await awaited(works) - began)
        await stage.told_ready(instance, revision)
        findings.objects[venue] = len(refs) + 1  # and the migration Job, before which no component exists
    findings.add(Row.EXISTS, venue, existing)
    findings.add(Row.READY, venue, ready)
