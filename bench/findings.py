"""What was found, as values: latencies with their spread, counts, and what could not be measured with the reason.

Here: medians, percentiles, ratios. Not here: measuring, printing.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum

from agent.model.errors import AgentError

_LONGEST_REASON = 1000


class Row(StrEnum):
    """A latency that is measured; the value is what people read."""

    FLOOR = "raw limit: server-side apply over a kept connection"
    CHANGED = "Perigee: published → applied"
    CALLED = "  of which: the call that publishes"
    TOLD = "Perigee: published → reported ready"
    REPORTED = "Perigee: published → the revision is reported"
    KUBECTL = "kubectl apply --server-side -f FILE"
    HELM = "helm upgrade RELEASE CHART"
    EXISTS = "Perigee: published → every object exists (by stages)"
    READY = "Perigee: published → every pod ready"
    HELM_EXISTS = "helm install → every object exists (waits for nothing)"
    RESTARTED = "process start → every instance reconciled"
    AMONG = "published → applied"
    AMONG_REPORTED = "published → the revision is reported"
    AMONG_READY = "published → reported ready"
    FIRST_RAW = "first: raw limit, server-side apply over kept connections"
    FIRST_AGENT = "first: Perigee, published → every object exists"
    FIRST_KUBECTL = "first: kubectl apply --server-side -f FILE"
    FIRST_HELM = "first: helm upgrade --install RELEASE CHART"
    UPDATE_RAW = "every object changes: raw limit"
    UPDATE_AGENT = "every object changes: Perigee, published → all seen"
    UPDATE_KUBECTL = "every object changes: kubectl apply, as before"
    UPDATE_HELM = "every object changes: helm upgrade, as before"
    RENDERED = "render every object of an instance, warm"
    IN_SYNC = "process start → every instance judged and reported"
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
    def p99(self) -> float:
        """What 99 of 100 stay within."""
        return percentile(self.seconds, 0.99)

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
    """Requests to the API server by verb, as its audit log shows them, and how many of them were writes.

    ``aside``: how many were watches, or were about leases: they keep something open or alive and do no work.
    """

    by_verb: Mapping[str, int]
    writes: int
    aside: int = 0

    @property
    def total(self) -> int:
        """All of them."""
        return sum(self.by_verb.values())


@dataclass(frozen=True, slots=True)
class Memory:
    """What the kernel counts of one process, in bytes: resident, and its share of it."""

    resident: int
    proportional: int


@dataclass(frozen=True, slots=True)
class Rest:
    """An idle agent, watched for so many seconds. ``open_watches`` None: this audit log does not tell."""

    watched_seconds: float
    traffic: Traffic
    memory: Memory
    cpu_seconds: float
    open_watches: int | None

    @property
    def cpu_seconds_per_minute(self) -> float:
        """CPU time, scaled to a minute."""
        return self.cpu_seconds * 60 / self.watched_seconds

    @property
    def requests_per_minute(self) -> float:
        """Requests that do work, scaled to a minute: watches and leases aside."""
        return (self.traffic.total - self.traffic.aside) * 60 / self.watched_seconds

    @property
    def share_of_a_core(self) -> float:
        """CPU time over time."""
        return self.cpu_seconds / self.watched_seconds


@dataclass(frozen=True, slots=True)
class Pair:
    """Many instances' objects for the first time, by the agent and at the API server's limit, one after the other:
    objects a second of each, and what the agent spent, which a busy machine changes less than it changes speed.
    """

    agent: float
    raw: float
    cpu_seconds_per_object: float
    requests_per_instance: float

    @property
    def ratio(self) -> float:
        """How much of the limit the agent reached."""
        return self.agent / self.raw


@dataclass(frozen=True, slots=True)
class Fleet:
    """Many instances on one agent. ``memory`` is by the number of instances present, in the order of growth."""

    instances: int
    objects: int
    first_apply_seconds: float
    memory: Mapping[int, Memory]
    restarted: Memory | None = None
    """That of an agent that was started over all of them."""
    cpu_seconds_per_change: float | None = None
    requests_per_change: float | None = None
    """What the agent spent when one instance among all of them changed; a busy machine hardly alters it."""

    @property
    def bytes_per_instance(self) -> float | None:
        """What each further instance took, between the last two counts; None if there was only one."""
        if len(self.memory) < 2:
            return None
        (few, before), (many, after) = list(self.memory.items())[-2:]
        return (after.resident - before.resident) / (many - few)


@dataclass(frozen=True, slots=True)
class Soak:
    """Very many changes through one agent: (changes so far, resident bytes) as sampled, in order."""

    changes: int
    took_seconds: float
    samples: Sequence[tuple[int, int]]

    def typical(self, first: float, last: float) -> float | None:
        """The median of the samples that were taken between these shares of all changes; None if there are none."""
        low, high = first * self.changes, last * self.changes
        return median([memory for done, memory in self.samples if low < done <= high])

    @property
    def growth(self) -> float | None:
        """How much more the last quarter of the changes has than the first, as a share of the first."""
        first, last = self.typical(0.0, 0.25), self.typical(0.75, 1.0)
        return last / first - 1 if first and last else None


def median(values: Sequence[float]) -> float | None:
    """The median, if there are any."""
    return percentile(values, 0.5) if values else None


@dataclass(slots=True)
class Findings:
    """Everything that one run found. Keys are a row and a venue; the venue is empty where no cluster takes part."""

    latencies: dict[tuple[Row, str], Latency] = field(default_factory=dict)
    restarts: dict[str, Traffic] = field(default_factory=dict)
    rests: dict[str, Rest] = field(default_factory=dict)
    pairs: dict[str, list[Pair]] = field(default_factory=dict)
    fleets: dict[str, Fleet] = field(default_factory=dict)
    soaks: dict[str, Soak] = field(default_factory=dict)
    objects: dict[str, int] = field(default_factory=dict)
    rendered: int = 0
    """How many objects were rendered at once."""
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
        except asyncio.CancelledError:
            # Ctrl-C, once: what is being measured is given up, the rest goes on. Twice ends the run.
            task = asyncio.current_task()
            if task is None or not task.cancelling():
                raise
            task.uncancel()
            self.unmeasured[what, venue] = "interrupted"
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
    return lines[-1][:_LONGEST_REASON] if lines else type(error).__name__


def _first(group: BaseExceptionGroup[Exception]) -> BaseException:
    first: BaseException = group
    while isinstance(first, BaseExceptionGroup):
        first = first.exceptions[0]
    return first
