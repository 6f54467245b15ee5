"""The journal of orders: one Secret of the agent's namespace, written under a resourceVersion precondition.

Not here: which orders may begin, and when one is forgotten (planning). Unlike the journal of deeds, this one decides: a
journal that cannot be understood is an error, since going on without it could do a thing twice.
"""

from __future__ import annotations

import json
import zlib
from datetime import datetime
from typing import Any

from agent.cluster.secrets import SecretShelf, Stored
from agent.model.errors import Misconfigured
from agent.model.orders import Order, OrderBook, OrderRecord, OrderResult, Outcome

_NAME = "perigee-orders"
_ROLE = "orders"
_FORMAT = 1


class ClusterOrderJournal:
    """Implements ``ports.OrderJournal``."""

    def __init__(self, shelf: SecretShelf) -> None:
        self._shelf = shelf

    async def load(self) -> OrderBook:
        """What is known; nothing, where there is no journal yet."""
        stored = await self._shelf.read(_NAME)
        if stored is None:
            return OrderBook()
        try:
            return OrderBook(_parsed(stored), stored.resource_version)
        except (ValueError, LookupError, TypeError, zlib.error):
            raise Misconfigured(
                f"Secret {self._shelf.namespace}/{_NAME}, the journal of orders, cannot be understood",
                hint="restore it from a backup, or delete it once the time of every order that was given is over",
            ) from None

    async def save(self, book: OrderBook) -> OrderBook:
        """Create or replace it; raises Conflict if somebody else wrote it meanwhile."""
        said = {"format": _FORMAT, "orders": [_line(record) for record in book.records.values()]}
        content = {"orders": zlib.compress(json.dumps(said, separators=(",", ":")).encode())}
        if book.resource_version:
            stored = await self._shelf.replace(Stored(_NAME, content, book.resource_version), content, role=_ROLE)
        else:
            stored = await self._shelf.create(_NAME, content, role=_ROLE)
        return OrderBook(book.records, stored.resource_version)


def _line(record: OrderRecord) -> dict[str, Any]:
    order, result = record.order, record.result
    line: dict[str, Any] = {
        "id": order.id,
        "instance": order.instance,
        "kind": order.kind,
        "args": dict(order.args),
        "notAfter": order.not_after.isoformat(),
        "begunAt": record.begun_at.isoformat(),
        "author": record.author,
    }
    if result is not None:
        line["result"] = [result.outcome.value, result.reason, result.message, result.at.isoformat()]
    return line


def _parsed(stored: Stored) -> dict[str, OrderRecord]:
    said = json.loads(zlib.decompress(stored.content["orders"]))
    if said["format"] != _FORMAT:
        raise ValueError(f"format {said['format']}")
    return {line["id"]: _record(line) for line in said["orders"]}


def _record(line: dict[str, Any]) -> OrderRecord:
    not_after, begun_at = (datetime.fromisoformat(line[name]) for name in ("notAfter", "begunAt"))
    order = Order(line["id"], line["instance"], line["kind"], dict(line["args"]), not_after)
    return OrderRecord(order, begun_at, line["author"], _result(order.id, line.get("result")))


def _result(order_id: str, said: list[str] | None) -> OrderResult | None:
    if said is None:
        return None
    outcome, reason, message, at = said
    return OrderResult(order_id, Outcome(outcome), reason, message, datetime.fromisoformat(at))
