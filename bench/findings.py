"""What was found, as values: latencies with their spread, counts, and what could not be measured with the reason.

Here: medians, percentiles, ratios. Not here: measuring, printing.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum

from agent.model.errors import AgentError


class Row(StrEnum):
    """A latency that is measured; the value is what people read."""

    FLOOR = "raw limit: server-side apply over a kept connection"
    CHANGED = "Perigee: published → applied"
    CALLED = "  of which: the call that publishes"
    TOLD = "Perigee: published → reported ready"
    KUBECTL = "kubectl apply --server-side -f FILE"
    HELM = "helm upgrade RELEASE CHART"
    EXISTS = "Perigee: published → every object exists (by stages)"
    READY = "Perigee: published → every pod ready"
    HELM_EXISTS = "helm install → every object exists (waits for nothing)"
    RESTARTED = "process start → every instance reconciled"
    POLL_SAME = "poll, nothing new (304)"
    RAW_SAME = "the same by a bare HTTPS client"
    POLL_NEW = "poll, an index of 200 instances"
    RAW_NEW = "the same bytes by a bare HTTPS client"
    VERIFIED = "verify and parse that index"
    CHECKED = "only Ed25519 and json.loads of it"


@dataclass(frozen=True, slots=True)
class Latency:
    """Durations in seconds, in the order in which they were measured; at least one."""

    seconds: tuple[float, ...]

    @property
    def n(self) -> int:
        """How many there are."""
        return len(self.seconds)

    @property
    def p50(self) -> float:
        """The median."""
        return percentile(self.seconds, 0.5)

    @property
    def p95(self) -> float:
        """What 95 of 100 stay within."""
        return percentile(self.seconds, 0.95)

    @property
    def longest(self) -> float:
        """The longest."""
        return max(self.seconds)


def percentile(values: Sequence[float], share: float) -> float:
    """The value that this share of them does not exceed, interpolated between neighbours."""
    ordered = sorted(values)
    place = (len(ordered) - 1) * share
    low, high = math.floor(place), math.ceil(place)
    return ordered[low] + (ordered[high] - ordered[low]) * (place - low)


@dataclass(frozen=True, slots=True)
class Traffic:
    """Requests to the API server by verb, as its audit log shows them, and how many of them were writes."""

    by_verb: Mapping[str, int]
    writes: int

    @property
    def total(self) -> int:
        """All of them."""
        return sum(self.by_verb.values())


@dataclass(frozen=True, slots=True)
class Rest:
    """An idle agent, watched for so many seconds."""

    watched_seconds: float
    traffic: Traffic
    resident_bytes: int
    cpu_seconds: float

    @property
    def cpu_seconds_per_minute(self) -> float:
        """CPU time, scaled to a minute."""
        return self.cpu_seconds * 60 / self.watched_seconds


@dataclass(slots=True)
class Findings:
    """Everything that one run found. Keys are a row and a venue; the venue is empty where no cluster takes part."""

    latencies: dict[tuple[Row, str], Latency] = field(default_factory=dict)
    restarts: dict[str, Traffic] = field(default_factory=dict)
    rests: dict[str, Rest] = field(default_factory=dict)
    objects: dict[str, int] = field(default_factory=dict)
    unmeasured: dict[tuple[str, str], str] = field(default_factory=dict)

    def add(self, row: Row, venue: str, seconds: Sequence[float]) -> None:
        """Keep what was measured, if anything was."""
        if seconds:
            self.latencies[row, venue] = Latency(tuple(seconds))

    def ratio(self, row: Row, venue: str, *, to: Row) -> float | None:
        """How many times the median of ``to`` this row's median is; None if one of them was not measured."""
        own, other = self.latencies.get((row, venue)), self.latencies.get((to, venue))
        return own.p50 / other.p50 if own and other else None

    @contextmanager
    def trying(self, what: str, venue: str) -> Iterator[None]:
        """Measure, or note why it could not be: one row that fails does not take the others with it."""
        try:
            yield
        except FORESEEN as error:
            self.unmeasured[what, venue] = reason(error)
        except ExceptionGroup as group:  # a TaskGroup's way to fail
            foreseen, unforeseen = group.split(FORESEEN)
            if foreseen is None or unforeseen is not None:
                raise
            self.unmeasured[what, venue] = reason(_first(foreseen))


class Unmeasured(Exception):
    """Something that a measurement needs did not do what it should; the message is what it said."""


FORESEEN = (AgentError, OSError, TimeoutError, Unmeasured)
"""What may keep one row from being measured; any other error is a bug of the bench and ends it."""


def reason(error: BaseException) -> str:
    """One line that says why something was not measured."""
    if isinstance(error, TimeoutError):
        return "it took longer than this measurement waits"
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1][:200] if lines else type(error).__name__


def _first(group: BaseExceptionGroup[Exception]) -> BaseException:
    first: BaseException = group
    while isinstance(first, BaseExceptionGroup):
        first = first.exceptions[0]
    return first
