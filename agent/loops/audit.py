"""When the audit trail is written down: soon after something happened, many events at once, and nothing at rest.

Here: giving each entry its place in the chain of this process, and keeping the newest unacknowledged records in the
cluster too, once the control plane was silent for a while. Not here: what is worth a record (``telemetry.audit``).
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Final

from agent.loops.unforeseen import unforeseen
from agent.model.audit import AuditEntry, AuditEvent
from agent.model.errors import AgentError, Conflict
from agent.model.facts import AuditNotKept
from agent.model.spool import Letter, Priority
from agent.outgoing import AuditSource, AuditStore, Spool
from agent.ports import Clock, Telemetry
from agent.wire.audit import Chain, read_record, sealed
from agent.wire.strict import digest

MOST_KEPT: Final = 200
MOST_KEPT_BYTES: Final = 256 * 1024
_GATHER_SECONDS = 1.0
_HEAD = "audit"
"""The note with the digest of the last record: the chain of the next life begins with it."""
_GAPS = "audit-gaps"
"""The note that says how many dropped records were told of."""
_RESTORED = "audit-restored"
"""The note that says which records of the cluster are in this outbox already."""


class AuditLoop:
    """Writes entries into the outbox as records of one chain, as long as the process lives."""

    name = "audit"

    def __init__(self, source: AuditSource, spool: Spool, clock: Clock) -> None:
        self._source = source
        self._spool = spool
        self._clock = clock
        self._chain: Chain | None = None

    async def run(self, stop: asyncio.Event) -> None:
        """Write until told to stop, then once more."""
        while not stop.is_set():
            async with asyncio.TaskGroup() as group:
                waits = [group.create_task(stop.wait()), group.create_task(self._source.news.wait())]
                await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
                for wait in waits:
                    wait.cancel()
            await self._clock.wait(stop, seconds=_GATHER_SECONDS)
            await self._write()
        self._source.close()
        await self._write()

    async def _write(self) -> None:
        """Write down what happened since the last time."""
        entries = self._source.take()
        if not entries:
            return
        if self._chain is None:
            before = await self._spool.note(_HEAD)
            self._chain = Chain(str(uuid.uuid4()), 0, before) if before else Chain(str(uuid.uuid4()))
        dropped = self._spool.standing().dropped.get(Priority.AUDIT.word, 0)
        untold = dropped - int(await self._spool.note(_GAPS) or 0)
        if untold > 0:
            gap = AuditEntry(self._clock.now(), AuditEvent.GAP, "agent", message="the outbox was full", dropped=untold)
            entries = (gap, *entries)
        letters, chain = [], self._chain
        for entry in entries:
            for raw, after in sealed(chain, entry):
                letters.append(Letter(Priority.AUDIT, raw))
                chain = after
        self._chain = chain
        await self._spool.put(letters, notes={_HEAD: chain.digest, _GAPS: str(dropped)})


@dataclass(frozen=True, slots=True)
class KeepPorts:
    """What keeping records in the cluster needs."""

    store: AuditStore
    spool: Spool
    telemetry: Telemetry
    clock: Clock


class KeepAuditLoop:
    """Keeps records that wait for long in the cluster, where they outlive this pod and its disk; one loop of a term.

    While the control plane takes them in time nothing is written; while it is away, at most once per ``seconds``, and
    only if there is something new.
    """

    name = "keep-audit"

    def __init__(self, ports: KeepPorts, *, seconds: float) -> None:
        self._ports = ports
        self._seconds = seconds
        self._waited: frozenset[str] = frozenset()
        self._kept: frozenset[str] = frozenset()

    async def run(self, stop: asyncio.Event) -> None:
        """Take over what the cluster keeps of an earlier life or another replica, then look from time to time."""
        await self._tried(self._restore())
        while not await self._ports.clock.wait(stop, seconds=self._seconds):
            await self._tried(self._look())

    async def finish(self) -> None:
        """The term is over and still ours: what nobody took may be lost with this pod, so it is kept at once."""
        self._waited = frozenset(map(_name, await self._newest()))
        await self._tried(self._look())

    async def _restore(self) -> None:
        records = await self._ports.store.load()
        self._kept = frozenset(digest(raw) for raw in records)
        mark = digest(b"\n".join(records))
        if not records or mark == await self._ports.spool.note(_RESTORED):
            return
        for number, raw in enumerate(records, start=1):
            read_record(raw, what=f"record {number} of the Secret")
        here = {_name(letter) for letter in await self._newest()}
        letters = [Letter(Priority.AUDIT, raw) for raw in records if digest(raw) not in here]
        await self._ports.spool.put(letters, notes={_RESTORED: mark})

    async def _look(self) -> None:
        newest = await self._newest()
        names = frozenset(map(_name, newest))
        waited, self._waited = self._waited & names, names
        if waited - self._kept:
            records = [letter.body for letter in newest]
            await self._ports.store.keep(records)
            self._kept = names
            await self._ports.spool.put([], notes={_RESTORED: digest(b"\n".join(records))})

    async def _newest(self) -> tuple[Letter, ...]:
        return await self._ports.spool.newest(Priority.AUDIT, most=MOST_KEPT, size=MOST_KEPT_BYTES)

    async def _tried(self, step: Coroutine[None, None, None]) -> None:
        try:
            await step
        except Conflict:
            self._kept = frozenset()
        except AgentError as error:
            self._ports.telemetry.emit(AuditNotKept(error.reason, error.explain()))
        except Exception as error:  # noqa: BLE001 - a copy that fails must not stop the agent
            found = unforeseen(error)
            self._ports.telemetry.emit(AuditNotKept(found.reason, found.explain()))


def _name(letter: Letter) -> str:
    return digest(letter.body)
