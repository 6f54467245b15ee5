"""When an instance is worked on: when its document or one of its objects changed, after a failure, and now and then.

One key per instance, bounded concurrency, backoff per key. A failure of one instance holds up no other.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from agent.loops.accepted import Accepted
from agent.loops.effects import Effects
from agent.loops.pace import Backoff
from agent.loops.passes import KeepPass
from agent.loops.queue import KeyQueue
from agent.loops.removal import RemovePass
from agent.loops.statuses import Statuses
from agent.model.conditions import Condition, Truth
from agent.model.desired import Document
from agent.model.errors import AgentError, Conflict, Retryable
from agent.model.facts import ReconcileFailed, ReconcileFinished
from agent.model.instance import State
from agent.model.objects import Inventory
from agent.planning.health import View, status
from agent.planning.stages import Readiness


@dataclass(frozen=True, slots=True)
class ReconcilePace:
    """The rhythm: instances at once, seconds between full looks, and the bounds of the waits after failures."""

    concurrency: int
    resync_seconds: float
    least_backoff_seconds: float
    most_backoff_seconds: float


class ReconcileLoop:
    """Keeps every accepted instance as its document says."""

    name = "reconcile"

    def __init__(
        self, effects: Effects, accepted: Accepted, statuses: Statuses, *, pace: ReconcilePace, agent_namespace: str
    ) -> None:
        self._effects = effects
        self._accepted = accepted
        self._statuses = statuses
        self._pace = pace
        self._keep = KeepPass(effects, agent_namespace)
        self._remove = RemovePass(effects)
        self._queue = KeyQueue(effects.clock)
        self._inventories: dict[str, Inventory] = {}
        self._thorough: set[str] = set()
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
                group.create_task(self._on_time(stop), name="reconcile-resync"),
            ]
            for number in range(self._pace.concurrency):
                group.create_task(self._work(), name=f"reconcile-{number}")
            await stop.wait()
            for feeder in feeders:
                feeder.cancel()
            self._queue.close()

    async def _on_start(self) -> None:
        """Nothing is judged before the inventories are read and everything watched was listed once."""
        never = asyncio.Event()
        while not self._learned.is_set():
            try:
                self._inventories = dict(await self._effects.inventories.load_all())
                await self._effects.cluster.started()
                self._learned.set()
            except AgentError as error:
                self._statuses.claim(_access(error, self._effects.clock.now()))
                await self._effects.clock.wait(never, seconds=self._start_backoff.next())

    async def _on_documents(self) -> None:
        await self._learned.wait()
        while True:
            for instance_id in await self._accepted.changed():
                self._ask(instance_id)

    async def _on_objects(self) -> None:
        await self._learned.wait()
        async for instance_id in self._effects.cluster.touched():
            if instance_id in self._accepted.desired.documents:
                self._queue.add(instance_id)

    async def _on_time(self, stop: asyncio.Event) -> None:
        while not await self._effects.clock.wait(stop, seconds=self._pace.resync_seconds):
            for instance_id in self._accepted.desired.documents:
                self._ask(instance_id)

    def _ask(self, instance_id: str) -> None:
        self._thorough.add(instance_id)
        self._queue.add(instance_id)

    async def _work(self) -> None:
        while (instance_id := await self._queue.get()) is not None:
            try:
                await self._reconcile(instance_id)
            finally:
                self._queue.done(instance_id)

    async def _reconcile(self, instance_id: str) -> None:
        desired = self._accepted.desired
        document = desired.documents.get(instance_id)
        if document is None:
            return
        thorough = instance_id in self._thorough
        self._thorough.discard(instance_id)
        began = self._effects.clock.monotonic()
        view = await self._pass(document, thorough=thorough)
        self._inventories[instance_id] = view.inventory
        view = replace(view, refusal=desired.refusals.get(instance_id), unlisted=instance_id in desired.unlisted)
        self._statuses.put(status(view, self._effects.clock.now()))
        await self._conclude(view, self._effects.clock.monotonic() - began)

    async def _pass(self, document: Document, *, thorough: bool) -> View:
        instance = document.instance
        inventory = self._inventories.get(instance.id) or Inventory(instance.id)
        if instance.paused:
            return View(document, inventory, self._effects.cluster.seen(instance.id))
        if instance.state is State.DELETED:
            return await self._remove.run(document, inventory)
        return await self._keep.run(document, inventory, thorough=thorough)

    async def _conclude(self, view: View, took_seconds: float) -> None:
        instance_id = view.document.instance.id
        backoff = self._backoff.setdefault(instance_id, self._new_backoff())
        failed_job = view.pending is not None and view.pending[1].readiness is Readiness.FAILED
        if view.error is None and not failed_job and not view.blocked:
            self._backoff.pop(instance_id)
            self._effects.telemetry.emit(ReconcileFinished(instance_id, len(view.changes), took_seconds))
            return
        if view.error is not None:
            self._effects.telemetry.emit(ReconcileFailed(instance_id, view.error.reason, view.error.explain()))
        if isinstance(view.error, Conflict):
            # Somebody else wrote our record: what it says now counts, not what we remember.
            self._inventories.update(await self._reread())
        wait = backoff.next()
        if isinstance(view.error, Retryable) and view.error.after_seconds is not None:
            wait = max(wait, view.error.after_seconds)
        self._thorough.add(instance_id)
        self._queue.add_later(instance_id, wait)

    async def _reread(self) -> Mapping[str, Inventory]:
        try:
            return await self._effects.inventories.load_all()
        except AgentError:
            return {}  # the next try, after its wait, meets the same conflict and reads again

    def _new_backoff(self) -> Backoff:
        return Backoff(self._pace.least_backoff_seconds, self._pace.most_backoff_seconds)


def _access(error: AgentError, now: datetime) -> Condition:
    return Condition("ClusterAccess", Truth.FALSE, error.reason, error.explain(), now)
