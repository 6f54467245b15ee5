"""What inspections are tried on: an agent that lives for a while, strangers that come while it is away, and a look."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from agent import wiring
from agent.cluster.client import APPLY, MERGE, KubeClient, Request
from agent.cluster.kinds import path_of
from agent.inspection.comparison import Comparison, Given, comparison
from agent.inspection.proposal import Proposal
from agent.inspection.sight import Sight, Target
from agent.model.desired import Entry
from agent.model.errors import Missing
from agent.model.facts import ChangeApplied
from agent.model.objects import ObjectRef
from agent.wire.codec import read_document
from agent.wire.trust import fingerprint
from sandbox.testcluster import TestCluster
from tests.support.builders import an_entry, document_bytes
from tests.support.hostile import HostilePlane, Listener, an_index, listening
from tests.support.rights import Granted
from tests.support.wire import CLUSTER, ROOT

Published = tuple[Entry, bytes]


@dataclass(slots=True)
class Scene:
    """A cluster, an agent's namespace in it, and one instance. Who looks is an administrator, the agent is itself."""

    cluster: TestCluster
    namespace: str
    client: KubeClient
    granted: Granted
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    plane: HostilePlane = field(default_factory=HostilePlane)
    homes: set[str] = field(default_factory=set)
    _version: int = 0

    @property
    def home(self) -> str:
        """The instance's namespace."""
        return f"af-{self.id[:8]}"

    def document(self, revision: int = 1, **spec: Any) -> Published:
        """A document of the instance."""
        raw = document_bytes(self.id, **{"namespace": self.home, "name": "sales", **spec})
        return an_entry(raw, self.id, revision=revision), raw

    def given(self, **spec: Any) -> Given:
        """A document of the instance that nobody signed."""
        return Given(*read_document(self.document(**spec)[1]))

    @asynccontextmanager
    async def agent(self, *documents: Published) -> AsyncIterator[Listener]:
        """An agent that is told these documents, for as long as the block runs."""
        self.homes.add(self.home)
        self._version += 1
        self.plane.say(
            an_index(self._version, [entry for entry, _ in documents]), {entry.digest: raw for entry, raw in documents}
        )
        async with listening(self.plane, self.granted, self.namespace) as listener:
            yield listener

    async def lived(self, *documents: Published) -> tuple[ChangeApplied, ...]:
        """An agent comes, does all of it, and goes; returns what it did."""
        async with self.agent(*documents) as listener:
            for entry, _ in documents:
                await settled(listener, entry)
            return tuple(fact for fact in listener.facts.stated if isinstance(fact, ChangeApplied))

    def looking(self, **changes: Any) -> Any:
        """The sight of somebody with a kubeconfig; keywords are of the target."""
        target = {
            "kubeconfig": self.cluster.kubeconfig,
            "namespace": self.namespace,
            "prune_limit": 20,
            "cluster": CLUSTER,
            "root_fingerprint": fingerprint(ROOT.public),
            "service_account": self.granted.account,
        }
        return wiring.inspecting(Target(**{**target, **changes}))

    async def compared(self, *given: Given, quick: bool = False, **changes: Any) -> Comparison:
        """What would change of everything."""
        async with self.looking(**changes) as sight:
            return await comparison(sight, "", given, quick=quick)

    async def proposed(self, *given: Given, quick: bool = False, **changes: Any) -> Proposal:
        """What would change of the instance."""
        (proposal,) = (await self.compared(*given, quick=quick, **changes)).proposals
        return proposal

    def ref(self, kind: str, name: str) -> ObjectRef:
        """An object of the instance."""
        version = {"Deployment": "apps/v1", "StatefulSet": "apps/v1"}.get(kind, "v1")
        return ObjectRef(version, kind, self.home, name)

    async def patch(self, ref: ObjectRef, body: Any, *, manager: str = "stranger", subresource: str = "") -> None:
        """Somebody changes an object."""
        path = path_of(ref) + (f"/{subresource}" if subresource else "")
        request = Request("patch", "PATCH", path, {"fieldManager": manager}, body, MERGE)
        await self.client.send(request)

    async def apply(self, ref: ObjectRef, body: Any, *, manager: str) -> None:
        """Somebody applies some fields, by force."""
        named = {"apiVersion": ref.api_version, "kind": ref.kind, "metadata": {"name": ref.name}, **body}
        params = {"fieldManager": manager, "force": "true"}
        await self.client.send(Request("apply", "PATCH", path_of(ref), params, named, APPLY))

    async def delete(self, ref: ObjectRef) -> None:
        """Somebody deletes an object."""
        await self.client.send(Request("delete", "DELETE", path_of(ref)))

    async def read(self, ref: ObjectRef) -> dict[str, Any]:
        """An object as it is."""
        return await self.client.send(Request("get", "GET", path_of(ref)))

    async def leave(self, home: str) -> None:
        """Ask for the end of a namespace."""
        with suppress(Missing):
            await self.client.send(Request("delete", "DELETE", f"/api/v1/namespaces/{home}"))


async def settled(listener: Listener, entry: Entry) -> None:
    """Wait until the document of this line is fully carried out."""

    def holds(_: object) -> bool:
        status = listener.statuses.everything().get(entry.id)
        said = {one.type: one for one in status.conditions} if status else {}
        return (
            status is not None
            and status.revision == entry.revision
            and said["Progressing"].status == "False"
            and said["Stalled"].status == "False"
        )

    await listener.facts.wait(holds)


def writes(sight: Sight) -> set[str]:
    """The verbs that were sent through this sight, beside those that only read."""
    return set(sight.cluster.requests()) - {"get", "list", "dry-run"}
