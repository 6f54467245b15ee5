"""One pass over one instance that shall exist: look, decide, apply stage by stage, remember. May stop anywhere.

Here: the order of effects. Not here: the decisions (planning), what objects look like (rendering), when (reconcile).
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from agent.loops.effects import Effects
from agent.model.changes import Action, Change
from agent.model.desired import Document
from agent.model.errors import AgentError, FieldConflict, ObjectRefused
from agent.model.instance import Instance
from agent.model.labels import INSTANCE
from agent.model.objects import Inventory, ObjectRef, Owned, Rendered, Seen, Stage
from agent.planning import guard
from agent.planning.diff import Planned, diff, settled, superseded
from agent.planning.health import View
from agent.planning.stages import BINDING, Gate, Readiness, gate, order, standing
from agent.ports import KeyPlace
from agent.rendering import KEYS_SECRET, RENDERER_VERSION, RenderInputs, demanded_keys, digest, render

_PARALLEL_APPLIES = 8
Pending = tuple[Stage, Gate]


@dataclass(slots=True)
class _Progress:
    """What a pass has done so far; ``inventory`` is what the cluster's record shall say at the next save."""

    document: Document
    inventory: Inventory
    saved: Inventory
    changes: list[Change] = field(default_factory=list)
    blocked: dict[ObjectRef, AgentError] = field(default_factory=dict)

    @property
    def instance(self) -> Instance:
        """What is wanted."""
        return self.document.instance

    def remember(self, owned: Owned) -> None:
        """Keep what was applied."""
        kept = {**self.inventory.by_ref(), owned.ref: owned}
        self.inventory = replace(self.inventory, owned=tuple(kept.values()))

    def forget(self, ref: ObjectRef) -> None:
        """Drop what was deleted."""
        self.inventory = replace(self.inventory, owned=tuple(o for o in self.inventory.owned if o.ref != ref))


class KeepPass:
    """Makes the cluster show what a document wants, as far as it can be done now."""

    def __init__(self, effects: Effects, agent_namespace: str) -> None:
        self._effects = effects
        self._agent_namespace = agent_namespace
        self._claiming = asyncio.Lock()

    async def run(self, document: Document, inventory: Inventory, *, thorough: bool) -> View:
        """One pass; never raises AgentError, but tells it in the view, beside what was done before it.

        ``thorough``: also read what no watch covers, verify the keys, and try failed jobs anew.
        """
        named = replace(inventory, name=document.instance.name, namespace=document.instance.namespace)
        progress = _Progress(document, named, inventory)
        pending: Pending | None = None
        error: AgentError | None = None
        try:
            guard.judge(document.instance, inventory=inventory, agent_namespace=self._agent_namespace)
            pending = await self._pass(progress, thorough=thorough)
            await self._save(progress)
        except AgentError as failure:
            error = await self._rescued(progress, failure)
        return View(
            document=document,
            inventory=progress.saved,
            seen=self._effects.cluster.seen(document.instance.id),
            changes=tuple(progress.changes),
            pending=pending,
            error=error,
            blocked=tuple(progress.blocked.values()),
        )

    def observe(self, document: Document, inventory: Inventory) -> View:
        """How an instance fares that nobody may work on."""
        seen = self._effects.cluster.seen(document.instance.id)
        judged = standing([owned.ref for owned in inventory.owned], seen)
        pending = None if judged.readiness is Readiness.READY else (Stage.COMPONENTS, judged)
        return View(document, inventory, seen, pending=pending)

    async def _pass(self, progress: _Progress, *, thorough: bool) -> Pending | None:
        instance, known = progress.instance, progress.inventory
        if thorough:
            await self._effects.cluster.look(instance.id, [owned.ref for owned in known.owned])
        elif self._finished(progress):
            return self._pending(instance, render(RenderInputs(instance, known.keys)))
        pending = await self._settle_in(progress)
        if pending is not None:
            return pending
        rendered = render(RenderInputs(instance, progress.inventory.keys))
        await self._intend(progress, [one.ref for one in rendered])
        if thorough:
            await self._clear_failed(progress, rendered)
        stages = order(instance.state)
        pending = await self._walk(progress, rendered, stages)
        if not progress.blocked and (pending is None or pending[0] is stages[-1]):
            await self._prune(progress, rendered)
            self._conclude(progress)
        return pending

    def _finished(self, progress: _Progress) -> bool:
        inputs = RenderInputs(progress.instance, progress.inventory.keys)
        known = progress.inventory
        return (
            known.renderer == RENDERER_VERSION
            and known.inputs == digest(inputs)
            and settled(known, self._effects.cluster.seen(progress.instance.id))
        )

    async def _settle_in(self, progress: _Progress) -> Pending | None:
        """The namespace, and the keys in it, which what is rendered depends on. Pending: there is no namespace yet."""
        instance = progress.instance
        early = render(RenderInputs(instance, progress.inventory.keys))
        home = [one for one in early if one.ref.kind == "Namespace"]
        place = KeyPlace(instance.id, instance.namespace, KEYS_SECRET, {INSTANCE: instance.id})
        # Two instances that want one namespace must not both find it free.
        async with self._claiming:
            await self._claim(progress, home[0].ref)
            await self._intend(progress, [home[0].ref, place.ref])
            await self._apply(progress, diff(home, inventory=progress.inventory, seen=self._seen(progress)))
        judged = gate(Stage.NAMESPACE, home, self._seen(progress))
        if judged.readiness is not Readiness.READY:
            return Stage.NAMESPACE, judged
        known = progress.inventory.keys
        kept = await self._effects.keys.ensure(place, demanded_keys(instance), known=tuple(known))
        progress.remember(kept.owned)
        progress.inventory = replace(progress.inventory, keys={**known, **kept.checksums})
        return None

    async def _claim(self, progress: _Progress, ref: ObjectRef) -> None:
        live = self._seen(progress).get(ref) or await self._effects.cluster.read(ref)
        created = guard.judge_namespace(progress.instance, live, inventory=progress.inventory)
        progress.inventory = replace(progress.inventory, namespace_created=created)

    async def _intend(self, progress: _Progress, refs: Sequence[ObjectRef]) -> None:
        """Write down what is about to be made: a crash in between must not leave anything that nobody knows of."""
        known = progress.inventory.by_ref()
        intended = [Owned(ref) for ref in refs if ref not in known]
        progress.inventory = replace(progress.inventory, owned=(*progress.inventory.owned, *intended))
        now, saved = progress.inventory, progress.saved
        if intended or (now.keys, now.namespace_created) != (saved.keys, saved.namespace_created):
            await self._save(progress)

    def _seen(self, progress: _Progress) -> Mapping[ObjectRef, Seen]:
        return self._effects.cluster.seen(progress.instance.id)

    async def _walk(self, progress: _Progress, rendered: Sequence[Rendered], stages: Sequence[Stage]) -> Pending | None:
        for stage in stages:
            wanted = [one for one in rendered if one.stage is stage]
            await self._apply(progress, diff(wanted, inventory=progress.inventory, seen=self._seen(progress)))
            if stage not in BINDING:
                # What is wrong with one object is no reason to hold up what can do without it.
                wanted = [one for one in wanted if one.ref not in progress.blocked]
            judged = gate(stage, wanted, self._seen(progress))
            if judged.readiness is not Readiness.READY:
                return stage, judged
        return None

    def _pending(self, instance: Instance, rendered: Sequence[Rendered]) -> Pending | None:
        seen = self._effects.cluster.seen(instance.id)
        for stage in order(instance.state):
            judged = gate(stage, rendered, seen)
            if judged.readiness is not Readiness.READY:
                return stage, judged
        return None

    async def _apply(self, progress: _Progress, planned: Sequence[Planned]) -> None:
        slots = asyncio.Semaphore(_PARALLEL_APPLIES)
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self._apply_one(progress, one, slots)) for one in planned]
        # What is wrong with one object is no reason to leave the others as they are; what ails the server is.
        for task in tasks:
            failure = task.result()
            if failure is not None:
                raise failure

    async def _apply_one(self, progress: _Progress, planned: Planned, slots: asyncio.Semaphore) -> AgentError | None:
        try:
            async with slots:
                owned = await self._effects.apply(progress.instance.id, planned)
        except (FieldConflict, ObjectRefused) as error:
            progress.blocked[planned.change.ref] = error
            return None
        except AgentError as error:
            return error
        progress.remember(owned)
        progress.changes.append(planned.change)
        return None

    async def _clear_failed(self, progress: _Progress, rendered: Sequence[Rendered]) -> None:
        """A Job's pod template cannot change and a failed Job never runs again: it makes room for its next try."""
        seen = self._seen(progress)
        for wanted in rendered:
            live = seen.get(wanted.ref)
            if live is not None and wanted.ref.kind == "Job" and _failed(wanted, live) and not live.terminating:
                await self._delete(progress, live, "it failed and is tried again")

    async def _prune(self, progress: _Progress, rendered: Sequence[Rendered]) -> None:
        """Delete what was replaced, never while its replacement is blocked; forget lines that stand for nothing."""
        seen = self._seen(progress)
        keys = ObjectRef("v1", "Secret", progress.instance.namespace, KEYS_SECRET)
        wanted = {keys, *(one.ref for one in rendered)}
        for live in superseded(wanted, inventory=progress.inventory, seen=seen):
            await self._delete(progress, live, "it is no longer part of the instance")
        for owned in progress.inventory.owned:
            if owned.ref not in wanted and owned.ref not in seen:
                progress.forget(owned.ref)

    async def _delete(self, progress: _Progress, live: Seen, why: str) -> None:
        change = Change(live.ref, Action.DELETE, why)
        await self._effects.delete(progress.instance.id, live, change)
        progress.forget(live.ref)
        progress.changes.append(change)

    def _conclude(self, progress: _Progress) -> None:
        """Everything was applied: from now on equal inputs need no rendering."""
        inputs = RenderInputs(progress.instance, progress.inventory.keys)
        progress.inventory = replace(
            progress.inventory,
            inputs=digest(inputs),
            renderer=RENDERER_VERSION,
            revision=progress.document.entry.revision,
        )

    async def _save(self, progress: _Progress) -> None:
        if progress.inventory != progress.saved:
            progress.inventory = progress.saved = await self._effects.inventories.save(progress.inventory)

    async def _rescued(self, progress: _Progress, failure: AgentError) -> AgentError:
        """Keep the record of what was applied before the failure; what cannot be saved is applied again harmlessly."""
        if not progress.changes:
            return failure
        try:
            await self._save(progress)
        except AgentError as error:
            return error
        return failure


def _failed(wanted: Rendered, live: Seen) -> bool:
    return gate(wanted.stage, (wanted,), {wanted.ref: live}).readiness is Readiness.FAILED
