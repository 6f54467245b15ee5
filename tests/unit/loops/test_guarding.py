"""What is judged is judged once, and where nobody can tell the rules nothing is judged."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from agent.loops.guarding import Guarding, GuardLoop
from agent.loops.statuses import Statuses
from agent.model.conditions import Truth
from agent.model.errors import AgentError, Refused, Unreachable
from agent.model.guard import Ceilings, Guard
from agent.model.objects import Rendered, Stage
from agent.planning.guarding import Violated
from tests.support.clock import StillClock
from tests.support.hostile_objects import CLEAN, INSTANCE, pod

STRICT = Guard(ceilings=Ceilings(replicas=1))


class Objects:
    """Counts how often they are asked for."""

    def __init__(self, *more: dict[str, object]) -> None:
        self._rendered = tuple(Rendered(Stage.CONFIG, one) for one in (*CLEAN, *more))
        self.asked = 0

    def __call__(self) -> tuple[Rendered, ...]:
        self.asked += 1
        return self._rendered


class Rules:
    """Implements ``ports.GuardRules``: answers what it is told to."""

    def __init__(self, answer: Guard | AgentError) -> None:
        self.answer = answer

    async def read(self) -> Guard:
        if isinstance(self.answer, AgentError):
            raise self.answer
        return self.answer


def test_a_document_is_judged_once_until_it_or_the_rules_change() -> None:
    guarding, objects = Guarding.by(Guard()), Objects()
    for _ in range(3):
        guarding.check(INSTANCE, objects)
    assert objects.asked == 1
    guarding.learn(Guard())
    guarding.check(INSTANCE, objects)
    assert objects.asked == 1, "the same rules read again are no news"
    guarding.check(replace(INSTANCE), objects)
    assert objects.asked == 2
    guarding.learn(STRICT)
    with pytest.raises(Violated):
        guarding.check(INSTANCE, objects)
    assert objects.asked == 3


def test_a_refusal_is_remembered_as_well() -> None:
    guarding, objects = Guarding.by(Guard()), Objects(pod("Job", hostNetwork=True))
    for _ in range(2):
        with pytest.raises(Violated, match="hostNetwork"):
            guarding.check(INSTANCE, objects)
    assert objects.asked == 1
    guarding.forget(INSTANCE.id)
    with pytest.raises(Violated):
        guarding.check(INSTANCE, objects)
    assert objects.asked == 2


async def test_while_nobody_answers_nothing_is_known_and_what_was_known_stays() -> None:
    guarding, statuses, rules = Guarding(), Statuses(), Rules(Unreachable("nobody answers"))
    loop = GuardLoop(rules, guarding, statuses, StillClock())
    await loop.read()
    assert not guarding.known.is_set()
    assert [(one.type, one.status) for one in statuses.conditions()] == [("GuardValid", Truth.UNKNOWN)]
    rules.answer = STRICT
    await loop.read()
    assert guarding.known.is_set()
    rules.answer = Unreachable("nobody answers")
    await loop.read()
    assert [(one.type, one.status) for one in statuses.conditions()] == [("GuardValid", Truth.TRUE)]
    with pytest.raises(Violated):
        guarding.check(INSTANCE, Objects())


async def test_broken_rules_at_the_start_let_nothing_through() -> None:
    guarding, rules = Guarding(), Rules(Refused("is no field", path="freez", reason="Malformed"))
    loop = GuardLoop(rules, guarding, Statuses(), StillClock())
    await loop.read()
    assert guarding.blind
    with pytest.raises(Refused, match="freez: is no field") as refused:
        guarding.check(INSTANCE, Objects())
    assert refused.value.reason == "GuardInvalid"


async def test_the_rules_are_read_again_and_again_until_the_end() -> None:
    guarding, rules, stop = Guarding(), Rules(STRICT), asyncio.Event()

    class Ending(StillClock):
        async def wait(self, event: asyncio.Event, *, seconds: float) -> bool:
            rules.answer = Guard()
            if len(self.waits) == 2:
                stop.set()
            return await super().wait(event, seconds=seconds)

    await GuardLoop(rules, guarding, Statuses(), Ending()).run(stop)
    assert guarding.generation == 2
