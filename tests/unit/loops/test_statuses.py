"""What is told, when it is told again, and that nothing untold is lost."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from agent.loops.statuses import Statuses
from agent.model.changes import Action, Change
from agent.model.conditions import Condition, Truth
from agent.model.objects import ObjectRef
from agent.model.status import InstanceStatus
from tests.support.clock import BEGIN

READY = Condition("Ready", Truth.TRUE, "AllComponentsReady", "", BEGIN)
STATUS = InstanceStatus(
    id="one", name="hello", namespace="af", revision=1, state="running", conditions=(READY,), components=(),
    changes=(), observed_at=BEGIN,
)  # fmt: skip
LATER = BEGIN + timedelta(minutes=5)
CHANGE = Change(ObjectRef("v1", "ConfigMap", "af", "config"), Action.CREATE, "it does not exist yet")


def test_the_same_status_again_is_no_news() -> None:
    statuses = Statuses()
    statuses.put(STATUS)
    statuses.told(statuses.untold())
    statuses.put(replace(STATUS, observed_at=LATER, conditions=(replace(READY, since=LATER),)))
    assert statuses.untold() == ()
    assert not statuses.news.is_set()


def test_since_is_when_the_status_changed_and_not_when_it_was_seen() -> None:
    statuses = Statuses()
    statuses.put(STATUS)
    statuses.put(replace(STATUS, conditions=(replace(READY, message="two components", since=LATER),)))
    statuses.put(replace(STATUS, conditions=(replace(READY, status=Truth.FALSE, since=LATER),)))
    (told,) = statuses.untold()
    assert told.conditions[0].since == LATER


def test_the_last_changes_stay_until_others_follow() -> None:
    statuses = Statuses()
    statuses.put(replace(STATUS, changes=(CHANGE,)))
    statuses.put(replace(STATUS, revision=2))
    assert statuses.untold()[0].changes == (CHANGE,)


def test_what_became_newer_while_it_was_sent_stays_untold() -> None:
    statuses = Statuses()
    statuses.put(STATUS)
    sent = statuses.untold()
    statuses.put(replace(STATUS, revision=2))
    statuses.told(sent)
    assert [status.revision for status in statuses.untold()] == [2]


def test_a_condition_of_the_agent_is_news_only_when_it_says_something_new() -> None:
    statuses = Statuses()
    condition = Condition("Connected", Truth.TRUE, "PollAnswered", "", BEGIN)
    statuses.claim(condition)
    assert statuses.news.is_set()
    statuses.untold()
    statuses.claim(replace(condition, since=LATER))
    assert not statuses.news.is_set()
    assert statuses.conditions() == (condition,)


def test_what_is_gone_for_good_is_forgotten_once_its_last_status_was_told() -> None:
    statuses = Statuses()
    statuses.put(STATUS)
    statuses.forget("one")
    last = statuses.untold()
    assert [status.id for status in last] == ["one"]
    statuses.told(last)
    assert statuses.everything() == {}
    statuses.retell([status.id for status in last])
    assert statuses.untold() == ()


def test_what_was_told_already_is_forgotten_at_once_and_the_unknown_without_a_word() -> None:
    statuses = Statuses()
    statuses.put(STATUS)
    statuses.told(statuses.untold())
    statuses.forget("one")
    statuses.forget("never seen")
    assert statuses.everything() == {}


def test_an_instance_that_comes_back_before_it_was_told_as_gone_stays() -> None:
    statuses = Statuses()
    statuses.put(STATUS)
    statuses.forget("one")
    statuses.put(replace(STATUS, revision=2))
    statuses.told(statuses.untold())
    assert statuses.everything()["one"].revision == 2
