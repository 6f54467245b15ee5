"""What instances shall be: applying, deleting (by a tombstone), rolling back, unlisting. Every change is a revision.

Documents are validated with the wire's own models before anything is kept, and kept in canonical form, so that the same
content has the same digest and applying it twice changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from agent.model.instance import Instance, Retain, State
from agent.wire.codec import read_document
from agent.wire.document import API_VERSION, KIND
from agent.wire.limits import MAX_DOCUMENT_BYTES
from agent.wire.problems import Code
from agent.wire.strict import canonical, digest, parse_object
from control_plane.clock import Clock
from control_plane.faults import Clash, NotFound, Stale, Unacceptable
from control_plane.services.desired import DesiredState
from control_plane.store import clusters, instances
from control_plane.store.database import Database
from control_plane.store.instances import Deed, InstanceRow, RevisionRow


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Which instance of which cluster a change is about, who makes it, and what it was seen at.

    ``expected``: the revision that the author saw last; 0: none at all; None: whatever it is.
    """

    cluster: str
    instance: str
    author: str
    expected: int | None = None


@dataclass(frozen=True, slots=True)
class Published:
    """What came of a change. ``changed`` is False if everything was as it was asked for already."""

    instance: InstanceRow
    digest: str
    changed: bool
    unknown_fields: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class InstanceView:
    """An instance as it stands, with its present document."""

    instance: InstanceRow
    digest: str
    document: dict[str, Any]


@dataclass(frozen=True, slots=True)
class _Draft:
    """A revision to be: the document, what it says, and what made it."""

    raw: bytes
    says: Instance
    deed: Deed
    restored: int | None = None


class Publishing:
    """Changes what the indexes list."""

    def __init__(self, database: Database, desired: DesiredState, *, clock: Clock) -> None:
        self._database = database
        self._desired = desired
        self._clock = clock

    async def apply(self, target: Target, raw: bytes) -> Published:
        """Make this document the instance's next revision, and list it.

        Raises Unacceptable (with the field), NotFound (the cluster), Clash (the id is another cluster's, the name or
        namespace is taken), Stale (not at the expected revision).
        """
        raw = canonical(parse_object(raw, limit=MAX_DOCUMENT_BYTES, what="document"))
        says, unknown = read_document(raw)
        if says.id != target.instance:
            raise Unacceptable(
                Code.MALFORMED, f"is {says.id}, and the call is about {target.instance}", path="metadata.id"
            )
        async with self._database.writing() as connection:
            published = await self._revise(connection, target, _Draft(raw, says, Deed.APPLIED))
        await self._announce(published)
        return replace(published, unknown_fields=unknown)

    async def delete(self, target: Target, *, retain: Iterable[Retain] | None = None) -> Published:
        """Write a tombstone. ``retain`` None: everything outlives it; only an empty one removes all data.

        Raises NotFound or Stale.
        """
        async with self._database.writing() as connection:
            row = await _known(connection, target)
            raw = canonical(_tombstone(await _document(connection, row), retain))
            published = await self._revise(connection, target, _Draft(raw, read_document(raw)[0], Deed.DELETED))
        await self._announce(published)
        return published

    async def rollback(self, target: Target, *, revision: int) -> Published:
        """Make an older revision's document the next revision. Raises NotFound, Clash or Stale."""
        async with self._database.writing() as connection:
            await _known(connection, target)
            older = await instances.revision(connection, target.instance, revision)
            if older is None:
                raise NotFound(Code.NOT_FOUND, f"the instance {target.instance} has no revision {revision}")
            raw = await instances.document(connection, older.digest)
            draft = _Draft(raw, read_document(raw)[0], Deed.ROLLED_BACK, restored=revision)
            published = await self._revise(connection, target, draft)
        await self._announce(published)
        return published

    async def unlist(self, target: Target) -> Published:
        """Take the instance off the index without deleting it: its agent leaves it be. Raises NotFound or Stale."""
        async with self._database.writing() as connection:
            row = await _known(connection, target)
            _expect(row, target)
            found = await instances.revision(connection, row.id, row.revision)
            assert found is not None, "an instance has the revision that it stands at"
            unlisted = replace(row, listed=False, updated_at=self._clock.now())
            if row.listed:
                await instances.put(connection, unlisted)
                await self._desired.sign_next(connection, row.cluster)
        published = Published(unlisted, found.digest, changed=row.listed)
        await self._announce(published)
        return published

    async def instances(self, cluster: str | None = None) -> list[InstanceRow]:
        """The instances of one cluster or of all, the unlisted too. Raises NotFound."""
        async with self._database.reading() as connection:
            if cluster is not None:
                await _cluster(connection, cluster)
            return await instances.of_cluster(connection, cluster)

    async def instance(self, cluster: str, instance: str) -> InstanceView:
        """One instance with its present document. Raises NotFound."""
        async with self._database.reading() as connection:
            row = await _known(connection, Target(cluster=cluster, instance=instance, author=""))
            document = await _document(connection, row)
        return InstanceView(row, digest(canonical(document)), document)

    async def history(self, cluster: str, instance: str) -> list[RevisionRow]:
        """Every revision of an instance, newest first. Raises NotFound."""
        async with self._database.reading() as connection:
            row = await _known(connection, Target(cluster=cluster, instance=instance, author=""))
            return await instances.history(connection, row.id)

    async def documents(self, cluster: str, digests: Iterable[str]) -> dict[str, bytes]:
        """Those of the documents that this cluster may see: its own."""
        async with self._database.reading() as connection:
            return await instances.documents_of(connection, cluster, tuple(digests))

    async def _revise(self, connection: AsyncConnection, target: Target, draft: _Draft) -> Published:
        await _cluster(connection, target.cluster)
        before = await instances.find(connection, target.instance)
        _expect(before, target)
        if before is not None and before.cluster != target.cluster:
            raise Clash("InstanceElsewhere", f"the instance {target.instance} belongs to another cluster",
                        hint="an id is never used again: take a new one")  # fmt: skip
        after, content = self._after(before, target, draft), digest(draft.raw)
        if before is not None and await _says_already(connection, before, content):
            return Published(before, content, changed=False)
        await _refuse_taken(connection, after)
        await instances.keep_document(connection, content, content=draft.raw)
        await instances.put(connection, after)
        await instances.add_revision(connection, _revision(after, content, draft=draft, author=target.author))
        await self._desired.sign_next(connection, target.cluster)
        return Published(after, content, changed=True)

    def _after(self, before: InstanceRow | None, target: Target, draft: _Draft) -> InstanceRow:
        return InstanceRow(
            id=target.instance,
            cluster=target.cluster,
            name=draft.says.name,
            namespace=draft.says.namespace,
            state=draft.says.state,
            revision=before.revision + 1 if before else 1,
            listed=True,
            updated_at=self._clock.now(),
        )

    async def _announce(self, published: Published) -> None:
        if published.changed:
            await self._desired.announce(published.instance.cluster)


async def _cluster(connection: AsyncConnection, name: str) -> None:
    if await clusters.find(connection, name) is None:
        raise NotFound(
            Code.NOT_FOUND, f"there is no cluster {name}", hint="a cluster is made known by creating a token for it"
        )


async def _known(connection: AsyncConnection, target: Target) -> InstanceRow:
    row = await instances.find(connection, target.instance)
    if row is None or row.cluster != target.cluster:
        raise NotFound(Code.NOT_FOUND, f"the cluster {target.cluster} has no instance {target.instance}")
    return row


async def _document(connection: AsyncConnection, row: InstanceRow) -> dict[str, Any]:
    found = await instances.revision(connection, row.id, row.revision)
    assert found is not None, "an instance has the revision that it stands at"
    raw = await instances.document(connection, found.digest)
    return parse_object(raw, limit=MAX_DOCUMENT_BYTES, what="document")


async def _says_already(connection: AsyncConnection, before: InstanceRow, content: str) -> bool:
    if not before.listed:
        return False
    present = await instances.revision(connection, before.id, before.revision)
    return present is not None and present.digest == content


async def _refuse_taken(connection: AsyncConnection, wanted: InstanceRow) -> None:
    if wanted.state == State.DELETED:
        return
    other = await instances.in_the_way(connection, wanted, dead=State.DELETED)
    if other is None:
        return
    if other.name == wanted.name:
        raise Clash("NameTaken", f"the name {wanted.name} is that of the instance {other.id}")
    raise Clash("NamespaceTaken", f"the namespace {wanted.namespace} is that of the instance {other.name}")


def _expect(row: InstanceRow | None, target: Target) -> None:
    present = row.revision if row else 0
    if target.expected is not None and target.expected != present:
        raise Stale(
            "RevisionMismatch",
            f"the instance is at revision {present}, and the call expects {target.expected}",
            hint="read it again and repeat the change",
        )


def _revision(after: InstanceRow, content: str, *, draft: _Draft, author: str) -> RevisionRow:
    return RevisionRow(
        instance=after.id,
        revision=after.revision,
        digest=content,
        action=draft.deed,
        author=author,
        at=after.updated_at,
        restored=draft.restored,
    )


def _tombstone(document: dict[str, Any], retain: Iterable[Retain] | None) -> dict[str, Any]:
    """A document that says no more than that the instance shall go, and what shall outlive it."""
    spec: dict[str, Any] = {"state": State.DELETED.value}
    if namespace := document["spec"].get("namespace"):
        spec["namespace"] = namespace
    if retain is not None:
        kept = set(retain)
        spec["retain"] = [thing.value for thing in Retain if thing in kept]
    return {"apiVersion": API_VERSION, "kind": KIND, "metadata": document["metadata"], "spec": spec}
