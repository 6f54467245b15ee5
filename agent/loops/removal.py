"""One pass over one tombstoned instance: delete what may go now, keep what is retained, forget what is gone."""

from __future__ import annotations

from dataclasses import replace

from agent.loops.effects import Effects
from agent.loops.rights import once_allowed
from agent.model.changes import Action, Change
from agent.model.desired import Document
from agent.model.errors import AgentError
from agent.model.instance import Retain
from agent.model.objects import Inventory
from agent.planning.health import View
from agent.planning.removal import Step, admitted, kept_volumes, next_step, searchable
from agent.rendering import AgentAccount, closing


class RemovePass:
    """Carries a tombstone out, step by step."""

    def __init__(self, effects: Effects, account: AgentAccount | None) -> None:
        self._effects = effects
        self._account = account

    async def run(self, document: Document, inventory: Inventory) -> View:
        """One pass; never raises AgentError, but tells it in the view."""
        instance = document.instance
        changes: list[Change] = []
        error: AgentError | None = None
        step = Step()
        try:
            await self._search(inventory)
            step = next_step(inventory, seen=self._effects.cluster.seen(instance.id), retain=instance.retain)
            deeds = [(live, Change(live.ref, Action.DELETE, "the tombstone says so")) for live in step.deletions]
            if deeds:
                await self._effects.write_down(instance.id, deeds)
            for live, change in deeds:
                await self._effects.delete(instance.id, live, change)
                changes.append(change)
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

    async def _search(self, inventory: Inventory) -> None:
        """List what no watch covers. The rights to that, and to take things away, come first if they are missing: a
        birth that was cut short did not get to bind them, or somebody took them away.
        """
        cluster, instance_id = self._effects.cluster, inventory.instance_id
        seen = cluster.seen(instance_id)
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
            revision=document.entry.revision,
        )
        if not left.keys and not kept_volumes(seen, instance.retain):
            await records.inventories.forget(inventory)
            await records.journal.forget(instance.id)
            return Inventory(instance.id)
        if left != inventory:
            return await records.inventories.save(left)
        return inventory
