"""The signed index of each cluster: when it is signed, under which (epoch, version), and who is woken by a new one.

A change of what is listed takes the next version. An index that is merely past half of its life is signed anew under
the same version with later times, when somebody asks for it: no timer. The ETag names the very envelope.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy.ext.asyncio import AsyncConnection

from agent.wire.index import IndexV1
from agent.wire.limits import MAX_INDEX_BYTES, MAX_INSTANCES
from agent.wire.strict import digest
from control_plane.bell import Bell
from control_plane.clock import Clock
from control_plane.faults import Clash
from control_plane.roles import Roles
from control_plane.state import State
from control_plane.store import instances, orders, signed
from control_plane.store.database import Database
from control_plane.store.signed import BundleRow, IndexRow


@dataclass(frozen=True, slots=True)
class Served:
    """An index as it goes out, and the tag that names it."""

    envelope: bytes
    etag: str


@dataclass(frozen=True, slots=True)
class Signing:
    """What an index is signed with, and for how long it holds."""

    state: State
    life: timedelta

    @property
    def roles(self) -> Roles:
        """The keys of the present."""
        return self.state.roles


class DesiredState:
    """Signs and serves indexes."""

    def __init__(self, database: Database, signing: Signing, *, clock: Clock, bell: Bell) -> None:
        self._database = database
        self._signing = signing
        self._clock = clock
        self._bell = bell

    async def current(self, cluster: str) -> Served:
        """The cluster's index; signed anew if there is none, or its time, its epoch or its key is over."""
        async with self._database.reading() as connection:
            row = await signed.index(connection, cluster)
            trust = await _trust(connection)
        if row is None or not self._holds(row, trust):
            row = await self._renewed(cluster)
        return _served(row)

    async def newer_than(self, cluster: str, etag: str | None, *, wait_seconds: float) -> Served | None:
        """The cluster's index as soon as it is not that of ``etag``; None if the wait ends first."""
        heard = self._bell.heard(cluster)  # before the look: a ring in between is not missed
        served = await self.current(cluster)
        if served.etag != etag:
            return served
        if wait_seconds > 0 and await self._bell.wait(cluster, after=heard, seconds=wait_seconds):
            served = await self.current(cluster)
        return served if served.etag != etag else None

    async def sign_next(self, connection: AsyncConnection, cluster: str) -> IndexRow:
        """Sign the next version, in the transaction that changed what is listed. Raises Clash if it grows too large."""
        previous = await signed.index(connection, cluster)
        return await self._sign(connection, cluster, version=previous.version + 1 if previous else 1)

    async def announce(self, cluster: str) -> None:
        """Wake who polls for the cluster: after the transaction, when there is something to be seen."""
        await self._bell.ring(cluster)

    async def _renewed(self, cluster: str) -> IndexRow:
        async with self._database.writing() as connection:
            row, trust = await signed.index(connection, cluster), await _trust(connection)
            if row is None:
                return await self._sign(connection, cluster, version=1)
            if self._holds(row, trust):  # somebody else was quicker
                return row
            # A new epoch is a new standing, and so is a list without orders whose time is over; later times are not.
            over = await orders.over_since(connection, cluster, since=row.issued_at, now=self._clock.now())
            return await self._sign(connection, cluster, version=row.version + (row.epoch < trust.epoch or over))

    def _holds(self, row: IndexRow, trust: BundleRow) -> bool:
        fresh = row.expires_at - self._clock.now() >= self._signing.life / 2
        return fresh and row.epoch >= trust.epoch and row.keyid == self._signed_as(trust)

    def _signed_as(self, trust: BundleRow) -> str:
        """What distinguishes indexes that say the same: the keys that signed them, and the bundle they point to."""
        keys = [key.keyid for key in self._signing.roles.indexes]
        return digest(" ".join([*keys, str(trust.version)]).encode())

    async def _sign(self, connection: AsyncConnection, cluster: str, *, version: int) -> IndexRow:
        trust, now = await _trust(connection), self._clock.now()
        # The command line may have turned the keys since: the bundle that we just read must know those that sign.
        await asyncio.to_thread(self._signing.state.reload, now=now)
        listed = await instances.listed(connection, cluster)
        waiting = await orders.waiting(connection, cluster, now=now)
        if len(listed) > MAX_INSTANCES:
            raise _full(cluster)
        # All lines are checked in one go, which a thousand of them are worth.
        index = IndexV1.model_validate(
            {
                "cluster": cluster,
                "epoch": trust.epoch,
                "version": version,
                "trust": trust.version,
                "issued_at": now,
                "expires_at": now + self._signing.life,
                "instances": tuple(
                    {"id": line.id, "revision": line.revision, "digest": line.digest, "size": line.size}
                    for line in listed
                ),
                "orders": tuple(
                    {
                        "id": one.id,
                        "instance": one.instance,
                        "kind": one.kind,
                        "args": dict(one.args),
                        "not_after": one.not_after,
                    }
                    for one in waiting
                ),
            }
        )
        row = IndexRow(
            cluster=cluster,
            epoch=trust.epoch,
            version=version,
            issued_at=now,
            expires_at=index.expires_at,
            keyid=self._signed_as(trust),
            envelope=self._signing.roles.sign_index(index),
        )
        if len(row.envelope) > MAX_INDEX_BYTES:
            raise _full(cluster)
        await signed.put_index(connection, row)
        return row


async def _trust(connection: AsyncConnection) -> BundleRow:
    bundle = await signed.newest_bundle(connection)
    assert bundle is not None, "the trust chain is settled at the start"
    return bundle


def _served(row: IndexRow) -> Served:
    return Served(row.envelope, f"{row.epoch}.{row.version}.{digest(row.envelope)[:16]}")


def _full(cluster: str) -> Clash:
    return Clash(
        "IndexFull",
        f"the index of {cluster} would grow beyond what an agent takes",
        hint="unlist instances that are deleted, or spread them over more clusters",
    )
