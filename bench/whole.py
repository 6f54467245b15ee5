"""One whole instance: made, and changed in every object, through the agent and by what a user would take instead.

Everybody has the same objects, of an instance that hibernates from birth: all of them exist and no pod is waited for,
since neither kubectl nor helm would wait. Every round is a new instance: first made, then renamed, which changes a
label of each object. The judge is the watch, from the call or the start of the process until it has shown every object.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Collection
from dataclasses import replace
from pathlib import Path

from agent.loops.pace import SystemClock
from agent.model.objects import ObjectRef
from bench.changes import Seconds
from bench.findings import Row
from bench.others import typed, unvalidated, write_chart
from bench.sight import awaited, calm, titled
from bench.stage import Instance, Stage
from bench.twins import Applier, Copy, copy_of


class AgentMakes:
    """Published at the control plane."""

    name = "a whole instance through the agent"

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self.made: list[Instance] = []

    async def change(self) -> Seconds:
        """Published → every object seen; and again under another title."""
        instance = Instance(f"whole-{len(self.made)}", asleep=True)
        self.made.append(instance)
        first = await self._published(instance)
        instance.title = f"{instance.name}-renamed"
        return {Row.FIRST_AGENT: first, Row.UPDATE_AGENT: await self._published(instance)}

    async def _published(self, instance: Instance) -> float:
        revisions: list[int] = []

        async def publish() -> None:
            revisions.append(await self._stage.publish(instance))

        took = await _until_all(self._stage, instance.refs(), instance.title or instance.name, publish)
        await self._stage.told(instance, revisions[-1])
        return took


class _Copies:
    """Somebody who makes copies of an instance, one after the other, and then renames each."""

    rows: tuple[Row, Row]
    name: str

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._rounds = 0

    async def change(self) -> Seconds:
        """Begun → every object seen; and again under another title."""
        instance = Instance(f"{self.name}-{self._rounds}", asleep=True)
        self._rounds += 1
        renamed = replace(instance, title=f"{instance.name}-renamed")
        first, update = self.rows
        return {first: await self._timed(copy_of(instance)), update: await self._timed(copy_of(renamed))}

    async def _timed(self, copy: Copy) -> float:
        act = await self._ready(copy)
        return await _until_all(self._stage, copy.refs, copy.title, act)

    async def _ready(self, copy: Copy) -> Callable[[], Awaitable[None]]:
        """Prepare what does not count; what is returned does."""
        raise NotImplementedError


class LimitMakes(_Copies):
    """The bench itself, over kept connections."""

    name = "raw"
    rows = (Row.FIRST_RAW, Row.UPDATE_RAW)

    async def _ready(self, copy: Copy) -> Callable[[], Awaitable[None]]:
        applier = Applier(self._stage.api)
        return lambda: applier.apply(copy)


class KubectlMakes(_Copies):
    """A folder with one file."""

    name = "kubectl-whole"
    rows = (Row.FIRST_KUBECTL, Row.UPDATE_KUBECTL)

    async def _ready(self, copy: Copy) -> Callable[[], Awaitable[None]]:
        file = self._stage.venue.directory / "whole.json"
        document = {"apiVersion": "v1", "kind": "List", "items": list(copy.manifests)}
        await asyncio.to_thread(file.write_text, json.dumps(document))
        program, spared = str(self._stage.venue.tool("kubectl")), unvalidated(self._stage, "kubectl")
        return lambda: typed(self._stage, [program, "apply", "--server-side", *spared, "-f", str(file)])


class HelmMakes(_Copies):
    """A chart without values, a release for each instance."""

    name = "helm-whole"
    rows = (Row.FIRST_HELM, Row.UPDATE_HELM)

    async def _ready(self, copy: Copy) -> Callable[[], Awaitable[None]]:
        chart: Path = self._stage.venue.directory / "whole-chart"
        await asyncio.to_thread(write_chart, chart, copy.manifests)
        program, spared = str(self._stage.venue.tool("helm")), unvalidated(self._stage, "helm")
        values = ("--set", "replicas=0")  # the chart asks for them; an instance that hibernates has none
        return lambda: typed(
            self._stage, [program, "upgrade", "--install", copy.instance.name, str(chart), *values, *spared]
        )


async def _until_all(
    stage: Stage, refs: Collection[ObjectRef], title: str, act: Callable[[], Awaitable[None]]
) -> float:
    """From now until each object was seen under this title; then wait until the cluster's controllers are calm."""
    clock = SystemClock()
    there = stage.sight.expect_each(refs, titled(title))
    began = clock.monotonic()
    await act()
    took = await awaited(there) - began
    await stage.sight.until(calm(refs))
    return took
