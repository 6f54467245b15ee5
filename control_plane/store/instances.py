"""Documents, instances and their revisions, as rows. A document never changes once it is there; a revision neither."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from control_plane.store import rows
from control_plane.store.schema import DOCUMENTS, INSTANCES, REVISIONS


class Deed(StrEnum):
    """What made a revision."""

    APPLIED = "applied"
    DELETED = "deleted"
    ROLLED_BACK = "rolled-back"


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceRow:
    """One instance as it stands; ``state`` is the document's (running, hibernated, deleted)."""

    id: str
    cluster: str
    name: str
    namespace: str
    state: str
    revision: int
    listed: bool
    updated_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class RevisionRow:
    """One revision; ``restored`` is the older revision that a rollback brought back."""

    instance: str
    revision: int
    digest: str
    action: str
    author: str
    at: datetime
    restored: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """One line of an index."""

    id: str
    revision: int
    digest: str
    size: int


async def keep_document(connection: AsyncConnection, digest: str, *, content: bytes) -> None:
    """Keep a document under its digest; one that is there already stays as it is."""
    known = await connection.execute(select(DOCUMENTS.c.digest).where(DOCUMENTS.c.digest == digest))
    if known.one_or_none() is None:
        await connection.execute(insert(DOCUMENTS).values(digest=digest, size=len(content), content=content))


async def document(connection: AsyncConnection, digest: str) -> bytes:
    """The bytes of a document that is known to be there."""
    query = select(DOCUMENTS.c.content).where(DOCUMENTS.c.digest == digest)
    content: bytes = (await connection.execute(query)).scalar_one()
    return content


async def documents_of(connection: AsyncConnection, cluster: str, digests: Sequence[str]) -> dict[str, bytes]:
    """Those of the documents that are, or were, a revision of one of the cluster's instances; no others exist to it."""
    of_cluster = (
        select(REVISIONS.c.digest)
        .join(INSTANCES, INSTANCES.c.id == REVISIONS.c.instance)
        .where(REVISIONS.c.digest == DOCUMENTS.c.digest, INSTANCES.c.cluster == cluster)
    )
    query = select(DOCUMENTS.c.digest, DOCUMENTS.c.content).where(DOCUMENTS.c.digest.in_(digests), of_cluster.exists())
    return {row.digest: row.content for row in await connection.execute(query)}


async def find(connection: AsyncConnection, instance_id: str) -> InstanceRow | None:
    """The instance of that id, in whatever cluster."""
    return await rows.one(connection, select(INSTANCES).where(INSTANCES.c.id == instance_id), InstanceRow)


async def of_cluster(connection: AsyncConnection, cluster: str | None) -> list[InstanceRow]:
    """Every instance of a cluster, or of all (None), by name, the unlisted too."""
    query = select(INSTANCES).order_by(INSTANCES.c.cluster, INSTANCES.c.name, INSTANCES.c.id)
    if cluster is not None:
        query = query.where(INSTANCES.c.cluster == cluster)
    return await rows.many(connection, query, InstanceRow)


async def known(connection: AsyncConnection, cluster: str, ids: Iterable[str]) -> frozenset[str]:
    """Those of the ids that are instances of the cluster."""
    query = select(INSTANCES.c.id).where(INSTANCES.c.cluster == cluster, INSTANCES.c.id.in_(tuple(ids)))
    return frozenset((await connection.execute(query)).scalars())


async def in_the_way(connection: AsyncConnection, wanted: InstanceRow, *, dead: str) -> InstanceRow | None:
    """A listed instance that has the name or the namespace, unless its state is ``dead``; one of the name first."""
    query = select(INSTANCES).where(
        INSTANCES.c.cluster == wanted.cluster,
        INSTANCES.c.id != wanted.id,
        INSTANCES.c.listed,
        INSTANCES.c.state != dead,
        (INSTANCES.c.name == wanted.name) | (INSTANCES.c.namespace == wanted.namespace),
    )
    by_name = (INSTANCES.c.name != wanted.name, INSTANCES.c.name, INSTANCES.c.id)
    return await rows.one(connection, query.order_by(*by_name).limit(1), InstanceRow)


async def listed(connection: AsyncConnection, cluster: str) -> list[Listed]:
    """The lines of a cluster's index, by id."""
    query = (
        select(INSTANCES.c.id, INSTANCES.c.revision, DOCUMENTS.c.digest, DOCUMENTS.c.size)
        .join(REVISIONS, (REVISIONS.c.instance == INSTANCES.c.id) & (REVISIONS.c.revision == INSTANCES.c.revision))
        .join(DOCUMENTS, DOCUMENTS.c.digest == REVISIONS.c.digest)
        .where(INSTANCES.c.cluster == cluster, INSTANCES.c.listed)
        .order_by(INSTANCES.c.id)
    )
    return await rows.many(connection, query, Listed)


async def put(connection: AsyncConnection, instance: InstanceRow) -> None:
    """Write how an instance stands, be it new or known."""
    values = {
        "cluster": instance.cluster,
        "name": instance.name,
        "namespace": instance.namespace,
        "state": instance.state,
        "revision": instance.revision,
        "listed": instance.listed,
        "updated_at": instance.updated_at,
    }
    known = await connection.execute(update(INSTANCES).where(INSTANCES.c.id == instance.id).values(**values))
    if known.rowcount == 0:
        await connection.execute(insert(INSTANCES).values(id=instance.id, **values))


async def add_revision(connection: AsyncConnection, revision: RevisionRow) -> None:
    """Append to an instance's history."""
    await connection.execute(
        insert(REVISIONS).values(
            instance=revision.instance,
            revision=revision.revision,
            digest=revision.digest,
            action=revision.action,
            restored=revision.restored,
            author=revision.author,
            at=revision.at,
        )
    )


async def revision(connection: AsyncConnection, instance_id: str, number: int) -> RevisionRow | None:
    """One revision of an instance."""
    query = select(REVISIONS).where(REVISIONS.c.instance == instance_id, REVISIONS.c.revision == number)
    return await rows.one(connection, query, RevisionRow)


async def history(connection: AsyncConnection, instance_id: str) -> list[RevisionRow]:
    """Every revision of an instance, newest first."""
    query = select(REVISIONS).where(REVISIONS.c.instance == instance_id).order_by(REVISIONS.c.revision.desc())
    return await rows.many(connection, query, RevisionRow)
