"""Results of orders that wait to be told: each rides with some batch of reports, and is told until it is delivered.

What rides with a batch stays with it until the batch is delivered or rejected, so that a batch that is sent again under
its sequence says the same. A batch that was sent before in an earlier life takes nothing along: should it have arrived,
nobody looks into it again. Pure: no clock, no connection; what is lost with the process the journal tells again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from itertools import islice
from typing import Final

from agent.model.orders import OrderResult
from agent.model.spool import Batch

MOST_ABOARD: Final = 64
"""So many results ride with one batch."""


class OrderResults:
    """Written by the orders loop, read by the report loop. Bounded by the journal, whose orders these are."""

    def __init__(self) -> None:
        self.news = asyncio.Event()
        """Set while something is untold that may be told now."""
        self._untold: dict[str, OrderResult] = {}
        self._told: set[str] = set()
        self._ashore: set[str] = set()
        """Results that were in a batch which was rejected: they wait for the next time that anything is told."""
        self._batch = ("", 0)
        """The stream and the sequence of the batch that was sent last."""
        self._aboard: tuple[OrderResult, ...] = ()

    def put(self, result: OrderResult) -> None:
        """Tell this result, be it for the first time or again."""
        self._untold[result.id] = result
        self.news.set()

    def told(self) -> frozenset[str]:
        """Ids of which the result was delivered in this life."""
        return frozenset(self._told)

    def forget(self, ids: Iterable[str]) -> None:
        """The journal knows these no longer."""
        self._told.difference_update(ids)

    def begin(self) -> None:
        """What is untold is about to be told."""
        self.news.clear()
        self._ashore.clear()

    def aboard(self, batch: Batch) -> tuple[OrderResult, ...]:
        """What rides with this batch."""
        if (batch.stream, batch.sequence) != self._batch:
            waiting = (one for key, one in self._untold.items() if key not in self._ashore)
            self._batch = (batch.stream, batch.sequence)
            self._aboard = () if batch.again else tuple(islice(waiting, MOST_ABOARD))
        return self._aboard

    def delivered(self) -> None:
        """The batch that was sent last has arrived, and what rode with it."""
        for result in self._aboard:
            if self._untold.get(result.id) == result:
                del self._untold[result.id]
            self._told.add(result.id)
        self._aboard = ()
        if self._untold.keys() - self._ashore:
            self.news.set()

    def rejected(self) -> bool:
        """The batch that was sent last will not be taken, perhaps for what rode with it: the next goes without that.
        Returns whether anything did.
        """
        rode, self._aboard = self._aboard, ()
        self._ashore.update(result.id for result in rode)
        return bool(rode)
