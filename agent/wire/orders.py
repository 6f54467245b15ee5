"""Orders, as an index lists them and as reports tell what became of them.

An order's kind is an open word: one that this version does not know is no fault of the index, but of that order alone.
"""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import Field, StringConstraints

from agent.model.orders import Order
from agent.wire.frames import Frame
from agent.wire.scalars import InstanceId, Moment, Shape

MOST_ARGUMENTS: Final = 8
LONGEST_ARGUMENT: Final = 256
LONGEST_MESSAGE: Final = 2000

OrderId = InstanceId
"""A UUID, as the id of an instance is."""
OrderWord = Annotated[
    str, Shape(r"[a-z][A-Za-z0-9-]*", "one word of letters, digits and hyphens that begins with a small letter", 63)
]
Argument = Annotated[str, StringConstraints(max_length=LONGEST_ARGUMENT)]


class OrderV1(Frame):
    """A wish to be carried out once. After ``notAfter`` it is not begun any more."""

    id: OrderId
    instance: InstanceId
    kind: OrderWord
    args: dict[OrderWord, Argument] = Field(default={}, max_length=MOST_ARGUMENTS)
    not_after: Moment


class OrderResultV1(Frame):
    """What became of an order: ``outcome`` is Done, Failed, Refused, Expired or Interrupted; the first one counts."""

    id: OrderId
    outcome: Annotated[str, StringConstraints(max_length=63)]
    reason: Annotated[str, StringConstraints(max_length=63)]
    message: Annotated[str, StringConstraints(max_length=LONGEST_MESSAGE)]
    at: Moment


def order_of(wire: OrderV1) -> Order:
    """The order that these words of an index mean."""
    return Order(wire.id, wire.instance, wire.kind, dict(wire.args), wire.not_after)
