"""What a pass may do to the world: the ports, and each effect stated as a fact once it happened."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from agent.model.changes import Change
from agent.model.facts import ChangeApplied
from agent.model.journal import Deed
from agent.model.observed import Seen
from agent.ports import Clock, Cluster, Inventories, Journal, Keys, SecretValues, Telemetry, Verbs


@dataclass(frozen=True, slots=True)
class Records:
    """What is kept in the cluster of what was done, keys and secret values included."""

    inventories: Inventories
    keys: Keys
    secrets: SecretValues
    journal: Journal


@dataclass(frozen=True, slots=True)
class Effects:
    """The ports that passes share."""

    cluster: Cluster
    verbs: Verbs
    records: Records
    telemetry: Telemetry
    clock: Clock

    def done(self, instance_id: str, change: Change, *, since: float) -> None:
        """State a change that was made; ``since`` is when it began, on the monotonic clock."""
        self.telemetry.emit(ChangeApplied(instance_id, change, self.clock.monotonic() - since))

    async def write_down(self, instance_id: str, deeds: Sequence[tuple[Seen, Change]]) -> None:
        """Enter in the journal what is about to be done and cannot be undone by applying again."""
        now = self.clock.now()
        await self.records.journal.append(instance_id, [Deed(change, seen.uid, now) for seen, change in deeds])

    async def delete(self, instance_id: str, live: Seen, change: Change, *, orphan: bool = False) -> bool:
        """Delete one object that the journal names already; returns whether it is gone."""
        began = self.clock.monotonic()
        gone = await self.verbs.delete(live, orphan=orphan)
        self.done(instance_id, change, since=began)
        return gone
