"""Many instances for the first time: objects a second through the agent, and by the least that a client can do.

The same objects both times, under fresh names: instances that hibernate from birth, so that everything exists but no
pod is waited for and none loads the cluster. Both apply four instances at once and eight objects of each, which is what
the agent does by default, and a namespace before what lies in it. The rounds take turns and who begins alternates.
Nothing is deleted in between: the cluster's clearing up would fall upon whoever comes next.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace

from agent.loops.pace import SystemClock
from agent.model.objects import ObjectRef
from agent.settings.tree import ReconcileSettings
from bench.findings import Findings, Pair
from bench.fleet import Crowd
from bench.ledger import cpu_seconds, traffic
from bench.scale import Scale
from bench.sight import anything, awaited, calm
from bench.stage import Instance, Stage
from bench.twins import Applier, Copy, copy_of
from sandbox.testcluster import AuditLog

_INSTANCES_AT_ONCE = ReconcileSettings().concurrency
PATIENCE_SECONDS = 600.0


async def measure(stage: Stage, crowd: Crowd, findings: Findings, scale: Scale) -> None:
    """So many pairs of rounds over so many instances; the agent keeps those that it has made."""
    kept = findings.pairs.setdefault(stage.venue.name, [])
    for number in range(scale.pairs):
        fresh = [Instance(f"many-{number}-{count}", asleep=True) for count in range(scale.pair_instances)]
        copies = [copy_of(Instance(f"raw-{number}-{count}", asleep=True)) for count in range(scale.pair_instances)]
        raw = await _raw(stage, copies) if number % 2 else None
        through = await _through(stage, crowd, fresh)
        kept.append(replace(through, raw=raw or await _raw(stage, copies)))


async def _through(stage: Stage, crowd: Crowd, fresh: Sequence[Instance]) -> Pair:
    """The agent's half of a pair, with what it cost: the kernel counts its time, the audit log its requests."""
    log = AuditLog(stage.venue.audit_log)
    mark, before = await log.mark(), cpu_seconds(crowd.agent)
    objects, seconds = await _published(stage, fresh)
    spent, made = cpu_seconds(crowd.agent) - before, await traffic(log, mark)
    crowd.present.extend(fresh)
    return Pair(
        agent=objects / seconds,
        raw=0.0,
        cpu_seconds_per_object=spent / objects,
        requests_per_instance=(made.total - made.aside) / len(fresh),
    )


async def _published(stage: Stage, instances: Sequence[Instance]) -> tuple[int, float]:
    """Publish all at once, and wait until all is reported and calm; how many objects, and seconds until watches had
    shown each of them.
    """
    clock, refs = SystemClock(), [ref for instance in instances for ref in instance.refs()]
    there = stage.sight.expect_each(refs, anything)
    began = clock.monotonic()
    async with asyncio.TaskGroup() as group:
        publications = [group.create_task(stage.publish(instance)) for instance in instances]
    seconds = await awaited(there, seconds=PATIENCE_SECONDS) - began
    for instance, publication in zip(instances, publications, strict=True):
        await stage.told(instance, publication.result(), seconds=PATIENCE_SECONDS)
    await _settled(stage, refs)
    return len(refs), seconds


async def _raw(stage: Stage, copies: Sequence[Copy]) -> float:
    clock, refs = SystemClock(), [ref for copy in copies for ref in copy.refs]
    there = stage.sight.expect_each(refs, anything)
    applier, slots = Applier(stage.api), asyncio.Semaphore(_INSTANCES_AT_ONCE)

    async def one(copy: Copy) -> None:
        async with slots:
            await applier.apply(copy)

    began = clock.monotonic()
    async with asyncio.TaskGroup() as group:
        for copy in copies:
            group.create_task(one(copy))
    rate = len(refs) / (await awaited(there, seconds=PATIENCE_SECONDS) - began)
    await _settled(stage, refs)
    return rate


async def _settled(stage: Stage, refs: Sequence[ObjectRef]) -> None:
    await awaited(stage.sight.expect(calm(refs)), seconds=PATIENCE_SECONDS)
