"""The ground that an instance stands on: its namespace, the agent's rights in it, its keys, and the record of intents.

Nothing is made before it is written down: a crash in between must not leave anything that nobody knows of.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import TypeVar
from weakref import WeakValueDictionary

from agent.loops.applying import Applier
from agent.loops.effects import Effects
from agent.loops.progress import Progress
from agent.loops.renderings import Rendering, Renderings
from agent.loops.rights import once_allowed
from agent.loops.supplying import Supply
from agent.loops.surveys import Surveys
from agent.model.instance import Instance, State
from agent.model.labels import INSTANCE
from agent.model.objects import Inventory, ObjectRef, Owned, Rendered, Stage
from agent.planning import guard, pool
from agent.planning.diff import diff
from agent.planning.observing import observed
from agent.planning.ownership import digest_of, intact
from agent.planning.stages import Gate, Readiness, gate
from agent.ports import HeldKeys, KeyPlace
from agent.rendering import KEYS_SECRET, demanded_keys

Answer = TypeVar("Answer")


class Founding:
    """Lays the ground, and keeps the record."""

    def __init__(self, effects: Effects, renderings: Renderings, surveys: Surveys) -> None:
        self._effects = effects
        self._renderings = renderings
        self._surveys = surveys
        self.supply = Supply(effects)
        self._claims: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def lay(self, progress: Progress, applier: Applier) -> tuple[Rendering, tuple[Stage, Gate] | None]:
        """Namespace, rights and keys; returns what shall stand on them, and what is not there yet."""
        instance = progress.instance
        place = _keys_of(instance)
        # Two instances that want one namespace must not both find it free.
        async with self._claim_lock(instance.namespace):
            await self._claim(progress)
            await self._look_around(progress, applier)
            held = await self._keys(progress, place)
            self.supply.trim(progress)
            rendering = self._rendered(progress)
            supplied = self.supply.wanted(instance)
            # Where secret values are still to be had, what they show in is not known yet: only the ground is.
            ground = [one for one in rendering.objects if one.stage is Stage.NAMESPACE or not supplied]
            await self._intend(progress, ground, place.ref)
            home = [one for one in rendering.objects if one.ref.kind == "Namespace"]
            for planned in diff(home, remembered=progress.lines, seen=self._effects.cluster.seen(instance.id)):
                await applier.carry_out(progress, planned)
        seen = self._effects.cluster.seen(instance.id)
        judged = gate(Stage.NAMESPACE, [one for one in rendering.awaited if one.ref.kind == "Namespace"], seen)
        if judged.readiness is not Readiness.READY:
            return rendering, (Stage.NAMESPACE, judged)
        await self._admit(progress, applier, rendering)
        if held is not None:
            owned = await self._once_allowed(progress, lambda: self._placed(progress, place, held))
            progress.remember(owned)
        return (await self._supplied(progress) if supplied else rendering), None

    def _rendered(self, progress: Progress) -> Rendering:
        rendering = self._renderings.whole(progress)
        # Asleep, zero is an order, whoever scales: there is nothing to hand over.
        progress.starts = dict(rendering.starts) if progress.instance.state is State.RUNNING else {}
        if progress.inventory.inputs != rendering.key:
            # From the first apply on, the objects are no longer those of the inputs before.
            progress.inventory = replace(progress.inventory, inputs="")
        return rendering

    async def _supplied(self, progress: Progress) -> Rendering:
        """Bring the secret values, and return what shows in the objects of them."""
        found = await self._once_allowed(progress, lambda: self.supply.find(progress))
        rendering, unsettled = self._rendered(progress), self.supply.unsettled(progress)
        await self._intend(progress, rendering.objects, self.supply.ref(progress.instance))
        if unsettled:
            await self._once_allowed(progress, lambda: self.supply.place(progress, found))
        self.supply.done(progress)
        return rendering

    def secrets(self, instance: Instance) -> tuple[ObjectRef, ...]:
        """The Secrets that belong to the instance and are not rendered."""
        more = (self.supply.ref(instance),) if self.supply.wanted(instance) else ()
        return (_keys_of(instance).ref, *more)

    async def save(self, progress: Progress) -> None:
        """Write the record, if it says something new."""
        record = progress.record()
        if record != progress.saved:
            progress.saved = progress.inventory = await self._effects.records.inventories.save(record)
            progress.fields.clear()

    def _claim_lock(self, namespace: str) -> asyncio.Lock:
        return self._claims.setdefault(namespace, asyncio.Lock())

    async def _claim(self, progress: Progress) -> None:
        ref = ObjectRef("v1", "Namespace", "", progress.instance.namespace)
        live = self._effects.cluster.seen(progress.instance.id).get(ref)
        if live is None and (found := await self._effects.cluster.read(ref)) is not None:
            live = observed(found)
        if self._renderings.given:
            pool.judge_namespace(progress.instance, live)
            created = False
        else:
            created = guard.judge_namespace(progress.instance, live, inventory=progress.inventory)
        progress.inventory = replace(progress.inventory, namespace_created=created)
        progress.fresh = live is None

    async def _keys(self, progress: Progress, place: KeyPlace) -> HeldKeys | None:
        """The keys on their way to the pods; None where they are known to be there."""
        known, demands = progress.inventory.keys, demanded_keys(progress.instance)
        line = progress.lines.get(place.ref)
        complete = {demand.name for demand in demands} <= known.keys()
        if (
            complete
            and line is not None
            and intact(line, self._effects.cluster.seen(progress.instance.id).get(place.ref))
        ):
            return None
        held = await self._effects.records.keys.hold(place, demands, known=tuple(known), fresh=progress.fresh)
        progress.inventory = replace(progress.inventory, keys={**known, **held.checksums})
        return held

    async def _placed(self, progress: Progress, place: KeyPlace, held: HeldKeys) -> Owned:
        return await self._effects.records.keys.place(place, held, fresh=progress.fresh)

    async def _intend(self, progress: Progress, objects: Sequence[Rendered], *more: ObjectRef) -> None:
        """Write down what is about to be made or changed.

        Of what changes, the form that was applied is no longer known from here on: the answer to the next apply may get
        lost, and a document that goes back to the form before must not find it recorded as if nothing had happened.
        """
        intended = [ref for ref in (*more, *(one.ref for one in objects)) if ref not in progress.lines]
        for ref in intended:
            progress.remember(Owned(ref))
        for one in objects:
            owned = progress.lines[one.ref]
            if owned.rendered and owned.rendered != digest_of(one.manifest):
                progress.changing[one.ref] = owned
                progress.remember(replace(owned, rendered=""))
                intended.append(one.ref)
        now, saved = progress.inventory, progress.saved
        if intended or _kept(now) != _kept(saved):
            await self.save(progress)

    async def survey(self, progress: Progress, applier: Applier) -> None:
        """List what no watch covers; without a namespace, or while it ends, there is nothing to list and no right to.

        A right that somebody took away, or that was not needed before, comes first: else we never got it back.
        """
        instance = progress.instance
        home = self._effects.cluster.seen(instance.id).get(ObjectRef("v1", "Namespace", "", instance.namespace))
        if not self._renderings.given and (home is None or home.terminating):
            return
        rendering = self._renderings.whole(progress)
        await self._intend(progress, [one for one in rendering.objects if _admits(one)])
        await self._admit(progress, applier, rendering)
        await self._once_allowed(progress, lambda: self._surveys.make(instance.id, instance.namespace))

    async def _look_around(self, progress: Progress, applier: Applier) -> None:
        """What no watch covers has to be known before anything is judged missing; a new namespace holds nothing."""
        if not progress.fresh and not self._surveys.made(progress.instance.id):
            await self.survey(progress, applier)

    async def _admit(self, progress: Progress, applier: Applier, rendering: Rendering) -> None:
        """The agent's own rights in the namespace come before everything that needs them."""
        bindings = [one for one in rendering.objects if _admits(one)]
        for planned in diff(bindings, remembered=progress.lines, seen=self._effects.cluster.seen(progress.instance.id)):
            await applier.carry_out(progress, planned)

    async def _once_allowed(self, progress: Progress, call: Callable[[], Awaitable[Answer]]) -> Answer:
        return await (once_allowed(self._effects.clock, call) if progress.changes else call())


def _keys_of(instance: Instance) -> KeyPlace:
    return KeyPlace(instance.id, instance.namespace, KEYS_SECRET, {INSTANCE: instance.id})


def _kept(record: Inventory) -> tuple[object, ...]:
    """What the record must say before anything is applied by it."""
    return record.keys, record.secrets, record.restarts, record.namespace_created, record.inputs


def _admits(rendered: Rendered) -> bool:
    """Whether this is what gives the agent its rights in the namespace."""
    return rendered.stage is Stage.NAMESPACE and rendered.ref.kind == "RoleBinding"
