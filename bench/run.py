"""The order of one run: open the clusters, work on one after the other, watch each at rest, restart, and soak at last.

Here: what follows what, and that one failure does not take the rest with it. Not here: any single measurement.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from agent.loops.pace import SystemClock
from bench import creation, fleet, life, pairs, protocol, renders, soak
from bench.changes import AtTheLimit, Entry, ThroughTheAgent, race
from bench.findings import Findings, Unmeasured
from bench.fleet import Crowd
from bench.life import Idle
from bench.others import Helm, Kubectl
from bench.process import first, running
from bench.scale import Scale
from bench.stage import Instance, Stage, staged
from bench.venues import EMBEDDED, REAL, SOAK, Venue, embedded, find_tools, real
from bench.whole import AgentMakes, HelmMakes, KubectlMakes, LimitMakes
from control_plane.server import ControlPlane
from control_plane.settings import Ports, Settings
from sandbox.realcluster import Programs, TestClusterError
from sandbox.testcluster import AuditLog

_SOAKING = 20
"""How many instances change at once in the soak."""


def _soaking(directory: Path, tools: Programs) -> AbstractAsyncContextManager[Venue]:
    return embedded(directory, tools, name=SOAK)


_OPENERS: dict[str, Callable[[Path, Programs], AbstractAsyncContextManager[Venue]]] = {
    EMBEDDED: embedded,
    REAL: real,
    SOAK: _soaking,
}


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run shall do: which parts, how much of each, and where. The last venue is the heavy one."""

    scale: Scale
    parts: frozenset[str]
    venues: tuple[str, ...]

    def here(self, part: str, venue: str) -> bool:
        """Whether this part is measured on that cluster."""
        return part in self.parts and venue == self.venues[-1]


@dataclass(frozen=True, slots=True)
class _House:
    """What every cluster of a run is opened in."""

    directory: Path
    tools: Programs
    plane: ControlPlane
    findings: Findings
    plan: Plan


async def measure(plan: Plan, findings: Findings) -> None:
    """Measure everything once."""
    async with AsyncExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="perigee-bench-")))
        plane_settings = Settings(directory=directory / "control-plane", ports=Ports.free())
        plane = await stack.enter_async_context(ControlPlane.serve(plane_settings))
        house = _House(directory, await find_tools(), plane, findings, plan)
        await _alone(house)
        if plan.parts & {"changes", "many", "whole", "rest", "fleet"}:
            for name in plan.venues:
                with findings.trying("cluster", name):
                    await _on(name, house)
        if "soak" in plan.parts:
            _say(f"{plan.scale.soak_changes} changes, and what they leave in memory")
            with findings.trying("very many changes", SOAK):
                async with _opened(SOAK, house, instances=_SOAKING) as stage:
                    await soak.measure(stage, findings, changes=plan.scale.soak_changes)


async def _alone(house: _House) -> None:
    """What needs no cluster."""
    if "protocol" in house.plan.parts:
        _say("the protocol")
        with house.findings.trying("protocol", ""):
            await protocol.measure(house.plane, house.directory, house.findings, scale=house.plan.scale)
    if "rendering" in house.plan.parts:
        _say("rendering")
        with house.findings.trying("rendering", ""):
            renders.measure(house.findings, rounds=house.plan.scale.renders)


@asynccontextmanager
async def _opened(name: str, house: _House, *, instances: int) -> AsyncIterator[Stage]:
    directory = house.directory / name
    await asyncio.to_thread(directory.mkdir)
    async with AsyncExitStack() as stack:
        try:
            venue = await stack.enter_async_context(_OPENERS[name](directory, house.tools))
        except TestClusterError as error:
            raise Unmeasured(str(error)) from error
        yield await stack.enter_async_context(staged(venue, house.plane, instances=instances))


async def _on(name: str, house: _House) -> None:
    """Everything that happens on one cluster."""
    plan, findings = house.plan, house.findings
    _say(f"{name}: starting the cluster")
    async with _opened(name, house, instances=plan.scale.instances) as stage:
        born = await AuditLog(stage.venue.audit_log).mark()
        present: list[Instance] = []
        with findings.trying("agent", name):
            async with running(stage.settings(), stage.venue.directory) as agent:
                await agent.logged(first("index_accepted"))
                crowd = Crowd(agent, born, present)
                await _work(stage, crowd, house)
                await _rest(stage, crowd, house)
        if plan.parts & {"rest", "fleet"}:
            _say(f"{name}: restarts over {len(present)} instances")
        with findings.trying("restart", name):
            if plan.here("fleet", name):
                await fleet.start_again(stage, present, findings, rounds=plan.scale.fleet_restarts)
            elif "rest" in plan.parts:
                await life.restarted(stage, findings, rounds=plan.scale.restarts)


async def _work(stage: Stage, crowd: Crowd, house: _House) -> None:
    plan, findings, venue = house.plan, house.findings, stage.venue.name
    if plan.parts & {"changes", "rest", "fleet"}:
        _say(f"{venue}: creation of instances")
        crowd.present.extend(stage.instances)
        with findings.trying("creation of instances", venue):
            await creation.measure(stage, findings)
    if "changes" in plan.parts:
        await _changes(stage, findings, plan.scale)
    if plan.here("whole", venue):
        crowd.present.extend(await _whole(stage, findings, plan.scale))
    if plan.here("many", venue):
        _say(f"{venue}: many instances for the first time")
        with findings.trying("many instances for the first time", venue):
            await pairs.measure(stage, crowd, findings, plan.scale)
    if plan.here("fleet", venue):
        _say(f"{venue}: growing to {plan.scale.fleet} instances")
        with findings.trying("many instances", venue):
            await fleet.grow(stage, crowd, findings, instances=plan.scale.fleet)
        _say(f"{venue}: changes among {len(crowd.present)} instances")
        await fleet.change_one(stage, crowd, findings, rounds=plan.scale.fleet_changes)


async def _rest(stage: Stage, crowd: Crowd, house: _House) -> None:
    plan, venue = house.plan, stage.venue.name
    crowded = plan.here("fleet", venue)
    if not crowded and "rest" not in plan.parts:
        return
    seconds = plan.scale.fleet_rest_seconds if crowded else plan.scale.rest_seconds
    _say(f"{venue}: {seconds:.0f} s at rest with {len(crowd.present)} instances")
    with house.findings.trying("the agent at rest", venue):
        await life.at_rest(stage, crowd.agent, house.findings, Idle(seconds, crowd.born))


async def _changes(stage: Stage, findings: Findings, scale: Scale) -> None:
    venue = stage.venue.name
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


async def _whole(stage: Stage, findings: Findings, scale: Scale) -> list[Instance]:
    _say(f"{stage.venue.name}: whole instances, by turns")
    through, rounds = AgentMakes(stage), scale.whole
    others = (LimitMakes(stage), KubectlMakes(stage), HelmMakes(stage))
    shares = (rounds, max(2, rounds // 2), max(2, rounds // 4))
    await race(stage, findings, [Entry(through, rounds), *map(Entry, others, shares)])
    return through.made


def _say(what: str) -> None:
    """Progress goes to standard error, so that standard output holds figures only."""
    sys.stderr.write(f"  {SystemClock().now():%H:%M:%S} measuring {what}\n")
    sys.stderr.flush()
