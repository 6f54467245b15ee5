"""The admin API's calls about orders: giving one, and telling what became of those that were given."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from pydantic import Field

from agent.wire.frames import Frame
from agent.wire.orders import MOST_ARGUMENTS, Argument, OrderWord
from agent.wire.scalars import Moment
from control_plane.services.accounts import Role
from control_plane.services.ordering import OrderState, OrderWish, state_of
from control_plane.store.orders import OrderRow
from control_plane.web.admin.route import Answer, Call, Route

_ORDERS = "/clusters/{cluster}/instances/{instance}/orders"
_LONGEST_LIFE = int(timedelta(days=7).total_seconds())


class OrderWishV1(Frame):
    """The order to be given; an agent that does not begin it within ``ttlSeconds`` leaves it."""

    kind: OrderWord
    args: dict[OrderWord, Argument] = Field(default={}, max_length=MOST_ARGUMENTS)
    ttl_seconds: int = Field(default=3600, strict=True, ge=1, le=_LONGEST_LIFE)


class GivenOrderV1(Frame):
    """An order as it stands; ``outcome`` and what follows it are there once its result was told."""

    id: str
    instance: str
    kind: str
    args: Mapping[str, str]
    author: str
    created_at: Moment
    not_after: Moment
    state: OrderState
    outcome: str | None = None
    reason: str | None = None
    message: str | None = None
    ended_at: Moment | None = None


class GivenOrdersV1(Frame):
    """Orders of an instance, newest first."""

    orders: tuple[GivenOrderV1, ...]


async def give(call: Call) -> Answer:
    """Give an order."""
    wish = call.read(OrderWishV1)
    row = await call.services.ordering.give(
        OrderWish(
            cluster=call.path["cluster"],
            instance=call.path["instance"],
            kind=wish.kind,
            args=wish.args,
            life=timedelta(seconds=wish.ttl_seconds),
            author=call.caller.name,
        )
    )
    return Answer(_order(row, call.services.clock.now()))


async def every(call: Call) -> Answer:
    """What became of an instance's orders."""
    rows = await call.services.ordering.of_instance(call.path["cluster"], call.path["instance"])
    now = call.services.clock.now()
    return Answer(GivenOrdersV1(orders=tuple(_order(row, now) for row in rows)))


def _order(row: OrderRow, now: datetime) -> GivenOrderV1:
    return GivenOrderV1(
        id=row.id,
        instance=row.instance,
        kind=row.kind,
        args=dict(row.args),
        author=row.author,
        created_at=row.created_at,
        not_after=row.not_after,
        state=state_of(row, now),
        outcome=row.outcome,
        reason=row.reason,
        message=row.message,
        ended_at=row.ended_at,
    )


ROUTES = (
    Route(method="POST", path=_ORDERS, name="orderInstance", summary="Order something once", tag="orders",
          needs=Role.OPERATOR, handler=give, body=OrderWishV1, answer=GivenOrderV1, faults=(404, 409, 422)),
    Route(method="GET", path=_ORDERS, name="listOrders", summary="List an instance's orders and their results",
          tag="orders", needs=Role.VIEWER, handler=every, answer=GivenOrdersV1, faults=(404,)),
)  # fmt: skip
