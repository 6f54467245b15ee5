"""The cluster looked at once, for commands: lists instead of watches, and a client that cannot write.

That a command changes nothing does not hang on the care of who wrote it: a request that would have an effect is never
sent. An apply that is only tried (``dryRun``) has none.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from agent.cluster.client import METADATA_LIST, KubeClient, Request
from agent.cluster.kinds import POOLED, WATCHED, Kind
from agent.cluster.kubernetes import KubernetesCluster
from agent.model.errors import AgentError, Refused
from agent.model.labels import INSTANCE
from agent.model.observed import Seen
from agent.planning.observing import observed
from agent.ports import Clock

_PAGE = "500"


@dataclass(frozen=True, slots=True)
class _Listing:
    """Every object of one kind that was asked for, and the version of the list."""

    found: Sequence[Seen]
    version: int


class ReadingClient(KubeClient):
    """Makes requests that have no effect, and no others."""

    async def send(self, request: Request) -> dict[str, Any]:
        """As of every client; raises Refused for what would be a write."""
        if request.method != "GET" and request.params.get("dryRun") != "All":
            raise Refused(f"{request} would write, and this command only reads", reason="ReadOnly")
        return await super().send(request)


class ClusterGlance(KubernetesCluster):
    """Implements ``ports.Cluster`` over what was there when it was looked at; nothing is watched."""

    def __init__(self, client: KubeClient, clock: Clock, *, namespaces: Collection[str] = ()) -> None:
        super().__init__(client, clock, namespaces=namespaces)
        self._reading = client
        self._pool = namespaces
        self._surveyed: set[str] = set()

    async def look(self, *, instance_id: str = "", namespace: str = "") -> None:
        """List every kind that the agent watches: of one instance in its namespace, or of all everywhere."""
        selector = f"{INSTANCE}={instance_id}" if instance_id else INSTANCE
        places = [namespace] if namespace or not self._pool else sorted(self._pool)
        wanted = [(kind, place) for place in places for kind in (POOLED if self._pool else WATCHED)]
        async with asyncio.TaskGroup() as group:
            tries = [group.create_task(self._tried(kind, selector, place)) for kind, place in wanted]
        for (kind, place), tried in zip(wanted, tries, strict=True):
            listing = tried.result()
            if isinstance(listing, AgentError):
                raise listing
            self.observation.replace_kind(kind, listing.found, version=listing.version, namespace=place)

    async def survey(self, instance_id: str, namespace: str) -> None:
        """As an agent does, and remembered."""
        await super().survey(instance_id, namespace)
        self._surveyed.add(instance_id)

    def surveyed(self, instance_id: str) -> bool:
        """Whether the kinds that no watch covers were looked at, for this instance."""
        return instance_id in self._surveyed

    async def _tried(self, kind: Kind, selector: str, namespace: str) -> _Listing | AgentError:
        """A kind that cannot be listed is told by itself, not as one of a group."""
        try:
            return await self._list(kind, selector, namespace)
        except AgentError as error:
            return error

    async def _list(self, kind: Kind, selector: str, namespace: str) -> _Listing:
        params = {"labelSelector": selector, "limit": _PAGE}
        accept = "application/json" if kind.whole else METADATA_LIST
        found: list[Seen] = []
        while True:
            request = Request("list", "GET", kind.collection(namespace), params, accept=accept)
            page = await self._reading.send(request)
            # Items of a list carry no apiVersion and kind; those of a metadata-only list carry another one.
            items = page["items"] or ()
            found += [observed({**item, "apiVersion": kind.api_version, "kind": kind.kind}) for item in items]
            token = page["metadata"].get("continue", "")
            if not token:
                return _Listing(found, int(page["metadata"]["resourceVersion"]))
            params = {**params, "continue": token}
