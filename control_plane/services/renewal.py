"""The next certificate for an agent that proves to hold the key of its last one, also for a while after that has ended.

Asked again for the same key, whether because the answer was lost or because somebody replays what he saw, the same
certificate is answered. The old one stays good until it ends: an answer that never arrives locks nobody out.
"""

from __future__ import annotations

from dataclasses import dataclass

from cryptography import x509
from sqlalchemy.ext.asyncio import AsyncConnection

from agent.wire.problems import Code
from agent.wire.renewal import Renewal
from control_plane.authority import Validity, cluster_of, requested_key_id, serial_of
from control_plane.clock import Clock
from control_plane.faults import Forbidden
from control_plane.services.membership import Issuing
from control_plane.store import clusters
from control_plane.store.clusters import CertificateRow
from control_plane.store.database import Database


@dataclass(frozen=True, slots=True)
class Renewals:
    """Renews certificates."""

    database: Database
    issuing: Issuing
    clock: Clock

    async def renew(self, renewal: Renewal) -> CertificateRow:
        """The certificate for the new key; one that was issued before for that key, if there is one.

        Raises Forbidden (Forbidden, CertificateRevoked, CertificateExpired) or Unacceptable (the CSR's key).
        """
        now, keyid = self.clock.now(), requested_key_id(renewal.csr.encode())
        async with self.database.writing() as connection:
            old = await self._accepted(connection, renewal.certificate)
            again = await clusters.certified(connection, old.cluster, keyid)
            if again is not None and again.revoked_at is None and again.not_after > now:
                return again
            validity = Validity(now, self.issuing.lives.client_certificate)
            issued = self.issuing.authority.client_certificate(renewal.csr.encode(), old.cluster, validity=validity)
            row = self.issuing.row(old.cluster, issued)
            await clusters.add_certificate(connection, row)
            return row

    async def _accepted(self, connection: AsyncConnection, certificate: x509.Certificate) -> CertificateRow:
        """What we know of the old certificate; raises Forbidden where it may not be renewed."""
        row = await clusters.certificate(connection, serial_of(certificate))
        if row is None or row.cluster != cluster_of(certificate) or not self.issuing.issued(row, certificate):
            raise Forbidden(
                Code.FORBIDDEN, "this certificate is not one of an enrolled agent", hint="enrol with a new token"
            )
        if row.revoked_at is not None:
            raise Forbidden(
                Code.CERTIFICATE_REVOKED,
                f"this certificate of the cluster {row.cluster} was revoked",
                hint="enrol again with a new token, if an admin gives you one",
            )
        if self.clock.now() >= row.not_after + self.issuing.lives.renewal_grace:
            raise Forbidden(
                Code.CERTIFICATE_EXPIRED,
                f"this certificate ended at {row.not_after.isoformat()}, too long ago to be renewed",
                hint="enrol again with a new token",
            )
        return row
