"""One pass over one tombstoned instance: delete what may go now, keep what is retained, forget what is gone."""

from __future__ import annotations

from dataclasses import replace

from agent.loops.effects import Effects
from agent.model.changes import Action, Change
from agent.model.desired import Document
from agent.model.errors import AgentError
from agent.model.instance import Retain
from agent.model.objects import Inventory
from agent.planning.health import View
from agent.planning.removal import Step, kept_volumes, next_step
from agent.rendering import KEYS_SECRET


class RemovePass:
    """Carries a tombstone out, step by step."""

    def __init__(self, effects: Effects) -> None:
        self._effects = effects

    async def run(self, document: Document, inventory: Inventory) -> View:
        """One pass; never raises AgentError, but tells it in the view."""
        instance = document.instance
        changes: list[Change] = []
        error: AgentError | None = None
        step = Step()
        try:
            seen = await self._effects.cluster.look(instance.id, [owned.ref for owned in inventory.owned])
            step = next_step(inventory, seen=seen, retain=instance.retain)
            for live in step.deletions:
                change = Change(live.ref, Action.DELETE, "the tombstone says so")
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

    async def _settle(self, document: Document, inventory: Inventory) -> Inventory:
        """Forget what is gone; the record itself goes once nothing is retained that a later order may remove."""
        instance = document.instance
        seen = self._effects.cluster.seen(instance.id)
        # A birth that was cut short may have made keys before their checksums were written down.
        has_keys = inventory.keys or any(owned.ref.name == KEYS_SECRET for owned in inventory.owned)
        if has_keys and Retain.KEYS not in instance.retain:
            await self._effects.keys.forget(instance.id)
            inventory = replace(inventory, keys={})
        left = replace(
            inventory,
            owned=tuple(owned for owned in inventory.owned if owned.ref in seen),
            inputs="",
            revision=document.entry.revision,
        )
        if not left.keys and not kept_volumes(seen, instance.retain):
            await self._effects.inventories.forget(inventory)
            return Inventory(instance.id)
        if left != inventory:
            return await self._effects.inventories.save(left)
        return inventory
