"""One pass over one tombstoned instance: delete what may go now, keep what is retained, forget what is gone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from agent.loops.effects import Effects
from agent.loops.passes import Policy
from agent.loops.rights import once_allowed
from agent.model.changes import Action, Change
from agent.model.desired import Document
from agent.model.errors import AgentError
from agent.model.instance import Retain
from agent.model.objects import Inventory, ObjectRef, Owned
from agent.model.observed import Seen
from agent.planning import pool
from agent.planning.health import View
from agent.planning.observing import observed
from agent.planning.removal import Step, admitted, kept_volumes, next_step, searchable, unseen
from agent.rendering import closing


class RemovePass:
    """Carries a tombstone out, step by step."""

    def __init__(self, effects: Effects, policy: Policy) -> None:
        self._effects = effects
        self._account = policy.account
        self._guarding = policy.guarding
        self._pool = policy.pool

    async def run(self, document: Document, inventory: Inventory) -> View:
        """One pass; never raises AgentError, but tells it in the view."""
        instance = document.instance
        changes: list[Change] = []
        error: AgentError | None = None
        step = Step()
        try:
            self._guarding.check_removal(instance, inventory)
            if self._pool:
                pool.judge(instance, self._pool, inventory=inventory)
                if (blind := self._effects.cluster.blind(inventory.namespace)) is not None:
                    raise blind
                inventory = replace(inventory, namespace_created=False)  # whoever made it, it is not ours to delete
            await self._search(inventory)
            step = await self._go_on(document, inventory, changes)
            if step.done:
                inventory = await self._settle(document, inventory)
        except AgentError as failure:
            error = failure
        return View(
            document=document,
            inventory=inventory,
            seen=self._effects.cluster.seen(instance.id),
            changes=tuple(changes),
            waits_for=step.waits_for,
            error=error,
            gone=step.done and error is None,
        )

    async def _go_on(self, document: Document, inventory: Inventory, changes: list[Change]) -> Step:
        """Delete what may go now. The end of what hides from the cache wakes nobody: so it is not waited for."""
        instance = document.instance
        while True:
            seen = await self._seen(inventory)
            step = next_step(inventory, seen=seen, retain=instance.retain)
            strays = await self._strays(unseen(inventory, step, seen=seen), seen, inventory.namespace)
            if strays:
                step = next_step(inventory, seen={**seen, **strays}, retain=instance.retain)
            deeds = [(live, Change(live.ref, Action.DELETE, "the tombstone says so")) for live in step.deletions]
            if deeds:
                await self._effects.write_down(instance.id, deeds)
            for live, change in deeds:
                await self._effects.delete(instance.id, live, change)
                changes.append(change)
            if not deeds or not strays:
                return step

    async def _seen(self, inventory: Inventory) -> Mapping[ObjectRef, Seen]:
        """What the cache shows; and the namespace, where it is one that was given to us, which no watch covers."""
        seen = self._effects.cluster.seen(inventory.instance_id)
        if not self._pool or not inventory.namespace:
            return seen
        home = await self._effects.cluster.read(ObjectRef("v1", "Namespace", "", inventory.namespace))
        return seen if home is None else {**seen, ObjectRef.of(home): observed(home)}

    async def _strays(
        self, hidden: Sequence[Owned], seen: Mapping[ObjectRef, Seen], namespace: str
    ) -> dict[ObjectRef, Seen]:
        """What is still there, in the incarnation that we applied, of objects that the cache does not show."""
        home = ObjectRef("v1", "Namespace", "", namespace)
        if hidden and home not in seen and await self._there(home) is None:
            return {}  # everything went with it
        found = {}
        for owned in hidden:
            live = await self._there(owned.ref)
            if live is not None and live.uid == owned.uid:
                found[owned.ref] = live
        return found

    async def _there(self, ref: ObjectRef) -> Seen | None:
        """An object by its name, unless it is gone or about to go."""
        live = await self._effects.cluster.read(ref)
        if live is None or "deletionTimestamp" in live["metadata"]:
            return None
        return observed(live)

    async def _search(self, inventory: Inventory) -> None:
        """List what no watch covers. The rights to that, and to take things away, come first if they are missing: a
        birth that was cut short did not get to bind them, or somebody took them away.
        """
        cluster, instance_id = self._effects.cluster, inventory.instance_id
        seen = await self._seen(inventory)
        if not searchable(inventory, seen):
            return
        if self._account is None or admitted(seen):
            await cluster.survey(instance_id, inventory.namespace)
            return
        await self._effects.verbs.apply(closing(self._account, inventory.namespace, instance_id))
        await once_allowed(self._effects.clock, lambda: cluster.survey(instance_id, inventory.namespace))

    async def _settle(self, document: Document, inventory: Inventory) -> Inventory:
        """Forget what is gone; the record itself goes once nothing is retained that a later order may remove."""
        instance = document.instance
        seen = self._effects.cluster.seen(instance.id)
        records = self._effects.records
        if Retain.KEYS not in instance.retain:
            # Also where the record knows of none: a birth that was cut short makes keys before it writes anything down.
            await records.keys.forget(instance.id)
            inventory = replace(inventory, keys={})
        left = replace(
            inventory,
            owned=tuple(owned for owned in inventory.owned if owned.ref in seen),
            inputs="",
            secrets={},
            revision=document.entry.revision,
        )
        if not left.keys and not kept_volumes(seen, instance.retain):
            await records.inventories.forget(inventory)
            await records.journal.forget(instance.id)
            return Inventory(instance.id)
        if left != inventory:
            return await records.inventories.save(left)
        return inventory
