"""Ports of the Kubernetes cluster: what is seen there, what may be done to it, and the customer's own rules."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Protocol

from agent.model.errors import AgentError
from agent.model.guard import Guard
from agent.model.objects import MANAGER, Manifest, ObjectRef
from agent.model.observed import Seen


class Cluster(Protocol):
    """The Kubernetes cluster as it is seen: a cache of what is there, and ways to look closer."""

    async def started(self) -> None:
        """Return when the first full listing of every watched kind is there, wherever it is allowed."""
        ...

    def blind(self, namespace: str) -> AgentError | None:
        """Why it is not known what is in a namespace, so that nothing may be judged absent there; None if it is."""
        ...

    def seen(self, instance_id: str) -> Mapping[ObjectRef, Seen]:
        """Every object labelled for the instance, as last seen or as our own last write left it."""
        ...

    async def survey(self, instance_id: str, namespace: str) -> None:
        """List the metadata of the instance's objects that no watch keeps up to date."""
        ...

    async def read(self, ref: ObjectRef) -> Manifest | None:
        """One whole object straight from the server; None if it does not exist."""
        ...

    def touched(self) -> AsyncIterator[str]:
        """Ids of instances of which an object changed, each soon after the change; never ends."""
        ...

    def requests(self) -> Mapping[str, int]:
        """How many requests were made since the start, by verb."""
        ...

    def failures(self) -> tuple[AgentError, ...]:
        """Why kinds cannot be watched at present; empty if all can."""
        ...


class Verbs(Protocol):
    """What may be done to the cluster. What is changed shows in ``Cluster.seen`` at once."""

    async def apply(
        self, manifest: Manifest, *, manager: str = MANAGER, force: bool = False, dry_run: bool = False
    ) -> Manifest:
        """Server-side apply; returns the live object, or with ``dry_run`` what it would become.

        A ``metadata.resourceVersion`` in the manifest is a precondition. Raises FieldConflict, ObjectRefused,
        NotAuthorised or Retryable.
        """
        ...

    async def scale(self, seen: Seen, replicas: int) -> None:
        """Set the replicas of a workload that is still as it was seen; raises Conflict if it is not."""
        ...

    async def grow(self, claim: Seen, size: str) -> None:
        """Ask for a larger volume; raises ObjectRefused where its storage class cannot."""
        ...

    async def delete(self, seen: Seen, *, orphan: bool = False) -> bool:
        """Delete that very incarnation (uid precondition); an object that is gone already is a success.

        ``orphan`` leaves alone what it owns. Returns whether it is gone; False: it waits for finalizers or its pods.
        """
        ...


class GuardRules(Protocol):
    """The customer's own rules, which no control plane can change."""

    async def read(self) -> Guard:
        """The rules as they are written now, or what holds where nothing is; raises Refused where they are broken."""
        ...
