"""A Lease in memory that several replicas compete for, and that can be kept from each of them.

Bound by the suite of the real edge, ``tests/cluster/test_lease.py``.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import replace

from agent.model.errors import AgentError, Conflict
from agent.model.lease import LeaseRecord
from tests.support.clock import LoopClock


class LeaseServer:
    """Holds the record, and every version that it ever had."""

    def __init__(self) -> None:
        self.history: list[LeaseRecord | None] = []
        self.news = asyncio.Event()

    @property
    def record(self) -> LeaseRecord | None:
        """What stands there now."""
        return self.history[-1] if self.history else None

    def put(self, record: LeaseRecord | None) -> LeaseRecord | None:
        """Let this stand there, whoever wrote it; None deletes it."""
        stored = replace(record, resource_version=str(len(self.history) + 1)) if record is not None else None
        self.history.append(stored)
        self.news.set()
        self.news = asyncio.Event()
        return stored


class MemoryLeases:
    """Implements ``ports.Leases`` for one replica. Each call raises what ``fails`` says, after so many seconds."""

    def __init__(self, server: LeaseServer) -> None:
        self._server = server
        self.fails: AgentError | None = None
        self.fails_after_seconds = 0.0

    async def read(self) -> LeaseRecord | None:
        await self._pass()
        return self._server.record

    async def write(self, record: LeaseRecord) -> LeaseRecord:
        await self._pass()
        present = self._server.record
        if record.resource_version != (present.resource_version if present is not None else ""):
            raise Conflict("somebody else wrote the Lease meanwhile")
        written = self._server.put(record)
        assert written is not None
        return written

    async def changes(self, record: LeaseRecord | None) -> AsyncGenerator[LeaseRecord | None, None]:
        await self._pass()
        told = int(record.resource_version) if record is not None else 0
        while True:
            news = self._server.news
            while told < len(self._server.history):
                told += 1
                yield self._server.history[told - 1]
            await news.wait()
            await self._pass()

    async def _pass(self) -> None:
        error = self.fails
        if error is not None:
            await LoopClock().wait(asyncio.Event(), seconds=self.fails_after_seconds)
            raise error
