"""How many requests the agent makes of one API server: a token bucket whose rate follows the server's 429 answers.

Here: additive increase and multiplicative decrease of the rate, pauses as long as ``Retry-After`` says, and bounded
waiting. Not here: sending, and what a 429 means to who asked (``client``, ``faults``).

API Priority and Fairness tells with each answer which priority level handled the request. Requests that went to the
level which is full pause together; others go on. Requests of the lease take their part of the budget and never wait.
See Kubernetes' "API Priority and Fairness"; why there is a budget at all: rancher/fleet#1465.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from agent.model.errors import Throttled
from agent.ports import Clock

LEVEL_HEADER = "X-Kubernetes-PF-PriorityLevel-UID"
MOST_WAIT_SECONDS = 10.0
"""Who would have to wait for longer is told so at once: its loop has something better to do than to hold a slot."""
_LEAST_PER_SECOND = 5.0
_RECOVERY_SECONDS = 30.0
"""So long the rate takes to grow from nothing to its most."""
_PAUSE_SECONDS = 1.0
"""The pause after a 429 that names none; the API server's own word is one second."""
_LONGEST_PAUSE_SECONDS = 300.0
_LEASES = "/apis/coordination.k8s.io/"


class Priority(StrEnum):
    """What a request is for. Without Priority and Fairness an API server bounds looks and changes apart as well."""

    LEASE = "lease"
    CHANGE = "change"
    LOOK = "look"


def priority_of(method: str, path: str) -> Priority:
    """The priority of a request."""
    if path.startswith(_LEASES):
        return Priority.LEASE
    return Priority.LOOK if method == "GET" else Priority.CHANGE


@dataclass(frozen=True, slots=True)
class Admission:
    """That a request may be sent, and since when."""

    priority: Priority
    at: float


class RequestBudget:
    """The budget of one API server. ``per_second`` and ``burst`` are the most that it ever allows."""

    def __init__(self, clock: Clock, *, per_second: float, burst: int) -> None:
        self._clock = clock
        self._most = per_second
        self._burst = burst
        self._base = per_second
        self._cut_at = self._filled_at = clock.monotonic()
        self._tokens = float(burst)
        self._pace = _Pace()
        self._paused_until: dict[Priority, float] = {}
        self._levels: dict[Priority, str] = {}
        self._waited: dict[str, float] = {}

    def rate(self) -> float:
        """Requests per second that are allowed at present."""
        return self._rate_at(self._clock.monotonic())

    def waited(self) -> Mapping[str, float]:
        """Seconds that requests waited for their turn since the start, by priority."""
        return dict(self._waited)

    async def admit(self, priority: Priority) -> Admission:
        """Wait for the turn of one request. Raises Throttled, saying how long, where that would take too long."""
        now = began = self._clock.monotonic()
        self._refill(now)
        self._tokens -= 1
        if priority is not Priority.LEASE:
            try:
                now = await self._turn(priority, began)
            except BaseException:
                self._tokens += 1
                raise
        self._pace.count(now)
        return Admission(priority, now)

    async def _turn(self, priority: Priority, began: float) -> float:
        """Wait until the bucket holds our token, and for as long as our priority is paused."""
        now, due = began, began + max(0.0, -self._tokens) / self._rate_at(began)
        while (until := max(due, self._paused_until.get(priority, 0.0))) > now:
            if until - began > MOST_WAIT_SECONDS:
                message = f"the budget of requests to the API server is used up for {until - now:.0f} s"
                raise Throttled(message, after_seconds=until - now)
            await self._clock.wait(asyncio.Event(), seconds=until - now)
            before, now = now, self._clock.monotonic()
            self._waited[priority.value] = self._waited.get(priority.value, 0.0) + now - before
        return now

    def answered(self, admission: Admission, *, level: str) -> None:
        """The server took the request; ``level`` is where, if it said so."""
        self._levels[admission.priority] = level

    def throttled(self, admission: Admission, *, level: str, after_seconds: float | None) -> None:
        """The server answered 429: pause whoever would meet the same, and be content with less from now on."""
        now = self._clock.monotonic()
        until = now + min(after_seconds if after_seconds is not None else _PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS)
        for priority in (Priority.CHANGE, Priority.LOOK):
            if priority is admission.priority or (level and self._levels.get(priority) == level):
                self._paused_until[priority] = max(until, self._paused_until.get(priority, 0.0))
        if admission.at >= self._cut_at:  # an answer to what was sent before the last cut says nothing about this rate
            self._cut(now)

    def _cut(self, now: float) -> None:
        # Half of what was really sent: half of a limit that nobody reaches would change nothing.
        self._refill(now)
        half = min(self._rate_at(now), self._pace.per_second(now)) / 2
        self._base = min(self._most, max(_LEAST_PER_SECOND, half))
        self._cut_at = now
        self._tokens = min(self._tokens, 0.0)

    def _rate_at(self, now: float) -> float:
        return min(self._most, self._base + (now - self._cut_at) * self._most / _RECOVERY_SECONDS)

    def _refill(self, now: float) -> None:
        rate = self._rate_at(now)
        gained = (now - self._filled_at) * (self._rate_at(self._filled_at) + rate) / 2
        self._tokens = min(self._tokens + gained, max(1.0, self._burst * rate / self._most))
        self._filled_at = now


class _Pace:
    """How many requests were really sent in a second: of the present second and the one before it, the busier."""

    def __init__(self) -> None:
        self._second = 0
        self._present = self._before = 0

    def count(self, now: float) -> None:
        """One more was sent."""
        self._turn(now)
        self._present += 1

    def per_second(self, now: float) -> float:
        """The pace."""
        self._turn(now)
        return float(max(self._present, self._before))

    def _turn(self, now: float) -> None:
        passed = int(now) - self._second
        if passed:
            self._before = self._present if passed == 1 else 0
            self._second, self._present = int(now), 0
