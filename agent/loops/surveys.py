"""What no watch covers, looked at instance by instance, and remembered for the term, in which nobody else writes."""

from __future__ import annotations

from agent.ports import Cluster


class Surveys:
    """Of which instances those kinds were looked at since the term began. Bounded by the number of instances."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._made: set[str] = set()

    def made(self, instance_id: str) -> bool:
        """Whether the instance was surveyed."""
        return instance_id in self._made

    async def make(self, instance_id: str, namespace: str) -> None:
        """Look now."""
        await self._cluster.survey(instance_id, namespace)
        self._made.add(instance_id)

    def forget(self, instance_id: str) -> None:
        """The instance is gone."""
        self._made.discard(instance_id)
