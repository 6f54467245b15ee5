"""The journal of orders in memory: what this term knows of each, and one write after the other."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from dataclasses import replace

from agent.loops.results import OrderResults
from agent.model.errors import Conflict, Retryable
from agent.model.orders import OrderBook, OrderRecord
from agent.planning.orders import MOST_KEPT, kept
from agent.ports import Clock, OrderJournal


class Ledger:
    """Reads and writes the journal. What the cluster has lost of it is still true, and is written again."""

    def __init__(self, journal: OrderJournal, results: OrderResults, clock: Clock) -> None:
        self._journal = journal
        self._results = results
        self._clock = clock
        self._book = OrderBook()
        self._turn = asyncio.Lock()
        self.listed: Collection[str] = ()
        """Ids that the index in force lists: what is known of these is never forgotten."""

    def record(self, order_id: str) -> OrderRecord | None:
        """What is known of an order."""
        return self._book.records.get(order_id)

    def unfinished(self) -> tuple[OrderRecord, ...]:
        """The orders that were begun and have no result."""
        return tuple(record for record in self._book.records.values() if record.result is None)

    def untold(self) -> tuple[OrderRecord, ...]:
        """The orders whose result was not delivered in this life."""
        told = self._results.told()
        return tuple(one for key, one in self._book.records.items() if one.result is not None and key not in told)

    def full(self) -> bool:
        """Whether the journal takes no order that it does not know."""
        return len(self._kept()) >= MOST_KEPT

    async def read(self) -> None:
        """Read what the cluster keeps; of an order that both know of, the cluster's word counts."""
        loaded = await self._journal.load()
        self._book = OrderBook({**self._book.records, **loaded.records}, loaded.resource_version)

    async def enter(self, record: OrderRecord) -> None:
        """Write what is known of an order from now on, and forget what nobody needs any more.

        Raises Conflict where somebody else wrote meanwhile: what he wrote is known then, and is to be judged again.
        """
        async with self._turn:
            records = self._kept()
            if record.order.id not in records and len(records) >= MOST_KEPT:
                raise Retryable(
                    f"the journal of orders holds {len(records)} and takes no more",
                    hint="it forgets those whose time is over once no index lists them: give orders a shorter time",
                )
            before = self._book
            try:
                self._book = await self._journal.save(replace(before, records={**records, record.order.id: record}))
            except Conflict:
                await self.read()
                raise
            self._results.forget(before.records.keys() - records.keys())

    def _kept(self) -> dict[str, OrderRecord]:
        return kept(self._book, listed=self.listed, told=self._results.told(), now=self._clock.now())
