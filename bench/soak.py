"""Very many changes through one agent on the embedded cluster, and what they leave in its memory.

Every change takes the whole way: published, signed, polled, verified, kept, applied, seen by a watch, reported. Several
instances change at once, each as soon as its last change was seen. Not here: how the memory looks as a picture.
"""

from __future__ import annotations

import asyncio
import sys

from agent.loops.pace import SystemClock
from bench.findings import Findings, Soak, Unmeasured
from bench.ledger import memory
from bench.process import AgentProcess, first, running
from bench.sight import PATIENCE_SECONDS, awaited, wants
from bench.stage import Instance, Stage

_SAMPLE_SECONDS = 1.0
_TOLD_EVERY = 60


class _Course:
    """How far it is."""

    def __init__(self, changes: int) -> None:
        self.changes = changes
        self.begun = 0
        self.done = 0
        self.samples: list[tuple[int, int]] = []

    def next(self) -> bool:
        """Whether another change is to be made; if so, it counts as begun."""
        self.begun += 1
        return self.begun <= self.changes


async def measure(stage: Stage, findings: Findings, *, changes: int) -> None:
    """So many changes in all; what was sampled is kept even if it ends before its time."""
    clock, course = SystemClock(), _Course(changes)
    async with running(stage.settings(), stage.venue.directory) as agent:
        await agent.logged(first("index_accepted"))
        for instance in stage.instances:
            await stage.told_ready(instance, await stage.publish(instance))
        began = clock.monotonic()
        try:
            async with asyncio.TaskGroup() as group:
                sampler = group.create_task(_sample(agent, course))
                async with asyncio.TaskGroup() as changers:
                    for instance in stage.instances:
                        changers.create_task(_change(stage, instance, course, agent))
                sampler.cancel()
        finally:
            findings.soaks[stage.venue.name] = Soak(course.done, clock.monotonic() - began, course.samples)


async def _change(stage: Stage, instance: Instance, course: _Course, agent: AgentProcess) -> None:
    while course.next():
        seen = stage.sight.expect(wants(instance.api_server, instance.toggled()))
        revision = await stage.publish(instance)
        try:
            await awaited(seen)
        except TimeoutError:
            raise Unmeasured(await _stuck(stage, instance, revision, agent)) from None
        course.done += 1


async def _stuck(stage: Stage, instance: Instance, revision: int, agent: AgentProcess) -> str:
    """Why a change may not have come through, as far as the agent told."""
    told = (await stage.plane.statuses(stage.cluster)).get(instance.id)
    claims = ", ".join(f"{one.type} {one.status} ({one.reason})" for one in told.conditions) if told else "nothing"
    last = f"revision {told.revision}, {claims}" if told else claims
    return (
        f"revision {revision} of {instance.name} was not applied within {PATIENCE_SECONDS:.0f} s; "
        f"told last: {last}; the agent warned last: {agent.warning or 'never'}"
    )


async def _sample(agent: AgentProcess, course: _Course) -> None:
    clock, never = SystemClock(), asyncio.Event()
    while True:
        course.samples.append((course.done, memory(agent).resident))
        if len(course.samples) % _TOLD_EVERY == 0:
            sys.stderr.write(f"    {course.done} of {course.changes} changes\n")
        await clock.wait(never, seconds=_SAMPLE_SECONDS)
