"""One change of replicas: through the agent, and by the least that any client could do, judged by the same watch.

Here: what a contender is, the agent and the floor as contenders, and taking turns, so that whatever else the machine
does at a moment meets all of them. Not here: kubectl and helm (``others``). A round begins when the one before has
settled: latency is measured, not a queue.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import cycle
from typing import Protocol

from agent.loops.pace import SystemClock
from agent.model.objects import Manifest
from bench.findings import Findings, Row
from bench.sight import awaited, path_of, settled, wants
from bench.stage import COMPONENT, Instance, Stage
from bench.twins import disowned

Seconds = dict[Row, float]


class Contender(Protocol):
    """One way to change the replicas of a Deployment."""

    name: str

    async def change(self) -> Seconds:
        """Change them once, wait until all has settled, and tell how long what took."""
        ...


@dataclass(frozen=True, slots=True)
class Entry:
    """A contender and how many rounds it has."""

    contender: Contender
    rounds: int


async def race(stage: Stage, findings: Findings, entries: Sequence[Entry]) -> None:
    """Every contender's rounds, spread evenly over the time that all of them take; one that fails leaves the race."""
    venue, measured, out = stage.venue.name, defaultdict[Row, list[float]](list), set[str]()
    for contender in in_turns(entries):
        if contender.name in out:
            continue
        out.add(contender.name)
        with findings.trying(contender.name, venue):
            for row, seconds in (await contender.change()).items():
                measured[row].append(seconds)
            out.discard(contender.name)
    for row, series in measured.items():
        findings.add(row, venue, series)


def in_turns(entries: Sequence[Entry]) -> Iterator[Contender]:
    """Each contender as often as it has rounds, none of them long without a turn."""
    places = [((turn + 0.5) / entry.rounds, entry.contender) for entry in entries for turn in range(entry.rounds)]
    return (contender for _, contender in sorted(places, key=lambda place: place[0]))


class ThroughTheAgent:
    """Published at the control plane; the instances take turns."""

    name = "changes through the agent"

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._clock = SystemClock()
        self._instances = cycle(stage.instances)

    async def change(self) -> Seconds:
        """Published → visible; the publishing call alone; published → reported at all, and reported ready."""
        stage, clock, instance = self._stage, self._clock, next(self._instances)
        replicas = instance.toggled()
        seen = stage.sight.expect(wants(instance.api_server, replicas))
        began = clock.monotonic()
        revision = await stage.publish(instance)
        called = clock.monotonic() - began
        changed = await awaited(seen) - began
        await stage.told(instance, revision)
        reported = clock.monotonic() - began
        await stage.told_ready(instance, revision)
        told = clock.monotonic() - began
        await stage.sight.until(settled(instance.api_server, replicas))
        return {Row.CHANGED: changed, Row.CALLED: called, Row.REPORTED: reported, Row.TOLD: told}


class AtTheLimit:
    """The same Deployment, elsewhere, applied straight to the API server over a kept connection."""

    name = "changes at the API server's limit"

    def __init__(self, stage: Stage, twin: Instance, manifest: Manifest) -> None:
        self._stage = stage
        self._twin = twin
        self._manifest = manifest
        self._clock = SystemClock()

    @classmethod
    async def ready(cls, stage: Stage) -> AtTheLimit:
        """A contender whose Deployment is there and at work."""
        twin = Instance("floor")
        manifest = await prepared(stage, twin)
        await stage.api.apply(path_of(twin.api_server), manifest)
        await stage.sight.until(settled(twin.api_server, 1))
        return cls(stage, twin, manifest)

    async def change(self) -> Seconds:
        """Applied → visible."""
        stage, twin = self._stage, self._twin
        replicas = twin.toggled()
        self._manifest["spec"]["replicas"] = replicas
        seen = stage.sight.expect(wants(twin.api_server, replicas))
        began = self._clock.monotonic()
        await stage.api.apply(path_of(twin.api_server), self._manifest)
        changed = await awaited(seen) - began
        await stage.sight.until(settled(twin.api_server, replicas))
        return {Row.FLOOR: changed}


async def prepared(stage: Stage, twin: Instance) -> Manifest:
    """The Deployment that the agent would make, under a label that it does not take for its own, and what its pods
    need to be made: the namespace and the account.
    """
    by_kind = {one["kind"]: one for one in twin.manifests() if one["metadata"]["name"] == COMPONENT}
    await stage.api.make_namespace(twin.namespace)
    accounts = f"/api/v1/namespaces/{twin.namespace}/serviceaccounts"
    await stage.api.send("POST", accounts, body=disowned(by_kind["ServiceAccount"]))
    return disowned(by_kind["Deployment"])
