"""Rotating keys without locking anybody out: the new key is named beside the old one, which goes once everybody knows.

1. ``begin``: a bundle names both. Indexes are signed with both, certificates are issued by the new authority, and
   agents with certificates of either are let in.
2. ``advance``: once every agent has acknowledged that bundle, our listeners show a certificate of the new authority.
3. ``finish``: a bundle without the old keys. Refused while agents have not acknowledged, or still come with a
   certificate of the old authority; who is left behind all the same walks the chain of bundles, and renews, when it
   comes back.

Not here: taking a change up in a server that runs (``follower``).
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from control_plane.clock import Clock
from control_plane.faults import Clash
from control_plane.ring import Kind, Ring
from control_plane.services.trust import TrustChain, trust_of
from control_plane.settings import Lives
from control_plane.state import Keys, State
from control_plane.store import clusters
from control_plane.store.clusters import ClusterRow, ClusterState
from control_plane.store.database import Database

_NAMED = 20
"""So many clusters are named in a message."""


class ServerMoves(Clash):
    """The listeners' certificate changes its authority first: finish again in a few seconds."""


@dataclass(frozen=True, slots=True)
class Rotation:
    """One that is in progress: the first bundle that names the new key, and the clusters that it waits for."""

    kind: Kind
    version: int
    behind: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Finished:
    """What ended, and the clusters that were left behind."""

    kinds: tuple[Kind, ...]
    left_behind: tuple[str, ...]


class Rotations:
    """Begins, moves and ends them."""

    def __init__(self, database: Database, trust: TrustChain, *, lives: Lives, clock: Clock) -> None:
        self._database = database
        self._trust = trust
        self._lives = lives
        self._clock = clock

    @property
    def _state(self) -> State:
        return self._trust.state

    async def begin(self, kind: Kind) -> int:
        """Name a new key of this kind beside the old one; returns the version of the bundle that does.

        Raises Clash where such a rotation is in progress, RootOffline.
        """
        async with self._database.writing() as connection:
            ring = await self._present()
            if kind.value in ring.begun:
                raise Clash(
                    "RotationInProgress",
                    f"the {kind.value} is being rotated since trust bundle {ring.begun[kind.value]}",
                    hint="end it first: perigee control-plane ca finish",
                )
            version = await self._trust.next_version(connection)
            await self._turn(connection, ring.begin(kind, version=version))
            return version

    async def advance(self) -> bool:
        """Let our listeners move to the new authority if every agent knows it; returns whether they do now."""
        if self._state.keys.ring.moved:
            return False
        async with self._database.reading() as connection:
            behind = await self._behind(connection, self._state.keys.ring, Kind.AUTHORITY)
        if behind:
            return False
        await self._adopt(self._state.keys.ring.move())
        return True

    async def finish(self, *, force: bool) -> Finished:
        """End every rotation in progress. Raises Clash (NothingToFinish, NotAcknowledged, ServerMoves), RootOffline."""
        async with self._database.writing() as connection:
            ring = await self._present()
            if not ring.begun:
                raise Clash("NothingToFinish", "no rotation is in progress")
            kinds = tuple(Kind(kind) for kind in sorted(ring.begun))
            waiting = await self._waiting(connection, ring)
            if waiting and not force:
                raise Clash(
                    "NotAcknowledged",
                    f"these clusters do not go by the new keys yet: {_listed(waiting)}",
                    hint="wait for them, or proceed with --force: they come back by themselves once they can reach us",
                )
            if not ring.moved:
                await self._adopt(ring.move())
                raise ServerMoves(
                    "ServerMoves",
                    "the listeners move to a certificate of the new authority just now, which must come first",
                    hint="finish again in a few seconds",
                )
            await self._turn(connection, ring.finish())
            return Finished(kinds, waiting)

    async def in_progress(self) -> tuple[Rotation, ...]:
        """Every rotation that was begun and not finished, and whom each waits for."""
        ring = await self._present()
        async with self._database.reading() as connection:
            return tuple(
                [
                    Rotation(Kind(kind), version, await self._behind(connection, ring, Kind(kind), whole=True))
                    for kind, version in sorted(ring.begun.items())
                ]
            )

    async def _present(self) -> Ring:
        """The ring as it is now: another process may have turned it."""
        await asyncio.to_thread(self._state.reload, now=self._clock.now())
        return self._state.keys.ring

    async def _turn(self, connection: AsyncConnection, ring: Ring) -> None:
        keys = await asyncio.to_thread(self._state.prepared, ring, now=self._clock.now())
        await self._trust.sign_next(connection, keys)
        await self._use(keys)

    async def _adopt(self, ring: Ring) -> None:
        await self._use(await asyncio.to_thread(self._state.prepared, ring, now=self._clock.now()))

    async def _use(self, keys: Keys) -> None:
        await asyncio.to_thread(self._state.adopt, keys)

    async def _waiting(self, connection: AsyncConnection, ring: Ring) -> tuple[str, ...]:
        behind = [await self._behind(connection, ring, Kind(kind), whole=True) for kind in ring.begun]
        return tuple(sorted({name for names in behind for name in names}))

    async def _behind(
        self, connection: AsyncConnection, ring: Ring, kind: Kind, *, whole: bool = False
    ) -> tuple[str, ...]:
        """The clusters that have not acknowledged; ``whole``: or come with a certificate of the old authority."""
        since = self._clock.now() - self._lives.acknowledgement
        behind = []
        for row in await clusters.everything(connection):
            if row.state != ClusterState.ACTIVE or not _seen_after(row, since):
                continue
            knows = trust_of(row.agent) >= ring.begun[kind.value]
            if knows and whole and kind is Kind.AUTHORITY:
                used = await clusters.certificate(connection, row.told_with)
                knows = used is not None and used.authority == ring.authority[-1]
            if not knows:
                behind.append(row.name)
        return tuple(behind)


def _seen_after(row: ClusterRow, moment: datetime) -> bool:
    return any(one is not None and one > moment for one in (row.seen_at, row.enrolled_at))


def _listed(names: Sequence[str]) -> str:
    rest = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {rest} more" if rest > 0 else "")
