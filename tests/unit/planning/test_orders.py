"""Whether an order may be carried out, what a record of it means, and when it may be forgotten."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from agent.model.errors import Refused
from agent.model.instance import Instance, State
from agent.model.orders import Order, OrderBook, OrderRecord, OrderResult, Outcome
from agent.planning.orders import Course, OrderKind, OrderRules, course, expired, judge_order, kept
from tests.support.builders import AN_ID
from tests.support.clock import BEGIN
from tests.support.instances import an_instance

HOUR = timedelta(hours=1)
RESTART = OrderKind("restart", repeatable=True, arguments={"component": frozenset({"scheduler", "worker"})},
                    states=frozenset({State.RUNNING}))  # fmt: skip
PAY = OrderKind("pay", repeatable=False)
RULES = OrderRules({"restart": RESTART, "pay": PAY})
ORDER = Order("one", AN_ID, "restart", {"component": "scheduler"}, BEGIN + HOUR)
RECORD = OrderRecord(ORDER, BEGIN, "pod/1")
RESULT = OrderResult("one", Outcome.DONE, "Restarted", "", BEGIN)


def refusal(order: Order, instance: Instance | None, rules: OrderRules = RULES) -> Refused:
    with pytest.raises(Refused) as caught:
        judge_order(order, instance, rules=rules)
    return caught.value


def test_an_order_of_a_known_kind_for_an_instance_that_runs_may_be_carried_out() -> None:
    assert judge_order(ORDER, an_instance(), rules=RULES) is RESTART
    assert judge_order(replace(ORDER, kind="pay", args={}), an_instance(state=State.HIBERNATED), rules=RULES) is PAY


@pytest.mark.parametrize(
    ("order", "changes", "reason", "says"),
    [
        (replace(ORDER, kind="levitate"), {}, "UnknownOrder", "kind: this agent knows pay, restart"),
        (replace(ORDER, args={"colour": "blue"}), {}, "OrderMalformed", "args.colour: restart takes component"),
        (replace(ORDER, args={"component": "flower"}), {}, "OrderMalformed", "must be one of scheduler, worker"),
        (replace(ORDER, kind="pay"), {}, "OrderMalformed", "pay takes no arguments"),
        (ORDER, {"paused": True}, "InstancePaused", "is paused by its document"),
        (ORDER, {"state": State.DELETED}, "InstanceDeleted", "is deleted by its document"),
        (ORDER, {"state": State.HIBERNATED}, "InstanceAsleep", "is hibernated"),
    ],
)
def test_an_order_that_cannot_be_carried_out_is_refused_with_the_field(
    order: Order, changes: dict[str, object], reason: str, says: str
) -> None:
    refused = refusal(order, an_instance(**changes))
    assert refused.reason == reason
    assert says in refused.explain()


def test_an_instance_that_nobody_knows_gets_no_orders() -> None:
    assert refusal(ORDER, None).reason == "UnknownInstance"


def test_what_the_agent_s_settings_leave_out_is_refused_and_the_setting_is_named() -> None:
    refused = refusal(ORDER, an_instance(), replace(RULES, allowed=frozenset({"pay"})))
    assert refused.reason == "OrderNotAllowed"
    assert "orders.allow" in refused.explain()
    assert refusal(ORDER, an_instance(), replace(RULES, allowed=frozenset())).reason == "OrderNotAllowed"


def test_an_order_expires_at_its_moment() -> None:
    assert not expired(ORDER, ORDER.not_after - timedelta(microseconds=1))
    assert expired(ORDER, ORDER.not_after)


@pytest.mark.parametrize(
    ("record", "mine", "follows"),
    [
        (None, True, Course.BEGIN),
        (RECORD, True, Course.BEGIN),
        (RECORD, False, Course.GO_ON),
        (replace(RECORD, order=replace(ORDER, kind="pay")), False, Course.INTERRUPTED),
        (replace(RECORD, order=replace(ORDER, kind="forgotten")), False, Course.INTERRUPTED),
        (replace(RECORD, result=RESULT), True, Course.TELL),
        (replace(RECORD, result=RESULT), False, Course.TELL),
    ],
)
def test_what_follows_for_an_order_is_read_from_the_journal(
    record: OrderRecord | None, follows: Course, *, mine: bool
) -> None:
    assert course(record, rules=RULES, mine=mine) is follows


@pytest.mark.parametrize("listed", [True, False])
@pytest.mark.parametrize("told", [True, False])
@pytest.mark.parametrize("over", [True, False])
def test_an_order_is_forgotten_once_it_was_told_nobody_lists_it_and_its_time_is_over(
    *, listed: bool, told: bool, over: bool
) -> None:
    book = OrderBook({"one": replace(RECORD, result=RESULT)})
    now = ORDER.not_after + (HOUR if over else -HOUR)
    left = kept(book, listed={"one"} if listed else (), told={"one"} if told else (), now=now)
    assert bool(left) is not (told and over and not listed)
