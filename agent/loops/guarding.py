"""The guard in force: what the loops judge by, how long a judgement holds, and the loop that reads the rules again.

Here: the last good rules stay in force while the file is broken; without any, nothing new is let through and what runs
goes on. Not here: the rules (planning.guarding), the file (a port).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final

from agent.loops.statuses import Statuses
from agent.model.conditions import Condition, Truth
from agent.model.desired import Document
from agent.model.errors import AgentError, NotAuthorised, Refused
from agent.model.guard import Guard
from agent.model.instance import Instance, State
from agent.model.objects import Inventory, Rendered
from agent.planning.guarding import GUARD_INVALID, Account, Case, Known, Violated, judge, protected
from agent.ports import Clock, GuardRules
from agent.rendering import AgentAccount, RenderInputs, render

_READ_SECONDS: Final = 10.0
"""How soon a change of the rules is seen: a freeze is wanted now."""


class Guarding:
    """The rules in force, and what they said of each document. Bounded by the number of instances."""

    def __init__(self, account: AgentAccount | None = None) -> None:
        self._account = account
        self._guard: Guard | None = None
        self._fault: Refused | None = None
        self._verdicts: dict[str, tuple[Instance, Violated | None]] = {}
        self.known = asyncio.Event()
        """Set once the rules were read, whatever they were."""
        self.changed = asyncio.Event()
        """Set whenever they are others than before; cleared by who waits for it."""
        self.generation = 0
        """Grows with every change of the rules: what was refused before may be let through now."""

    @classmethod
    def by(cls, guard: Guard, account: AgentAccount | None = None) -> Guarding:
        """These rules, known from the start."""
        guarding = cls(account)
        guarding.learn(guard)
        return guarding

    def of(self, account: AgentAccount) -> Guarding:
        """The same rules, for an agent that opens namespaces to this account."""
        other = Guarding(account)
        other._guard, other._fault = self._guard, self._fault
        if self.known.is_set():
            other.known.set()
        return other

    def learn(self, guard: Guard) -> None:
        """These rules are in force from now on."""
        self._fault = None
        if guard != self._guard:
            self._guard = guard
            self._verdicts.clear()
            self.generation += 1
            self.changed.set()
        self.known.set()

    def doubt(self, fault: Refused) -> None:
        """The rules cannot be read: the last good ones stay."""
        self._fault = fault
        self.known.set()

    @property
    def blind(self) -> bool:
        """Whether no good rules were ever read."""
        return self._guard is None

    def frozen(self, now: datetime) -> str:
        """Why nothing may be changed now; empty if it may."""
        freeze = self._guard.freeze if self._guard is not None else None
        if freeze is None or not freeze.holds(now):
            return ""
        until = f" until {freeze.until:%Y-%m-%d %H:%M} UTC" if freeze.until is not None else ""
        return f"the guard says freeze{until}: nothing is changed"

    def screen(self, document: Document, held: Document | None) -> None:
        """Raise Refused if this document must not come into force in the place of the one that is held."""
        known = Known()
        if held is not None:
            before = held.instance
            known = Known(frozenset({before.name}), frozenset({before.namespace}), (before.labels,))
        self._refuse_removal(document.instance, known)
        instance = document.instance
        self.check(instance, lambda: render(RenderInputs(instance, {}, self._account)))

    def check(self, instance: Instance, objects: Callable[[], Sequence[Rendered]]) -> None:
        """Raise Refused if the rules do not let the instance have these objects; judged once for each document."""
        guard = self._sighted()
        held = self._verdicts.get(instance.id)
        if held is None or held[0] is not instance:
            manifests = tuple(one.manifest for one in objects())
            account = Account(self._account.namespace, self._account.name) if self._account is not None else None
            violations = judge(Case(guard, instance, manifests, account))
            held = instance, Violated(violations) if violations else None
            self._verdicts[instance.id] = held
        if held[1] is not None:
            raise Violated(held[1].violations)

    def check_removal(self, instance: Instance, inventory: Inventory) -> None:
        """Raise Refused if this tombstone must not be carried out."""
        known = Known(frozenset({inventory.name}), frozenset({inventory.namespace}))
        self._refuse_removal(instance, known)
        self.check(instance, tuple)

    def forget(self, instance_id: str) -> None:
        """The instance is gone."""
        self._verdicts.pop(instance_id, None)

    def _refuse_removal(self, instance: Instance, known: Known) -> None:
        if instance.state is State.DELETED:
            violations = protected(Case(self._sighted(), instance), known)
            if violations:
                raise Violated(violations)

    def _sighted(self) -> Guard:
        if self._guard is None:
            fault = f": {self._fault}" if self._fault is not None else ""
            raise Refused(
                f"the rules of the guard cannot be read{fault}",
                reason=GUARD_INVALID,
                hint="correct ConfigMap perigee-guard, or delete it: then what holds always holds alone",
            )
        return self._guard


class GuardLoop:
    """Reads the rules now and then, and says whether they are good."""

    name = "guard"

    def __init__(self, rules: GuardRules, guarding: Guarding, statuses: Statuses, clock: Clock) -> None:
        self._rules = rules
        self._guarding = guarding
        self._statuses = statuses
        self._clock = clock

    async def run(self, stop: asyncio.Event) -> None:
        """Read until told to stop."""
        while not stop.is_set():
            await self.read()
            await self._clock.wait(stop, seconds=_READ_SECONDS)

    async def read(self) -> None:
        """Read once. Where nobody answers, what is known stays, and if nothing is, nothing is judged yet."""
        try:
            self._guarding.learn(await self._rules.read())
        except Refused as broken:
            self._doubt(broken)
        except NotAuthorised as error:
            self._doubt(Refused(str(error), reason=error.reason, hint="apply the role file of this version"))
        except AgentError as error:
            if not self._guarding.known.is_set():
                self._claim(Truth.UNKNOWN, error.reason, error.explain())
        else:
            self._claim(Truth.TRUE, "Valid", "")

    def _doubt(self, fault: Refused) -> None:
        self._guarding.doubt(fault)
        stays = "everything new is refused" if self._guarding.blind else "the rules before stay in force"
        self._claim(Truth.FALSE, fault.reason, f"{fault.explain().rstrip('.')}; {stays}")

    def _claim(self, truth: Truth, reason: str, message: str) -> None:
        self._statuses.claim(Condition("GuardValid", truth, reason, message, self._clock.now()))
