"""The chain of trust bundles: which keys and authorities agents shall believe, each version signed by the root role."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncConnection

from agent.wire.envelope import TRUST_TYPE, open_envelope
from agent.wire.frames import receive
from agent.wire.limits import MAX_TRUST_BYTES
from agent.wire.problems import Code
from agent.wire.scalars import decode_base64
from agent.wire.strict import parse_object
from agent.wire.trust import TrustBundleV1, verify_own
from control_plane.clock import Clock
from control_plane.faults import NotFound
from control_plane.state import Keys, State
from control_plane.store import clusters, signed
from control_plane.store.database import Database
from control_plane.store.signed import BundleRow

FIRST_EPOCH = 1
_MOST_CAUGHT_UP = 100
"""So many versions an epoch may leap, so that agents that know later bundles than a restored backup can follow."""


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
            if newest is None or not self._tells_the_present(newest):
                await self.sign_next(connection, self.state.keys)

    async def new_epoch(self) -> int:
        """Begin a new epoch: after a restore from backup, indexes of it supersede everything that agents hold.

        Agents may know trust bundles that the backup does not: the chain is led past the last of which one has told.
        Every cluster's index is signed anew, in the new epoch, when its agent asks next. Raises RootOffline.
        """
        async with self.database.writing() as connection:
            newest = await signed.newest_bundle(connection)
            assert newest is not None, "settled at the start"
            told = [trust_of(row.agent) for row in await clusters.everything(connection)]
            ahead = max((one for one in told if one <= newest.version + _MOST_CAUGHT_UP), default=0)
            for _ in range(max(1, ahead + 1 - newest.version)):
                await self.sign_next(connection, self.state.keys, epoch=newest.epoch + 1)
            return newest.epoch + 1

    async def envelope(self, version: int | None = None) -> bytes:
        """The signed bundle, the newest or that of a version, for an agent that walks the chain. Raises NotFound."""
        async with self.database.reading() as connection:
            row = await (signed.newest_bundle(connection) if version is None else signed.bundle(connection, version))
        if row is None:
            raise NotFound(Code.NOT_FOUND, f"there is no trust bundle of version {version}")
        return row.envelope

    async def version(self) -> int:
        """The version of the newest bundle."""
        async with self.database.reading() as connection:
            newest = await signed.newest_bundle(connection)
        assert newest is not None, "settled at the start"
        return newest.version

    async def next_version(self, connection: AsyncConnection) -> int:
        """The version that the next bundle will have."""
        newest = await signed.newest_bundle(connection)
        return newest.version + 1 if newest is not None else 1

    async def sign_next(self, connection: AsyncConnection, keys: Keys, *, epoch: int = FIRST_EPOCH) -> int:
        """Sign the bundle that tells of these keys, and return its version; an epoch never ends. Raises RootOffline."""
        newest = await signed.newest_bundle(connection)
        version, epoch = (1, epoch) if newest is None else (newest.version + 1, max(newest.epoch, epoch))
        before = verify_own(newest.envelope) if newest is not None else None
        envelope = keys.roles.sign_bundle(self._bundle(keys, version=version, epoch=epoch), after=before)
        await signed.add_bundle(connection, BundleRow(version=version, epoch=epoch, envelope=envelope))
        return version

    def _bundle(self, keys: Keys, *, version: int, epoch: int) -> TrustBundleV1:
        roles, publics = keys.roles.described()
        return TrustBundleV1(
            version=version,
            epoch=epoch,
            issued_at=self.clock.now(),
            roles=roles,
            keys=publics,
            ca=tuple(authority.certificate_pem.decode() for authority in keys.trusted),
        )

    def _tells_the_present(self, row: BundleRow) -> bool:
        payload = decode_base64(open_envelope(row.envelope, TRUST_TYPE, limit=MAX_TRUST_BYTES).payload)
        told, _ = receive(
            TrustBundleV1, parse_object(payload, limit=MAX_TRUST_BYTES, what="trust bundle"), what="trust bundle"
        )
        ours = self._bundle(self.state.keys, version=row.version, epoch=row.epoch)
        return told.model_copy(update={"issued_at": ours.issued_at}) == ours


def trust_of(agent: object) -> int:
    """The trust bundle that an agent goes by, as it told last."""
    told = agent.get("trustVersion") if isinstance(agent, dict) else None
    return told if isinstance(told, int) else 0
