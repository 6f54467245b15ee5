"""Watching a cluster for a while: who writes, counted at the API server, and what of an instance is not as rendered."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from agent.cluster.client import Request
from agent.cluster.inventory import ClusterInventories
from agent.cluster.kinds import kind_of, path_of
from agent.cluster.secrets import SecretShelf
from agent.loops.pace import SystemClock
from agent.model.desired import Document
from agent.model.objects import Inventory, ObjectRef, Rendered
from agent.planning.contrast import contrast
from agent.rendering import AgentAccount, RenderInputs, render
from sandbox.testcluster import AuditedRequests, AuditLog, AuditMark
from tests.support.journey import Journey
from tests.support.rights import ACCOUNT

STILL_SECONDS = 5.0
STILL_WITHIN_SECONDS = 90.0
COMPARED_WITHIN_SECONDS = 150.0
"""So long after the time of the watch everything must have been compared; the least setting has it once a minute."""


@dataclass(frozen=True, slots=True)
class Resident:
    """An instance and what is wanted of it."""

    path: Journey
    document: Document

    @property
    def id(self) -> str:
        """Which instance it is."""
        return self.document.instance.id

    async def rendered(self) -> Sequence[Rendered]:
        """Its objects as they shall be, with the keys that its record names."""
        shelf = SecretShelf(self.path.client, self.path.namespace)
        inventory = await ClusterInventories(shelf).load(self.id)
        assert isinstance(inventory, Inventory), inventory
        account = AgentAccount(self.path.namespace, ACCOUNT)
        return render(RenderInputs(self.document.instance, inventory.keys, account))

    async def deviations(self) -> dict[str, set[str]]:
        """The fields of its objects that are not as they are rendered, by kind and name."""
        found = {}
        for one in await self.rendered():
            live = await self.path.client.send(Request("get", "GET", path_of(one.ref)))
            fields = {change.path for change in contrast(live, one.manifest, partial=True)}
            if fields:
                found[f"{one.ref.kind}/{one.ref.name}"] = fields
        return found


@dataclass(frozen=True, slots=True)
class Seen:
    """Everything that was asked of the API server during a watch that took so long, and by the agent alone."""

    seconds: float
    all: AuditedRequests
    by_agent: AuditedRequests

    def __str__(self) -> str:
        tried = len(self.by_agent.of(dry_run=True))
        asked = f"{len(self.by_agent)} requests, among them {tried} applies that were not carried out"
        return f"{self.seconds:.0f} s: {len(self.writes)} writes; {asked}"

    @property
    def writes(self) -> list[str]:
        """The agent's writes."""
        return [f"{write.verb} {write.uri}" for write in self.by_agent.writes()]

    def compared(self, refs: Collection[ObjectRef]) -> bool:
        """Whether the agent tried to apply every one of them."""
        tried = {(one.resource.partition(".")[0], one.namespace, one.name) for one in self.by_agent.of(dry_run=True)}
        return all((kind_of(ref).plural, ref.namespace, ref.name) in tried for ref in refs)

    def scuffles(self, homes: Collection[str]) -> list[str]:
        """Writes by anybody to the workloads in these namespaces, but for their status."""
        kinds = {"deployments.apps", "statefulsets.apps"}
        return [
            f"{write.user_agent}: {write.verb} {write.uri}"
            for write in self.all.writes()
            if write.namespace in homes and write.resource.removesuffix("/scale") in kinds
        ]


@dataclass(frozen=True, slots=True)
class Watch:
    """How long is watched, and of whose agent."""

    path: Journey
    seconds: float

    async def until_still(self) -> None:
        """Return when the agent has written nothing for a moment; raises TimeoutError if it never stops."""
        never, clock = asyncio.Event(), SystemClock()
        async with asyncio.timeout(STILL_WITHIN_SECONDS):
            while True:
                mark = await self._log.mark()
                await clock.wait(never, seconds=STILL_SECONDS)
                if not (await self._since(mark)).writes:
                    return

    async def over(self, *residents: Resident) -> Seen:
        """Watch for the whole time, and on until everything of these instances was compared in full."""
        refs = [one.ref for resident in residents for one in await resident.rendered() if one.ref.namespace]
        never, clock = asyncio.Event(), SystemClock()
        mark, began = await self._log.mark(), clock.monotonic()
        await clock.wait(never, seconds=self.seconds)
        async with asyncio.timeout(COMPARED_WITHIN_SECONDS):
            while not (await self._since(mark)).compared(refs):
                await clock.wait(never, seconds=1)
        await clock.wait(never, seconds=STILL_SECONDS)  # what a comparison leads to comes right after it
        return await self._since(mark, seconds=clock.monotonic() - began)

    @property
    def _log(self) -> AuditLog:
        return AuditLog(self.path.cluster.audit_log)

    async def _since(self, mark: AuditMark, *, seconds: float = 0) -> Seen:
        requests = await self._log.read(mark)
        return Seen(seconds, requests, requests.by(user=f"system:serviceaccount:{self.path.namespace}:{ACCOUNT}"))
