"""What agents say that they did: each record once, its place in its chain judged as it comes, and read by admins.

A record that does not fit into its chain is kept like any other, with what is wrong: refusing it would help whoever
wants it forgotten.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from agent.wire.audit import Chain, Read, fault, read_record
from control_plane.faults import NotFound
from control_plane.store import agent_audit, clusters
from control_plane.store.agent_audit import RecordRow
from control_plane.store.database import Database


@dataclass(frozen=True, slots=True)
class Came:
    """Records that came from one cluster at one time."""

    cluster: str
    at: datetime
    texts: Sequence[str]


@dataclass(frozen=True, slots=True)
class AgentTrail:
    """Keeps and shows agents' records; at most ``keep`` of each cluster."""

    database: Database
    keep: int

    async def take_in(self, connection: AsyncConnection, came: Came) -> None:
        """Keep what is new, within the transaction of the report that it came with. Raises Refused for no record."""
        chains: dict[str, dict[int, tuple[Read, str]]] = {}
        for number, text in enumerate(came.texts):
            read = read_record(text.encode(), what=f"audit[{number}]")
            chains.setdefault(read.record.chain, {})[read.record.number] = (read, text)
        fresh = [row for name in chains for row in await self._fresh(connection, came, chains[name])]
        await agent_audit.add(connection, fresh, keep=self.keep)

    async def page(self, cluster: str, *, after: int, limit: int) -> list[RecordRow]:
        """Records in the order in which they came. Raises NotFound for an unknown cluster."""
        async with self.database.reading() as connection:
            if await clusters.find(connection, cluster) is None:
                raise NotFound("ClusterUnknown", f"there is no cluster {cluster}")
            return await agent_audit.page(connection, cluster, after=after, limit=limit)

    async def _fresh(
        self, connection: AsyncConnection, came: Came, records: dict[int, tuple[Read, str]]
    ) -> Iterable[RecordRow]:
        """The rows of those that are not held yet; each is judged after the one before it, held or new."""
        numbers = sorted(records)
        name = records[numbers[0]][0].record.chain
        last = await agent_audit.before(connection, came.cluster, name, numbers[0])
        end = Chain(name, last.number, last.digest) if last is not None else None
        held = await agent_audit.held(connection, came.cluster, name, numbers)
        rows = []
        for number in numbers:
            read, text = records[number]
            row = held.get(number)
            if row is None:
                row = _row(came, read, text, wrong=fault(read, end))
                rows.append(row)
            end = Chain(name, number, row.digest)
        return rows


def _row(came: Came, read: Read, text: str, *, wrong: str) -> RecordRow:
    record = read.record
    return RecordRow(
        cluster=came.cluster,
        chain=record.chain,
        number=record.number,
        digest=read.digest,
        received_at=came.at,
        text=text,
        fault=wrong,
    )
