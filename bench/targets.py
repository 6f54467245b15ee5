"""What the engine has to reach, and whether this run reached it: one line for each figure, in one table.

Here: the limits and where each figure is found. Not here: measuring.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from typing import Literal

from bench.findings import Findings, Row, median
from bench.venues import SOAK

_MILLI = 1000
_MIB, _KIB = 2**20, 2**10


@dataclass(frozen=True, slots=True)
class Target:
    """A figure, the part of the run that measures it, and its limit. ``measured`` makes the figure of findings and the
    heavy venue; None: not measured. ``bare``, where there is one: the same figure of bare requests in the place of the
    agent. Where not even they reach the limit, it is the machine that misses it.
    """

    part: str
    id: str
    what: str
    unit: str
    rule: Literal["≥", "≤", "<"]
    limit: float
    measured: Callable[[Findings, str], float | None]
    bare: Callable[[Findings, str], float | None] | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """A target and what this run makes of it."""

    target: Target
    value: float | None
    bare: float | None = None

    @property
    def reached(self) -> bool | None:
        """Whether the limit was kept; None: not measured."""
        if self.value is None:
            return None
        if self.target.rule == "≥":
            return self.value >= self.target.limit
        return self.value <= self.target.limit if self.target.rule == "≤" else self.value < self.target.limit

    @property
    def ratio(self) -> float | None:
        """The figure over its limit; None where the limit is nothing at all."""
        return self.value / self.target.limit if self.value is not None and self.target.limit else None


def judge(findings: Findings, venue: str, *, parts: Collection[str]) -> Iterator[Verdict]:
    """Every target of these parts, in order."""
    for target in (one for one in TARGETS if one.part in parts):
        bare = target.bare(findings, venue) if target.bare else None
        yield Verdict(target, target.measured(findings, venue), bare)


def _first_apply(findings: Findings, venue: str) -> float | None:
    return median([pair.ratio for pair in findings.pairs.get(venue, ())])


def _times(row: Row, base: Row) -> Callable[[Findings, str], float | None]:
    return lambda findings, venue: findings.ratio(row, venue, to=base)


def _milliseconds(row: Row, share: Literal["p50", "p99"]) -> Callable[[Findings, str], float | None]:
    def find(findings: Findings, venue: str) -> float | None:
        found = findings.latencies.get((row, venue if row is not Row.RENDERED else ""))
        if found is None:
            return None
        return (found.p50 if share == "p50" else found.p99) * _MILLI

    return find


def _restart_writes(findings: Findings, venue: str) -> float | None:
    synced = (Row.IN_SYNC, venue) in findings.latencies
    return findings.restarts[venue].writes if synced and venue in findings.restarts else None


def _in_sync(findings: Findings, venue: str) -> float | None:
    found = findings.latencies.get((Row.IN_SYNC, venue))
    return found.longest if found else None


def _at_rest(figure: Literal["requests", "cpu", "watches"]) -> Callable[[Findings, str], float | None]:
    def find(findings: Findings, venue: str) -> float | None:
        rest = findings.rests.get(venue)
        if rest is None or venue not in findings.fleets:
            return None
        if figure == "requests":
            return rest.requests_per_minute
        return rest.share_of_a_core * 100 if figure == "cpu" else rest.open_watches

    return find


def _memory(findings: Findings, venue: str) -> float | None:
    rest = findings.rests.get(venue)
    return rest.memory.resident / _MIB if rest and venue in findings.fleets else None


def _further(findings: Findings, venue: str) -> float | None:
    fleet = findings.fleets.get(venue)
    return fleet.bytes_per_instance / _KIB if fleet and fleet.bytes_per_instance is not None else None


def _growth(findings: Findings, _venue: str) -> float | None:
    soak = findings.soaks.get(SOAK)
    return soak.growth * 100 if soak and soak.growth is not None else None


TARGETS = (
    Target("many", "firstApply", "first apply of many instances, objects a second", "of raw", "≥", 0.8, _first_apply),
    Target("whole", "kubectlMakes", "an instance made: kubectl takes so many times as long", "times", "≥", 5,
           _times(Row.FIRST_KUBECTL, Row.FIRST_AGENT), _times(Row.FIRST_KUBECTL, Row.FIRST_RAW)),
    Target("whole", "kubectlChanges", "every object changed: kubectl", "times", "≥", 5,
           _times(Row.UPDATE_KUBECTL, Row.UPDATE_AGENT), _times(Row.UPDATE_KUBECTL, Row.UPDATE_RAW)),
    Target("whole", "helmMakes", "an instance made: helm", "times", "≥", 10,
           _times(Row.FIRST_HELM, Row.FIRST_AGENT), _times(Row.FIRST_HELM, Row.FIRST_RAW)),
    Target("whole", "helmChanges", "every object changed: helm", "times", "≥", 10,
           _times(Row.UPDATE_HELM, Row.UPDATE_AGENT), _times(Row.UPDATE_HELM, Row.UPDATE_RAW)),
    Target("fleet", "amongP50", "one changed among many: published → applied, p50", "ms", "<", 200,
           _milliseconds(Row.AMONG, "p50")),
    Target("fleet", "amongP99", "one changed among many: published → applied, p99", "ms", "<", 1000,
           _milliseconds(Row.AMONG, "p99")),
    Target("fleet", "amongReported", "one changed among many: published → reported, p99", "ms", "<", 1000,
           _milliseconds(Row.AMONG_REPORTED, "p99")),
    Target("rendering", "rendering", "every object of an instance rendered, warm, p50", "ms", "≤", 8,
           _milliseconds(Row.RENDERED, "p50")),
    Target("fleet", "restartWrites", "started again over many: writes", "", "≤", 0, _restart_writes),
    Target("fleet", "inSync", "started again over many: in sync after", "s", "<", 20, _in_sync),
    Target("fleet", "restRequests", "at rest with many: requests a minute", "", "<", 60, _at_rest("requests")),
    Target("fleet", "restProcessor", "at rest with many: CPU of one core", "%", "<", 3, _at_rest("cpu")),
    Target("fleet", "memory", "memory with many", "MiB", "<", 300, _memory),
    Target("fleet", "memoryFurther", "memory of each further instance", "KiB", "<", 150, _further),
    Target("fleet", "watches", "open watches with many", "", "≤", 30, _at_rest("watches")),
    Target("soak", "soak", "memory in the last quarter of very many changes, against the first", "% more", "≤", 5,
           _growth),
)  # fmt: skip
