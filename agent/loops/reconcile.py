"""When an instance is worked on: when its document or one of its objects changed, after a failure, and now and then.

One key per instance, bounded concurrency, backoff per key. A failure of one instance holds up no other.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace

from agent.loops.accepted import Accepted
from agent.loops.asked import Asked
from agent.loops.effects import Effects
from agent.loops.pace import Backoff
from agent.loops.passes import KeepPass
from agent.loops.progress import Look
from agent.loops.queue import KeyQueue, Urgency
from agent.loops.removal import RemovePass
from agent.loops.statuses import Statuses
from agent.loops.unforeseen import unforeseen
from agent.model.conditions import Condition, Truth
from agent.model.desired import Document
from agent.model.errors import AgentError, Conflict, Retryable
from agent.model.facts import ReconcileFailed, ReconcileFinished
from agent.model.instance import State
from agent.model.objects import Inventory
from agent.model.secrets import wants
from agent.planning import rounds, windows
from agent.planning.health import View, failure, status

_GATHER_SECONDS = 0.2
"""So long changes of an instance's objects are collected into one pass."""
_CALM_AFTER_FAILURES = 5
"""How many least waits must pass before a change of an object may bring a failed pass forward."""
_TICK_SECONDS = 10.0
"""How often it is seen whose turn has come."""


@dataclass(frozen=True, slots=True)
class ReconcilePace:
    """The rhythm: instances at once, seconds between looks, surveys, full comparisons and looks at the secret values of
    each instance, and the bounds of the waits after failures.
    """

    concurrency: int
    resync_seconds: float
    survey_seconds: float
    compare_seconds: float
    secret_seconds: float
    least_backoff_seconds: float
    most_backoff_seconds: float


class ReconcileLoop:
    """Keeps every accepted instance as its document says."""

    name = "reconcile"

    def __init__(
        self, effects: Effects, accepted: Accepted, statuses: Statuses, *, pace: ReconcilePace, keep: KeepPass
    ) -> None:
        self._effects = effects
        self._accepted = accepted
        self._statuses = statuses
        self._pace = pace
        self._keep = keep
        self._remove = RemovePass(effects, keep.policy)
        self._queue = KeyQueue(effects.clock)
        self._inventories: dict[str, Inventory | AgentError] = {}
        self._looks: dict[str, Look] = {}
        """How closely the next pass over an instance shall look, where not as usual."""
        self._asked = Asked()
        self._backoff: dict[str, Backoff] = {}
        self._learned = asyncio.Event()
        self._start_backoff = self._new_backoff()

    async def run(self, stop: asyncio.Event) -> None:
        """Work until told to stop; what is being worked on is finished first."""
        async with asyncio.TaskGroup() as group:
            feeders = [
                group.create_task(self._on_start(), name="reconcile-start"),
                group.create_task(self._on_documents(), name="reconcile-documents"),
                group.create_task(self._on_objects(), name="reconcile-objects"),
                group.create_task(self._on_time(stop), name="reconcile-rounds"),
                group.create_task(self._on_guard(), name="reconcile-guard"),
            ]
            for number in range(self._pace.concurrency):
                group.create_task(self._work(), name=f"reconcile-{number}")
            await stop.wait()
            for feeder in feeders:
                feeder.cancel()
            self._queue.close()

    async def look(self, instance_id: str, look: Look) -> View | None:
        """Have a pass that looks so closely, soon, and wait for its end; None: there is no document to go by."""
        await self._learned.wait()
        outcome = self._asked.outcome(instance_id)
        self._ask(instance_id, look, Urgency.NEWS)
        return await outcome

    async def _on_start(self) -> None:
        """Nothing is judged before the inventories are read and everything watched was listed once."""
        never = asyncio.Event()
        while not self._learned.is_set():
            try:
                self._inventories = dict(await self._effects.records.inventories.load_all())
            except AgentError as error:
                self._claim(Truth.FALSE, error.reason, error.explain())
                await self._effects.clock.wait(never, seconds=self._start_backoff.next())
            else:
                self._keep.homes.learn(one for one in self._inventories.values() if isinstance(one, Inventory))
                self._claim(Truth.TRUE, "Read", "the records of what was applied are known")
                await self._effects.cluster.started()
                await self._keep.policy.guarding.known.wait()
                self._learned.set()

    async def _on_documents(self) -> None:
        await self._learned.wait()
        while True:
            for instance_id in await self._accepted.changed():
                self._ask(instance_id, Look(again=True), Urgency.NEWS)

    async def _on_objects(self) -> None:
        """Many changes make one pass; where passes fail, changes of pods are no reason to hurry."""
        await self._learned.wait()
        async for instance_id in self._effects.cluster.touched():
            if instance_id in self._accepted.desired.documents:
                failing = instance_id in self._backoff
                calm = _CALM_AFTER_FAILURES * self._pace.least_backoff_seconds if failing else _GATHER_SECONDS
                self._queue.add_later(instance_id, calm)

    async def _on_guard(self) -> None:
        """What the customer's rules refused or froze, they may let through from now on; and the other way round."""
        await self._learned.wait()
        guarding, before = self._keep.policy.guarding, None
        while True:
            standing = guarding.generation, guarding.frozen(self._effects.clock.now())
            if before is not None and standing != before:
                for instance_id in self._accepted.desired.documents:
                    self._ask(instance_id, Look(again=True), Urgency.ROUTINE)
            before = standing
            await self._effects.clock.wait(guarding.changed, seconds=_TICK_SECONDS)
            guarding.changed.clear()

    async def _on_time(self, stop: asyncio.Event) -> None:
        await self._learned.wait()
        pace, since = self._pace, self._effects.clock.now().timestamp()
        looks = (
            (pace.resync_seconds, Look()),
            (pace.survey_seconds, Look(survey=True)),
            (pace.secret_seconds, Look(secrets=True)),
        )
        while not await self._effects.clock.wait(stop, seconds=_TICK_SECONDS):
            until, ids = self._effects.clock.now().timestamp(), self._accepted.desired.documents
            for period, look in looks:
                subject = ids if not look.secrets else [key for key, one in ids.items() if wants(one.instance)]
                for instance_id in rounds.due(subject, period_seconds=period, since=since, until=until):
                    self._ask(instance_id, look, Urgency.ROUTINE)
            compared = rounds.shares_due(ids, period_seconds=pace.compare_seconds, since=since, until=until)
            for instance_id, share in compared:
                self._ask(instance_id, Look(shares=frozenset({share})), Urgency.ROUTINE)
            since = until

    def _ask(self, instance_id: str, look: Look, urgency: Urgency) -> None:
        self._looks[instance_id] = self._looks.get(instance_id, Look()) | look
        self._queue.add(instance_id, urgency)

    async def _work(self) -> None:
        while (instance_id := await self._queue.get()) is not None:
            try:
                await self._reconcile(instance_id)
            finally:
                self._queue.done(instance_id)

    async def _reconcile(self, instance_id: str) -> None:
        desired = self._accepted.desired
        document = desired.documents.get(instance_id)
        look, asked = self._looks.pop(instance_id, Look()), self._asked.taken(instance_id)
        if document is None:
            self._forget(instance_id)
            asked.answer(None)
            return
        began = self._effects.clock.monotonic()
        refused, unlisted = desired.refusals.get(instance_id), instance_id in desired.unlisted
        try:
            view = replace(await self._pass(document, look), refusal=refused, unlisted=unlisted)
            told = status(view, self._effects.clock.now())
        except Exception as error:  # noqa: BLE001 - what nobody foresaw of one instance must not stop the others
            view = View(document, self._remembered(instance_id), {}, error=unforeseen(error))
            view = replace(view, refusal=refused, unlisted=unlisted)
            told = status(view, self._effects.clock.now())
        if not isinstance(self._inventories.get(instance_id), AgentError):
            self._inventories[instance_id] = view.inventory
        self._statuses.put(told)
        if look.comparing and view.pending is not None:
            # Once everything stands; what was asked for meanwhile is not forgotten either.
            later = Look(compare=look.compare, shares=look.shares)
            self._looks[instance_id] = self._looks.get(instance_id, Look()) | later
        await self._conclude(view, look, self._effects.clock.monotonic() - began)
        asked.answer(view)

    async def _pass(self, document: Document, look: Look) -> View:
        instance = document.instance
        known = self._inventories.get(instance.id)
        if isinstance(known, AgentError):
            return View(document, Inventory(instance.id), self._effects.cluster.seen(instance.id), error=known)
        inventory = known or Inventory(instance.id)
        frozen = self._keep.policy.guarding.frozen(self._effects.clock.now())
        if instance.paused or frozen:
            return self._keep.observe(document, inventory, frozen=frozen)
        if instance.state is State.DELETED:
            return await self._remove.run(document, inventory)
        return await self._keep.run(document, inventory, look=look)

    def _remembered(self, instance_id: str) -> Inventory:
        known = self._inventories.get(instance_id)
        return known if isinstance(known, Inventory) else Inventory(instance_id)

    async def _conclude(self, view: View, look: Look, took_seconds: float) -> None:
        instance_id = view.document.instance.id
        failed = failure(view)
        if failed is None:
            if view.gone:
                self._accepted.carried_out(view.document)
            if view.pending is None:
                # Not before all is there: a migration that fails again and again must not be tried as the first time.
                self._backoff.pop(instance_id, None)
                self._calm(view)
            self._effects.telemetry.emit(ReconcileFinished(instance_id, len(view.changes), took_seconds))
            return
        self._effects.telemetry.emit(ReconcileFailed(instance_id, *failed))
        if isinstance(view.error, Conflict) or isinstance(self._inventories.get(instance_id), AgentError):
            await self._read_again(view)
        # A restart is in the record already, or is asked for again by who waits for it.
        closer = replace(look, again=True, survey=True, restarts={})
        self._looks[instance_id] = self._looks.get(instance_id, Look()) | closer
        wait = self._backoff.setdefault(instance_id, self._new_backoff()).next()
        if isinstance(view.error, Retryable) and view.error.after_seconds is not None:
            wait = max(wait, view.error.after_seconds)
        self._queue.add_later(instance_id, wait)

    def _calm(self, view: View) -> None:
        """An instance that is ready gives its turn at rolling to others; one that waits for its window comes then."""
        instance = view.document.instance
        if view.deferred:
            now = self._effects.clock.now()
            opening = windows.next_opening(instance.maintenance, now)
            if opening is not None:
                self._queue.add_later(instance.id, (opening - now).total_seconds())
            return
        for waiting in self._keep.rolls.release(instance.id):
            self._ask(waiting, Look(), Urgency.ROUTINE)

    async def _read_again(self, view: View) -> None:
        """Somebody else wrote our record: what it says now counts; if it is gone, what we remember is still true."""
        instance_id = view.document.instance.id
        try:
            kept = await self._effects.records.inventories.load(instance_id)
        except AgentError:
            return  # the next try, after its wait, meets the same obstacle and reads again
        self._inventories[instance_id] = kept or replace(view.inventory, resource_version="")

    def _forget(self, instance_id: str) -> None:
        """The instance is no longer known: neither wanted nor to be removed. A record of what it retains stays."""
        if not self._remembered(instance_id).resource_version:
            self._inventories.pop(instance_id, None)
            self._keep.homes.leave(instance_id)
        self._backoff.pop(instance_id, None)
        self._queue.drop(instance_id)
        self._keep.forget(instance_id)
        if instance_id not in self._accepted.desired.refusals:
            self._statuses.forget(instance_id)

    def _claim(self, truth: Truth, reason: str, message: str) -> None:
        self._statuses.claim(Condition("InventoriesRead", truth, reason, message, self._effects.clock.now()))

    def _new_backoff(self) -> Backoff:
        return Backoff(self._pace.least_backoff_seconds, self._pace.most_backoff_seconds)
