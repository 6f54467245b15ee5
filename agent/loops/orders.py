"""When orders are carried out: each once, in the order of the index for each instance, and told until it was heard.

The sequence matters: judge, write down that it begins, carry out, write down how it ended, tell. A crash leaves a
beginning without an end: the next term goes on with what may be repeated, and tells the rest to be interrupted.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from weakref import WeakValueDictionary

from agent.loops.accepted import Accepted
from agent.loops.ledger import Ledger
from agent.loops.order_kinds import Craft, Ended
from agent.loops.pace import Backoff
from agent.loops.results import OrderResults
from agent.loops.statuses import Statuses
from agent.loops.unforeseen import unforeseen
from agent.model.conditions import Condition, Truth
from agent.model.errors import AgentError, Refused, Retryable
from agent.model.facts import OrderBegun, OrderEnded
from agent.model.lease import Term
from agent.model.orders import Order, OrderRecord, OrderResult, Outcome
from agent.planning.orders import Course, OrderRules, course, expired, judge_order
from agent.ports import Clock, OrderJournal, Telemetry

Step = Callable[[], Awaitable[None]]
_LONGEST_MESSAGE = 600
"""The journal keeps the messages of many orders."""


@dataclass(frozen=True, slots=True)
class OrderPorts:
    """What carrying out orders needs of the world."""

    journal: OrderJournal
    telemetry: Telemetry
    clock: Clock


@dataclass(frozen=True, slots=True)
class OrderDesk:
    """Where orders come from, and where results and conditions go."""

    accepted: Accepted
    statuses: Statuses
    results: OrderResults


@dataclass(frozen=True, slots=True)
class OrderPace:
    """The bounds of the waits after failures."""

    least_backoff_seconds: float
    most_backoff_seconds: float


@dataclass(frozen=True, slots=True)
class Trade:
    """The kinds that can be carried out, which of them are allowed here (None: all), and the term in which."""

    crafts: Mapping[str, Craft]
    allowed: frozenset[str] | None
    term: Term

    def rules(self) -> OrderRules:
        """By what an order is judged."""
        return OrderRules({name: craft.kind for name, craft in self.crafts.items()}, self.allowed)


class OrdersLoop:
    """Carries out what the index orders."""

    name = "orders"

    def __init__(self, ports: OrderPorts, desk: OrderDesk, trade: Trade, *, pace: OrderPace) -> None:
        self._ports = ports
        self._desk = desk
        self._crafts = trade.crafts
        self._rules = trade.rules()
        self._author = f"{trade.term.holder}/{trade.term.number}"
        self._pace = pace
        self._ledger = Ledger(ports.journal, desk.results, ports.clock)
        self._attended: set[str] = set()
        self._begun: set[str] = set()
        """Orders whose effect began in this term."""
        self._ended: dict[str, OrderResult] = {}
        """Results that are not written down yet."""
        self._lines: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def run(self, stop: asyncio.Event) -> None:
        """Work until told to stop; what was begun and not ended by then is the next term's."""
        async with asyncio.TaskGroup() as group:
            working = group.create_task(self._for_ever(), name="orders-for-ever")
            await stop.wait()
            working.cancel()

    async def _for_ever(self) -> None:
        await self._tried(self._ledger.read)
        for record in self._ledger.untold():
            assert record.result is not None
            self._desk.results.put(record.result)
        async with asyncio.TaskGroup() as group:
            # What was begun before is not waited for by any index: it goes on, or is told to have been interrupted.
            await self._desk.accepted.ready.wait()
            orders = [record.order for record in self._ledger.unfinished()]
            while True:
                for order in orders:
                    self._take(group, order)
                await self._desk.accepted.published.wait()
                self._desk.accepted.published.clear()
                orders = list(self._desk.accepted.desired.orders)
                self._ledger.listed = frozenset(order.id for order in orders)

    def _take(self, group: asyncio.TaskGroup, order: Order) -> None:
        record = self._ledger.record(order.id)
        if record is not None and record.result is not None:
            self._desk.results.put(record.result)  # whoever still lists it has not heard it, or replays an old index
        elif order.id not in self._attended:
            self._attended.add(order.id)
            line = self._lines.setdefault(order.instance, asyncio.Lock())
            group.create_task(self._attend(order, line), name=f"order-{order.id}")

    async def _attend(self, order: Order, line: asyncio.Lock) -> None:
        """See an order to its end, after those of its instance that came before it."""
        try:
            async with line:
                await self._tried(lambda: self._step(order))
        finally:
            self._attended.discard(order.id)

    async def _tried(self, step: Step) -> None:
        """Take a step, again and again until the journal took part in it."""
        backoff = Backoff(self._pace.least_backoff_seconds, self._pace.most_backoff_seconds)
        while True:
            try:
                await step()
            except AgentError as error:
                self._claim(Truth.FALSE, error.reason, error.explain())
                await self._wait(error, backoff)
            else:
                self._claim(Truth.TRUE, "Kept", "what was ordered is written down before it is done")
                return

    async def _step(self, order: Order) -> None:
        """From what the journal says to an end that is written down. Raises AgentError where the journal fails."""
        known = self._ledger.record(order.id)
        record = known or OrderRecord(order, self._ports.clock.now(), self._author)
        if order.id not in self._ended:
            self._ended[order.id] = await self._result(record, known)
        # What is written down first counts: nobody is told two ends of one order.
        result = known.result if known is not None and known.result is not None else self._ended[order.id]
        # Its time being over keeps an order from beginning, also where the journal has no room for that.
        told_alone = known is None and result.outcome is Outcome.EXPIRED and self._ledger.full()
        if not told_alone and (known is None or known.result is None):
            spent = replace(record.order, args={})
            await self._ledger.enter(OrderRecord(spent, record.begun_at, self._author, result))
        del self._ended[order.id]
        self._begun.discard(order.id)
        self._desk.results.put(result)
        self._ports.telemetry.emit(
            OrderEnded(order.id, order.instance, order.kind, result.outcome.value, result.reason, result.message)
        )

    async def _result(self, record: OrderRecord, known: OrderRecord | None) -> OrderResult:
        mine = record.author == self._author and record.order.id not in self._begun
        match course(known, rules=self._rules, mine=mine):
            case Course.BEGIN:
                return await self._begin(record, known)
            case Course.GO_ON:
                return await self._carry_out(record)
            case Course.INTERRUPTED:
                message = (
                    f"it was begun at {record.begun_at:%Y-%m-%d %H:%M:%S} UTC, and it is not known how far it came"
                )
                return self._as_result(record.order, Ended(Outcome.INTERRUPTED, "Interrupted", message))
            case Course.TELL:
                assert record.result is not None
                return record.result

    async def _begin(self, record: OrderRecord, known: OrderRecord | None) -> OrderResult:
        order = record.order
        if known is None:
            unfit = self._unfit(order)
            if unfit is not None:
                return self._as_result(order, unfit)
            await self._ledger.enter(record)
        return await self._carry_out(record)

    def _unfit(self, order: Order) -> Ended | None:
        """Why an order is not begun; None: it may."""
        now = self._ports.clock.now()
        if expired(order, now):
            message = f"it was to begin before {order.not_after:%Y-%m-%d %H:%M:%S} UTC"
            return Ended(Outcome.EXPIRED, "Expired", message)
        document = self._desk.accepted.desired.documents.get(order.instance)
        try:
            judge_order(order, document.instance if document is not None else None, rules=self._rules)
        except Refused as refused:
            return Ended(Outcome.REFUSED, refused.reason, refused.explain())
        return None

    async def _carry_out(self, record: OrderRecord) -> OrderResult:
        order, craft = record.order, self._crafts[record.order.kind]
        self._begun.add(order.id)
        self._ports.telemetry.emit(OrderBegun(order.id, order.instance, order.kind))
        backoff = Backoff(self._pace.least_backoff_seconds, self._pace.most_backoff_seconds)
        while True:
            try:
                return self._as_result(order, await craft.carry_out(record))
            except AgentError as error:
                failed = Ended(Outcome.FAILED, error.reason, error.explain())
                hopeless = not (craft.kind.repeatable and isinstance(error, Retryable))
                if hopeless or expired(order, self._ports.clock.now()):
                    return self._as_result(order, failed)
                await self._wait(error, backoff)
            except Exception as error:  # noqa: BLE001 - what nobody foresaw of one order must not stop the others
                fault = unforeseen(error)
                return self._as_result(order, Ended(Outcome.FAILED, fault.reason, fault.explain()))

    def _as_result(self, order: Order, ended: Ended) -> OrderResult:
        whole = ended.message
        message = whole if len(whole) <= _LONGEST_MESSAGE else f"{whole[: _LONGEST_MESSAGE - 1]}…"
        return OrderResult(order.id, ended.outcome, ended.reason, message, self._ports.clock.now())

    async def _wait(self, error: AgentError, backoff: Backoff) -> None:
        wait = backoff.next()
        if isinstance(error, Retryable) and error.after_seconds is not None:
            wait = max(wait, error.after_seconds)
        await self._ports.clock.wait(asyncio.Event(), seconds=wait)

    def _claim(self, truth: Truth, reason: str, message: str) -> None:
        self._desk.statuses.claim(Condition("OrdersKept", truth, reason, message, self._ports.clock.now()))
