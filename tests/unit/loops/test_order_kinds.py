"""What is told of an order that met an instance on which nothing may be done."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from agent.loops.order_kinds import crafts
from agent.loops.progress import Look
from agent.model.desired import Document, Entry
from agent.model.errors import Refused
from agent.model.objects import Inventory
from agent.model.orders import Order, OrderRecord
from agent.planning.health import View
from tests.support.clock import BEGIN
from tests.support.instances import an_instance

INSTANCE = an_instance()
WORDS: Mapping[str, str] = {}


class Standing:
    """An engine whose every pass ends like this."""

    def __init__(self, view: View | None) -> None:
        self._view = view

    async def look(self, instance_id: str, look: Look) -> View | None:
        del instance_id, look
        return self._view


def a_view(frozen: str) -> View:
    return View(Document(Entry(INSTANCE.id, 1, "0" * 64, 1), INSTANCE), Inventory(INSTANCE.id), {}, frozen=frozen)


@pytest.mark.parametrize("kind", ["restart", "reconcile"])
@pytest.mark.parametrize(
    ("view", "reason"), [(a_view("the guard says freeze"), "FrozenByGuard"), (None, "UnknownInstance")]
)
async def test_what_could_not_be_done_is_not_told_as_done(kind: str, view: View | None, reason: str) -> None:
    record = OrderRecord(Order("o-1", INSTANCE.id, kind, WORDS, BEGIN), BEGIN, "pod-a/1")
    with pytest.raises(Refused) as caught:
        await crafts(Standing(view))[kind].carry_out(record)
    assert caught.value.reason == reason
