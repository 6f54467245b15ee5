"""The resources that a container gets where the document says nothing, and what pods take of a quota."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from math import ceil

from agent.model.instance import Resources
from agent.model.objects import Manifest
from agent.model.quantities import amount

MEBIBYTE = 1024**2


def cores(value: Fraction) -> str:
    """A number of cores, rounded up to thousandths."""
    return f"{ceil(value * 1000)}m"


def mebibytes(value: Fraction) -> str:
    """A number of bytes, rounded up to mebibytes."""
    return f"{ceil(value / MEBIBYTE)}Mi"


@dataclass(frozen=True, slots=True)
class Footprint:
    """What pods take of a quota: cores and bytes requested, bytes that they may grow to."""

    cores: Fraction = Fraction(0)
    memory: Fraction = Fraction(0)
    memory_limit: Fraction = Fraction(0)
    pods: int = 0

    def times(self, count: int) -> Footprint:
        """The footprint of so many of these."""
        return Footprint(self.cores * count, self.memory * count, self.memory_limit * count, self.pods * count)


def total(footprints: Iterable[Footprint]) -> Footprint:
    """The sum."""
    together = tuple(footprints)
    return Footprint(
        sum((each.cores for each in together), Fraction(0)),
        sum((each.memory for each in together), Fraction(0)),
        sum((each.memory_limit for each in together), Fraction(0)),
        sum(each.pods for each in together),
    )


def footprint(resources: Resources) -> Footprint:
    """What one pod with one container of complete resources takes."""
    return Footprint(
        amount(resources.requests["cpu"]),
        amount(resources.requests["memory"]),
        amount(resources.limits["memory"]),
        1,
    )


def complete(resources: Resources, *, memory: str) -> Resources:
    """The resources with what every container must have: requests of both kinds and a bound on memory.

    A missing memory request is the limit, a missing limit is the request, and ``memory`` stands in for both.
    Processor limits stay the document's choice: throttling a heartbeat looks like a dead process.
    """
    requests, limits = dict(resources.requests), dict(resources.limits)
    requests.setdefault("cpu", limits.get("cpu", "100m"))
    requests.setdefault("memory", limits.get("memory", memory))
    limits.setdefault("memory", requests["memory"])
    return Resources(requests, limits)


def manifest(resources: Resources) -> Manifest:
    """As a container has it, in stable order."""
    return {"requests": dict(sorted(resources.requests.items())), "limits": dict(sorted(resources.limits.items()))}
