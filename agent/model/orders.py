"""Orders: wishes to be carried out once, and what became of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


@dataclass(frozen=True, slots=True)
class Order:
    """One wish of a signed index. ``id`` is a UUID that is never used again; ``kind`` may be one that nobody knows."""

    id: str
    instance: str
    kind: str
    args: Mapping[str, str]
    not_after: datetime


class Outcome(StrEnum):
    """How an order ended."""

    DONE = "Done"
    FAILED = "Failed"
    REFUSED = "Refused"
    EXPIRED = "Expired"
    INTERRUPTED = "Interrupted"


@dataclass(frozen=True, slots=True)
class OrderResult:
    """What became of an order: how it ended, a CamelCase reason, and what to tell people."""

    id: str
    outcome: Outcome
    reason: str
    message: str
    at: datetime


@dataclass(frozen=True, slots=True)
class OrderRecord:
    """An order as the journal knows it: written before its effect begins, and again once there is a result.

    ``author`` is who wrote it last, in which term. ``begun_at`` is the moment of the first beginning: an order that is
    carried out once more after a crash goes by it, so that it asks for the very same.
    """

    order: Order
    begun_at: datetime
    author: str
    result: OrderResult | None = None


@dataclass(frozen=True, slots=True)
class OrderBook:
    """Every order that the journal knows, by id, as of one version of the journal."""

    records: Mapping[str, OrderRecord] = field(default_factory=dict)
    resource_version: str = ""
