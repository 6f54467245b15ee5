"""Orders: giving them, listing them, and keeping the first result that is told of each.

An order is in its cluster's index until its result was told or its time is over. What kinds there are is known to
agents, not here: one that an agent does not know comes back refused.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy.ext.asyncio import AsyncConnection

from agent.model.orders import Outcome
from agent.wire.limits import MAX_ORDERS
from agent.wire.orders import OrderResultV1
from agent.wire.problems import Code
from control_plane.clock import Clock
from control_plane.faults import Clash, NotFound
from control_plane.services.desired import DesiredState
from control_plane.settings import Limits
from control_plane.store import instances, orders
from control_plane.store.database import Database
from control_plane.store.orders import OrderRow, ResultRow


class OrderState(StrEnum):
    """How an order stands."""

    WAITING = "waiting"
    DONE = "done"
    FAILED = "failed"
    REFUSED = "refused"
    EXPIRED = "expired"


_STATES = {
    Outcome.DONE: OrderState.DONE,
    Outcome.REFUSED: OrderState.REFUSED,
    Outcome.EXPIRED: OrderState.EXPIRED,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderWish:
    """An order to be given: what, to whom, by whom, and how long it may take until it begins."""

    cluster: str
    instance: str
    kind: str
    args: Mapping[str, str]
    life: timedelta
    author: str


def state_of(row: OrderRow, now: datetime) -> OrderState:
    """How the order stands. A result that comes after its time was over counts all the same."""
    if row.outcome is None:
        return OrderState.WAITING if now < row.not_after else OrderState.EXPIRED
    return next((state for outcome, state in _STATES.items() if outcome == row.outcome), OrderState.FAILED)


class Ordering:
    """Gives orders and takes their results in."""

    def __init__(self, database: Database, desired: DesiredState, *, clock: Clock, limits: Limits) -> None:
        self._database = database
        self._desired = desired
        self._clock = clock
        self._limits = limits

    async def give(self, wish: OrderWish) -> OrderRow:
        """List a new order. Raises NotFound (the instance) or Clash (too many wait, the index grows too large)."""
        now = self._clock.now()
        row = OrderRow(
            id=str(uuid.uuid4()),
            cluster=wish.cluster,
            instance=wish.instance,
            kind=wish.kind,
            args=wish.args,
            author=wish.author,
            created_at=now,
            not_after=now + wish.life,
        )
        async with self._database.writing() as connection:
            await _refuse_unknown(connection, wish.cluster, wish.instance)
            if len(await orders.waiting(connection, wish.cluster, now=now)) >= MAX_ORDERS:
                raise Clash(
                    "OrdersFull",
                    f"{MAX_ORDERS} orders of the cluster {wish.cluster} wait already",
                    hint="wait for their results, or until their time is over",
                )
            await orders.add(connection, row)
            await orders.forget(connection, wish.cluster, wish.instance, keep=self._limits.orders, now=now)
            await self._desired.sign_next(connection, wish.cluster)
        await self.announce(wish.cluster)
        return row

    async def of_instance(self, cluster: str, instance: str) -> list[OrderRow]:
        """The orders of an instance, newest first. Raises NotFound."""
        async with self._database.reading() as connection:
            await _refuse_unknown(connection, cluster, instance)
            return await orders.of_instance(connection, cluster, instance)

    async def settle(self, connection: AsyncConnection, cluster: str, results: Iterable[OrderResultV1]) -> bool:
        """Keep the first result of each order, in the transaction of the report; whether the index is another now."""
        told = {result.id: result for result in reversed(tuple(results))}
        fresh = await orders.unsettled(connection, cluster, told) if told else frozenset()
        for order_id in sorted(fresh):
            await orders.settle(connection, self._row(told[order_id]))
        if fresh:
            await self._desired.sign_next(connection, cluster)
        return bool(fresh)

    async def announce(self, cluster: str) -> None:
        """Wake who polls for the cluster, after the transaction."""
        await self._desired.announce(cluster)

    def _row(self, told: OrderResultV1) -> ResultRow:
        at = min(told.at, self._clock.now())
        return ResultRow(id=told.id, outcome=told.outcome, reason=told.reason, message=told.message, ended_at=at)


async def _refuse_unknown(connection: AsyncConnection, cluster: str, instance: str) -> None:
    row = await instances.find(connection, instance)
    if row is None or row.cluster != cluster:
        raise NotFound(Code.NOT_FOUND, f"the cluster {cluster} has no instance {instance}")
