"""When the agent renews its certificate and follows the control plane's keys: in time, at the start, and when in doubt.

Everything new is kept in the cluster before it is used: a crash in between leaves what was good or what is better, and
never an identity that nobody remembers. Not here: when a renewal is due (planning.renewal), how to get what is new and
how connections take it up (the uplink).
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass
from datetime import datetime

from agent.loops.pace import Backoff
from agent.loops.statuses import Statuses
from agent.loops.trust import Trust
from agent.loops.unforeseen import unforeseen
from agent.model.conditions import Condition, Truth
from agent.model.errors import AgentError, Conflict
from agent.model.facts import CertificateRenewed, RenewalFailed, TrustFailed, TrustFollowed
from agent.planning.renewal import due_at, seconds_until
from agent.ports import Clock, Credentials, Telemetry, Vault

_REST_SECONDS = 5.0
"""So long after a renewal there is no other one, whatever life the new certificate has; twice as long each time that
the authority that issues is none that the trust bundle names first, up to a day.
"""
_LONGEST_REST_SECONDS = 86400.0
_LONGEST_SECONDS = 3600.0
"""So often the clock is looked at, since somebody may put it forward."""


@dataclass(frozen=True, slots=True)
class RotatePorts:
    """What rotating needs of the world."""

    credentials: Credentials
    vault: Vault
    telemetry: Telemetry
    clock: Clock


@dataclass(frozen=True, slots=True)
class RotatePace:
    """The bounds of the waits after failures, and this agent's place among others, between 0 and 1."""

    least_backoff_seconds: float
    most_backoff_seconds: float
    chance: float


class RotateLoop:
    """Keeps the identity and the trust of the agent new."""

    name = "rotate"

    def __init__(self, ports: RotatePorts, statuses: Statuses, trust: Trust, *, pace: RotatePace) -> None:
        self._ports = ports
        self._statuses = statuses
        self._trust = trust
        self._chance = pace.chance
        self._backoff = Backoff(pace.least_backoff_seconds, pace.most_backoff_seconds)
        self._unsure = False
        """Whether the last look for newer trust failed."""
        self._superseded_at: datetime | None = None
        self._rest = _REST_SECONDS
        self._rests_until = float("-inf")
        self._trust.version = ports.credentials.trust

    async def run(self, stop: asyncio.Event) -> None:
        """Look at the start, when something is due and when in doubt, until told to stop."""
        self._trust.doubted.set()
        while not stop.is_set():
            await self._either(stop, await self._round())

    async def _either(self, stop: asyncio.Event, seconds: float) -> None:
        """Wait for the time, for a doubt or for the stop."""
        clock = self._ports.clock
        async with asyncio.TaskGroup() as group:
            waits = [
                group.create_task(clock.wait(stop, seconds=seconds)),
                group.create_task(self._trust.doubted.wait()),
            ]
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            for wait in waits:
                wait.cancel()

    async def _round(self) -> float:
        """Do what is to be done; returns for how long there is nothing."""
        if self._trust.doubted.is_set() or self._unsure:
            self._trust.doubted.clear()
            lost = await self._tried(self._walk())
            self._unsure = lost is not None
            self._say_trust(lost)
        failed = await self._tried(self._renew()) if self._seconds_left() <= 0 else None
        self._say_certificate(failed)
        if failed is not None:
            return self._backoff.next()
        wait = min(self._seconds_left(), _LONGEST_SECONDS)
        if self._unsure:
            return min(self._backoff.next(), wait)
        self._backoff.reset()
        return wait

    async def _tried(self, step: Coroutine[None, None, None]) -> AgentError | None:
        try:
            await step
        except AgentError as error:
            return error
        except Exception as error:  # noqa: BLE001 - what nobody foresaw of a certificate must not stop the agent
            return unforeseen(error)
        return None

    async def _walk(self) -> None:
        """Follow the chain of trust bundles to its end, each step kept before it is believed."""
        credentials, vault = self._ports.credentials, self._ports.vault
        while (content := await credentials.next_trust()) is not None:
            try:
                await vault.keep_trust(content)
            except Conflict:
                content = await vault.trust()  # another replica of ours took the step before us
            credentials.believe(content)
            self._trust.version = credentials.trust
            self._trust.changed.set()
            self._ports.telemetry.emit(TrustFollowed(credentials.trust))

    async def _renew(self) -> None:
        """Get a new key and its certificate, keep them, then use them."""
        credentials, vault = self._ports.credentials, self._ports.vault
        content = await credentials.next_identity()
        try:
            await vault.keep_identity(content)
        except Conflict:
            content = await vault.identity()
        credentials.become(content)
        self._superseded_at = None
        self._rest = min(self._rest * 2, _LONGEST_REST_SECONDS) if credentials.life.superseded else _REST_SECONDS
        self._rests_until = self._ports.clock.monotonic() + self._rest
        self._trust.changed.set()
        self._ports.telemetry.emit(CertificateRenewed(credentials.life.not_after.isoformat(timespec="seconds")))

    def _seconds_left(self) -> float:
        """How long until the certificate is to be renewed."""
        now, life = self._ports.clock.now(), self._ports.credentials.life
        if life.superseded and self._superseded_at is None:
            self._superseded_at = now
        due = due_at(life, superseded_at=self._superseded_at, chance=self._chance)
        rest = self._rests_until - self._ports.clock.monotonic()
        return max(seconds_until(due, now=now), rest, 0.0)

    def _say_trust(self, error: AgentError | None) -> None:
        if error is None:
            self._claim("TrustCurrent", Truth.TRUE, "Newest", f"trust bundle {self._trust.version}")
            return
        self._ports.telemetry.emit(TrustFailed(error.reason, error.explain()))
        self._claim("TrustCurrent", Truth.UNKNOWN, error.reason, error.explain())

    def _say_certificate(self, error: AgentError | None) -> None:
        life, now = self._ports.credentials.life, self._ports.clock.now()
        ends = f"our certificate {'ends' if now < life.not_after else 'ended'} at {life.not_after.isoformat()}"
        valid = Truth.TRUE if now < life.not_after else Truth.FALSE
        if error is None:
            self._claim("CertificateValid", valid, "Valid" if valid is Truth.TRUE else "Expired", ends)
            return
        self._ports.telemetry.emit(RenewalFailed(error.reason, error.explain()))
        self._claim("CertificateValid", valid, error.reason, f"{ends}, and renewing it fails: {error.explain()}")

    def _claim(self, claim: str, status: Truth, reason: str, message: str) -> None:
        self._statuses.claim(Condition(claim, status, reason, message, self._ports.clock.now()))
