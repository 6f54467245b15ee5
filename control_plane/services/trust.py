"""The chain of trust bundles: which keys and authorities agents shall believe, each version signed by the root role."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncConnection

from agent.wire.envelope import TRUST_TYPE, verify
from agent.wire.frames import receive
from agent.wire.limits import MAX_TRUST_BYTES
from agent.wire.problems import Code
from agent.wire.strict import parse_object
from agent.wire.trust import TrustBundleV1
from control_plane.clock import Clock
from control_plane.faults import NotFound
from control_plane.state import State
from control_plane.store import signed
from control_plane.store.database import Database
from control_plane.store.signed import BundleRow

FIRST_EPOCH = 1


@dataclass(frozen=True, slots=True)
class TrustChain:
    """Makes and serves trust bundles."""

    database: Database
    state: State
    clock: Clock

    async def settle(self) -> None:
        """See that the newest bundle tells our present keys and authority; sign the next one if it does not."""
        async with self.database.writing() as connection:
            newest = await signed.newest_bundle(connection)
            if newest is None:
                await self._sign(connection, version=1, epoch=FIRST_EPOCH)
            elif not self._tells_the_present(newest):
                await self._sign(connection, version=newest.version + 1, epoch=newest.epoch)

    async def new_epoch(self) -> int:
        """Begin a new epoch: after a restore from backup, indexes of it supersede everything that agents hold.

        Every cluster's index is signed anew, in the new epoch, when its agent asks next. Raises RootOffline.
        """
        async with self.database.writing() as connection:
            newest = await signed.newest_bundle(connection)
            assert newest is not None, "settled at the start"
            await self._sign(connection, version=newest.version + 1, epoch=newest.epoch + 1)
            return newest.epoch + 1

    async def envelope(self, version: int | None = None) -> bytes:
        """The signed bundle, the newest or that of a version, for an agent that walks the chain. Raises NotFound."""
        async with self.database.reading() as connection:
            row = await (signed.newest_bundle(connection) if version is None else signed.bundle(connection, version))
        if row is None:
            raise NotFound(Code.NOT_FOUND, f"there is no trust bundle of version {version}")
        return row.envelope

    async def _sign(self, connection: AsyncConnection, *, version: int, epoch: int) -> None:
        envelope = self.state.roles.sign_bundle(self._bundle(version=version, epoch=epoch))
        await signed.add_bundle(connection, BundleRow(version=version, epoch=epoch, envelope=envelope))

    def _bundle(self, *, version: int, epoch: int) -> TrustBundleV1:
        roles, keys = self.state.roles.described()
        return TrustBundleV1(
            version=version,
            epoch=epoch,
            issued_at=self.clock.now(),
            roles=roles,
            keys=keys,
            ca=(self.state.authority.certificate_pem.decode(),),
        )

    def _tells_the_present(self, row: BundleRow) -> bool:
        payload = verify(row.envelope, TRUST_TYPE, role=self.state.roles.root_role, limit=MAX_TRUST_BYTES)
        told, _ = receive(
            TrustBundleV1, parse_object(payload, limit=MAX_TRUST_BYTES, what="trust bundle"), what="trust bundle"
        )
        ours = self._bundle(version=row.version, epoch=row.epoch)
        return told.model_copy(update={"issued_at": ours.issued_at}) == ours
