"""Whether an order may be carried out here and now, and what a journal that knows of it means. Pure.

Here: the judgement of one order, what becomes of one that was begun before, when one may be forgotten. Not here: what
the kinds do (loops).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum, auto
from typing import Final

from agent.model.errors import Refused
from agent.model.instance import Instance, State
from agent.model.orders import Order, OrderBook, OrderRecord

MOST_KEPT: Final = 512
"""So many orders the journal holds; while it is full, further ones wait until their time is over."""


@dataclass(frozen=True, slots=True)
class OrderKind:
    """What is known of a kind before it is carried out. ``repeatable``: doing it again after a crash does no more.

    ``arguments``: the words that each of them may be; ``states``: those in which an instance can be asked for it.
    """

    name: str
    repeatable: bool
    arguments: Mapping[str, frozenset[str]] = field(default_factory=dict)
    states: frozenset[State] = frozenset({State.RUNNING, State.HIBERNATED})


@dataclass(frozen=True, slots=True)
class OrderRules:
    """The kinds that this agent knows, and the names of those that are allowed here; None: all of them."""

    kinds: Mapping[str, OrderKind]
    allowed: frozenset[str] | None = None


class Course(Enum):
    """What follows for an order from what the journal says of it."""

    BEGIN = auto()
    """Nobody began it."""
    GO_ON = auto()
    """It was begun, and doing it again does no more."""
    INTERRUPTED = auto()
    """It was begun, and nobody knows how far it came."""
    TELL = auto()
    """It has its result."""


def judge_order(order: Order, instance: Instance | None, *, rules: OrderRules) -> OrderKind:
    """The kind of an order that may be carried out; raises Refused, with the field and a reason of its own."""
    kind = rules.kinds.get(order.kind)
    if kind is None:
        known = ", ".join(sorted(rules.kinds))
        raise Refused(f"this agent knows {known}", path="kind", reason="UnknownOrder", hint="upgrade the agent")
    if rules.allowed is not None and order.kind not in rules.allowed:
        raise Refused(
            f"{order.kind} is not allowed in this cluster",
            path="kind",
            reason="OrderNotAllowed",
            hint="who runs the agent may add it to orders.allow",
        )
    _judge_arguments(order, kind)
    _judge_instance(order, instance, kind)
    return kind


def _judge_arguments(order: Order, kind: OrderKind) -> None:
    for name, word in sorted(order.args.items()):
        words = kind.arguments.get(name)
        if words is None:
            message = f"{kind.name} takes {', '.join(sorted(kind.arguments)) or 'no arguments'}"
        elif word not in words:
            message = f"must be one of {', '.join(sorted(words))}"
        else:
            continue
        raise Refused(message, path=f"args.{name}", reason="OrderMalformed")


def _judge_instance(order: Order, instance: Instance | None, kind: OrderKind) -> None:
    if instance is None:
        raise Refused(f"no document of {order.instance} is in force here", path="instance", reason="UnknownInstance")
    if instance.state is State.DELETED:
        raise Refused(f"{instance.name} is deleted by its document", path="instance", reason="InstanceDeleted")
    if instance.paused:
        raise Refused(
            f"{instance.name} is paused by its document",
            path="instance",
            reason="InstancePaused",
            hint="nothing is written to it until the document says otherwise",
        )
    if instance.state not in kind.states:
        raise Refused(f"{instance.name} is {instance.state.value}", path="instance", reason="InstanceAsleep")


def expired(order: Order, now: datetime) -> bool:
    """Whether it is too late to begin."""
    return now >= order.not_after


def course(record: OrderRecord | None, *, rules: OrderRules, mine: bool) -> Course:
    """What follows for an order. ``mine``: this very term wrote the record and did nothing after it yet."""
    if record is None or (record.result is None and mine):
        return Course.BEGIN
    if record.result is not None:
        return Course.TELL
    kind = rules.kinds.get(record.order.kind)
    return Course.GO_ON if kind is not None and kind.repeatable else Course.INTERRUPTED


def kept(book: OrderBook, *, listed: Collection[str], told: Collection[str], now: datetime) -> dict[str, OrderRecord]:
    """The records that must stay: all but those whose result was told, which no index lists and whose time is over.

    Should an old index that lists one of the others be accepted once more, its time being over keeps it from beginning.
    """
    return {
        key: record
        for key, record in book.records.items()
        if key in listed or key not in told or not expired(record.order, now)
    }
