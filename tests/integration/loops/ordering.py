"""The orders loop over a real journal, beside the reconcile loop of a life, with kinds that a test may count."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from agent.cluster.orders import ClusterOrderJournal
from agent.cluster.secrets import SecretShelf
from agent.loops.order_kinds import Craft, Ended, crafts
from agent.loops.orders import OrderDesk, OrderPace, OrderPorts, OrdersLoop, Trade
from agent.loops.pace import SystemClock
from agent.loops.results import OrderResults
from agent.model.conditions import Condition
from agent.model.desired import Desired, Document, Standing
from agent.model.facts import OrderBegun, OrderEnded
from agent.model.lease import Term
from agent.model.orders import Order, OrderRecord, OrderResult, Outcome
from agent.model.spool import Batch
from agent.planning.orders import OrderKind
from agent.ports import Clock
from tests.integration.loops.lives import Life, World

HOUR = timedelta(hours=1)
QUICK = OrderPace(0.05, 0.3)


def an_order(instance: str, kind: str = "restart", *, until: datetime | None = None, **args: str) -> Order:
    """An order that may begin within the hour."""
    return Order(str(uuid.uuid4()), instance, kind, args, until or SystemClock().now() + HOUR)


class MovingClock(SystemClock):
    """The wall's clock, put forward by as much as a test says."""

    ahead = timedelta(0)

    def now(self) -> datetime:
        return super().now() + self.ahead


@dataclass(slots=True)
class Payments:
    """A kind whose effect must not happen twice, and that shows how often it did."""

    made: list[str] = field(default_factory=list)
    held: asyncio.Event | None = None
    """Where it is set to an event, an effect that happened does not end before that is set."""

    def crafts(self, *, repeatable: bool = False) -> Mapping[str, Craft]:
        """The one kind."""
        return {"pay": Craft(OrderKind("pay", repeatable=repeatable), self._pay)}

    async def _pay(self, record: OrderRecord) -> Ended:
        self.made.append(record.order.id)
        if self.held is not None:
            await self.held.wait()
        return Ended(Outcome.DONE, "Paid", "once")


@dataclass(slots=True)
class Office:
    """An orders loop at work, and what came of it."""

    life: Life
    results: OrderResults
    loop: OrdersLoop

    def lists(self, documents: Iterable[Document], orders: Iterable[Order], *, version: int = 1) -> None:
        """Accept an index that lists these."""
        known = {document.entry.id: document for document in documents}
        self.life.accepted.publish(Desired(Standing(1, version), known, orders=tuple(orders)))

    async def ends(self, order: Order, *, seconds: float = 20) -> OrderEnded:
        """How the order ended."""
        fact = await self.life.facts.wait(
            lambda fact: isinstance(fact, OrderEnded) and fact.order_id == order.id, seconds=seconds
        )
        assert isinstance(fact, OrderEnded)
        return fact

    async def tells(self) -> tuple[OrderResult, ...]:
        """What is told next, and delivered."""
        await asyncio.wait_for(self.results.news.wait(), 20)
        told = self._aboard()
        self.results.delivered()
        self.results.begin()
        return told

    async def begun(self, number: int) -> list[OrderBegun]:
        """The first so many orders whose effect began."""
        facts = self.life.facts

        def found() -> list[OrderBegun]:
            return [fact for fact in facts.stated if isinstance(fact, OrderBegun)]

        await facts.wait(lambda _: len(found()) >= number, seconds=20)
        return found()

    async def says(self, name: str, reason: str) -> Condition:
        """One of the agent's own conditions, once it has this reason."""
        statuses = self.life.statuses
        async with asyncio.timeout(20):
            while True:
                statuses.news.clear()
                for one in statuses.conditions():
                    if (one.type, one.reason) == (name, reason):
                        return one
                await statuses.news.wait()

    def _aboard(self) -> tuple[OrderResult, ...]:
        self._sequence += 1
        return self.results.aboard(Batch("stream", self._sequence, ()))

    _sequence: int = 0


@dataclass(frozen=True, slots=True)
class Terms:
    """What differs from term to term: its number, the kinds, which of them are allowed, and the clock."""

    number: int = 1
    crafts: Mapping[str, Craft] | None = None
    allowed: frozenset[str] | None = None
    clock: Clock = SystemClock()  # noqa: RUF009 - it has no state


FIRST = Terms()


@asynccontextmanager
async def office(world: World, life: Life, terms: Terms = FIRST) -> AsyncIterator[Office]:
    """A term of the orders loop on the client of that life, for as long as the block runs."""
    results = OrderResults()
    loop = OrdersLoop(
        OrderPorts(ClusterOrderJournal(SecretShelf(life.client, world.namespace)), life.facts, terms.clock),
        OrderDesk(life.accepted, life.statuses, results),
        Trade(terms.crafts or crafts(life.loop), terms.allowed, Term(terms.number, f"pod-{terms.number}")),
        pace=QUICK,
    )
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        group.create_task(loop.run(stop))
        yield Office(life, results, loop)
        stop.set()
