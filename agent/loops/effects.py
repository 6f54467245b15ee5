"""What a pass may do to the world, each effect stated as a fact once it happened."""

from __future__ import annotations

from dataclasses import dataclass

from agent.model.changes import Change
from agent.model.facts import ChangeApplied
from agent.model.objects import Owned, Seen
from agent.planning.diff import Planned
from agent.planning.ownership import owned_as
from agent.ports import Clock, Cluster, Inventories, Keys, Telemetry


@dataclass(frozen=True, slots=True)
class Effects:
    """The ports that passes share."""

    cluster: Cluster
    inventories: Inventories
    keys: Keys
    telemetry: Telemetry
    clock: Clock

    async def apply(self, instance_id: str, planned: Planned) -> Owned:
        """Apply one planned change; returns what the inventory shall remember of it."""
        began = self.clock.monotonic()
        manifest = planned.rendered.manifest
        live = await self.cluster.apply(manifest)
        self.telemetry.emit(ChangeApplied(instance_id, planned.change, self.clock.monotonic() - began))
        return owned_as(manifest, live.manifest)

    async def delete(self, instance_id: str, live: Seen, change: Change) -> None:
        """Delete one object."""
        began = self.clock.monotonic()
        await self.cluster.delete(live)
        self.telemetry.emit(ChangeApplied(instance_id, change, self.clock.monotonic() - began))
