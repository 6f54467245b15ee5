"""Secret values on their way from where a document says they are to where the pods read them.

Here: when they are looked at, what is gone on with where one cannot be had, and that the record never claims a value
that may not have arrived. Not here: reading, opening and writing them (the cluster edge), or what shows of them
(rendering). Nothing watches the Secrets of others: so they are looked at anew, now and then and after each failure.
"""

from __future__ import annotations

from dataclasses import replace

from agent.loops.effects import Effects
from agent.loops.progress import Look, Progress
from agent.model.errors import Missing
from agent.model.instance import Instance
from agent.model.labels import INSTANCE
from agent.model.objects import ObjectRef
from agent.model.secrets import FoundSecrets, wants
from agent.planning.ownership import intact
from agent.ports import KeyPlace
from agent.rendering import SECRETS_SECRET


class Supply:
    """Brings secret values to the instances that want them. Remembers of which instances all were had last time."""

    def __init__(self, effects: Effects) -> None:
        self._effects = effects
        self._supplied: dict[str, Instance] = {}

    def wanted(self, instance: Instance) -> bool:
        """Whether the instance has secret values that are not simply generated."""
        return bool(wants(instance))

    def due(self, progress: Progress, look: Look) -> bool:
        """Whether this pass shall look at them."""
        closely = look.again or look.survey or look.comparing or look.secrets
        return self.wanted(progress.instance) and (
            closely or self._supplied.get(progress.instance.id) is not progress.instance
        )

    def ref(self, instance: Instance) -> ObjectRef:
        """What names the Secret that holds them."""
        return _place(instance).ref

    async def find(self, progress: Progress) -> FoundSecrets:
        """Look, and enter in the record what is known now.

        A value that was had before from the same source stays in force while its source is away.
        """
        self._supplied.pop(progress.instance.id, None)
        wanted, before = wants(progress.instance), progress.inventory.secrets
        found = await self._effects.records.secrets.find(_place(progress.instance), wanted, known=before)
        lasting = {
            want.path: before[want.path]
            for want in wanted
            if want.path in found.problems and want.path in before and before[want.path].source == want.source
        }
        progress.unsupplied = dict(found.problems)
        progress.unknown = frozenset(found.problems.keys() - lasting.keys())
        progress.inventory = replace(progress.inventory, secrets={**found.known, **lasting})
        return found

    def trim(self, progress: Progress) -> None:
        """Forget what the document no longer wants."""
        wanted, known = {want.path for want in wants(progress.instance)}, progress.inventory.secrets
        if not known.keys() <= wanted:
            kept = {path: one for path, one in known.items() if path in wanted}
            progress.inventory = replace(progress.inventory, secrets=kept)

    def unsettled(self, progress: Progress) -> bool:
        """Whether the Secret has to be written. Until that is done, its line claims nothing."""
        ref, known = self.ref(progress.instance), progress.inventory.secrets
        if not known:
            return False
        line = progress.lines.get(ref)
        seen = self._effects.cluster.seen(progress.instance.id).get(ref)
        if known == progress.saved.secrets and line is not None and intact(line, seen):
            return False
        progress.forget(ref)
        return True

    async def place(self, progress: Progress, found: FoundSecrets) -> None:
        """Write the Secret; a value that should have lasted and is gone too is had no longer."""
        place, put = _place(progress.instance), self._effects.records.secrets.place
        lasting = progress.inventory.secrets.keys() - found.values.keys()
        try:
            owned = await put(place, found, keep=lasting)
        except Missing:
            progress.unknown |= lasting
            progress.inventory = replace(progress.inventory, secrets=found.known)
            owned = await put(place, found, keep=())
        progress.remember(owned)

    def done(self, progress: Progress) -> None:
        """All of them are where they belong."""
        if not progress.unsupplied:
            self._supplied[progress.instance.id] = progress.instance

    def forget(self, instance_id: str) -> None:
        """The instance is gone."""
        self._supplied.pop(instance_id, None)


def _place(instance: Instance) -> KeyPlace:
    return KeyPlace(instance.id, instance.namespace, SECRETS_SECRET, {INSTANCE: instance.id})
