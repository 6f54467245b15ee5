"""The order of one run: open both clusters, work on one after the other, watch both at rest at once, restart both.

Here: what follows what, and that one failure does not take the rest with it. Not here: any single measurement.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

from agent.loops.pace import SystemClock
from bench import creation, life, protocol
from bench.changes import AtTheLimit, Entry, ThroughTheAgent, race
from bench.findings import Findings, Unmeasured
from bench.others import Helm, Kubectl
from bench.process import AgentProcess, first, running
from bench.scale import Scale
from bench.stage import Stage, staged
from bench.venues import EMBEDDED, REAL, Venue, embedded, find_tools, real
from control_plane.server import ControlPlane
from control_plane.settings import Ports, Settings
from sandbox.realcluster import Programs, TestClusterError

_OPENERS: dict[str, Callable[[Path, Programs], AbstractAsyncContextManager[Venue]]] = {EMBEDDED: embedded, REAL: real}


@dataclass(frozen=True, slots=True)
class _House:
    """What every cluster of a run is opened in."""

    directory: Path
    tools: Programs
    plane: ControlPlane
    scale: Scale


async def measure(scale: Scale, *, venues: tuple[str, ...]) -> Findings:
    """Measure everything once."""
    findings = Findings()
    async with AsyncExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="perigee-bench-")))
        plane_settings = Settings(directory=directory / "control-plane", ports=Ports.free())
        plane = await stack.enter_async_context(ControlPlane.serve(plane_settings))
        _say("the protocol")
        with findings.trying("protocol", ""):
            await protocol.measure(plane, directory, findings, scale=scale)
        stages: list[Stage] = []
        house = _House(directory, await find_tools(), plane, scale)
        for name in venues:
            _say(f"{name}: starting the cluster")
            with findings.trying("cluster", name):
                stages.append(await _staged(stack, name, house))
        await _on(stages, findings, scale)
    return findings


async def _staged(stack: AsyncExitStack, name: str, house: _House) -> Stage:
    directory = house.directory / name
    await asyncio.to_thread(directory.mkdir)
    try:
        venue = await stack.enter_async_context(_OPENERS[name](directory, house.tools))
    except TestClusterError as error:
        raise Unmeasured(str(error)) from error
    return await stack.enter_async_context(staged(venue, house.plane, instances=house.scale.instances))


async def _on(stages: list[Stage], findings: Findings, scale: Scale) -> None:
    """Everything that happens on the clusters that could be had."""
    async with AsyncExitStack() as agents:
        working: list[tuple[Stage, AgentProcess]] = []
        for stage in stages:
            with findings.trying("agent", stage.venue.name):
                agent = await agents.enter_async_context(running(stage.settings(), stage.venue.directory))
                await agent.logged(first("index_accepted"))
                working.append((stage, agent))
                await _work(stage, findings, scale)
        _say(f"{scale.rest_seconds:.0f} s at rest")
        async with asyncio.TaskGroup() as group:
            for stage, agent in working:
                group.create_task(_at_rest(stage, agent, findings, scale))
    for stage, _ in working:
        _say(f"{stage.venue.name}: restarts")
        with findings.trying("restart", stage.venue.name):
            await life.restarted(stage, findings, rounds=scale.restarts)


async def _at_rest(stage: Stage, agent: AgentProcess, findings: Findings, scale: Scale) -> None:
    with findings.trying("the agent at rest", stage.venue.name):
        await life.at_rest(stage, agent, findings, seconds=scale.rest_seconds)


async def _work(stage: Stage, findings: Findings, scale: Scale) -> None:
    venue = stage.venue.name
    _say(f"{venue}: creation of instances")
    with findings.trying("creation of instances", venue):
        await creation.measure(stage, findings)
    entries = [Entry(ThroughTheAgent(stage), scale.changes)]
    _say(f"{venue}: preparing what it is compared with")
    with findings.trying(AtTheLimit.name, venue):
        entries.append(Entry(await AtTheLimit.ready(stage), scale.floor))
    with findings.trying(Kubectl.name, venue):
        entries.append(Entry(await Kubectl.ready(stage), scale.kubectl))
    with findings.trying(Helm.name, venue):
        entries.append(Entry(await Helm.ready(stage, findings), scale.helm))
    _say(f"{venue}: changes, by turns")
    await race(stage, findings, entries)


def _say(what: str) -> None:
    """Progress goes to standard error, so that standard output holds figures only."""
    sys.stderr.write(f"  {SystemClock().now():%H:%M:%S} measuring {what}\n")
    sys.stderr.flush()
