"""Who belongs to us: enrolment tokens, enrolment, and which certificates of which clusters are let in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from cryptography import x509
from sqlalchemy.ext.asyncio import AsyncConnection

from agent.wire.enrolment import EnrolRequestV1
from agent.wire.problems import Code
from control_plane.authority import Authority, ClientCertificate, Validity, cluster_of, serial_of
from control_plane.bearer import Bearer, Kind
from control_plane.bell import Bell
from control_plane.clock import Clock
from control_plane.faults import Clash, Forbidden, NotFound, Unacceptable, Unauthenticated
from control_plane.settings import Lives
from control_plane.state import State
from control_plane.store import clusters, tokens
from control_plane.store.clusters import CertificateRow, ClusterRow, ClusterState
from control_plane.store.database import Database
from control_plane.store.tokens import TokenRow

SHORTEST_TOKEN = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Issuing:
    """What certificates are issued with, and how one of ours is known."""

    state: State
    lives: Lives

    @property
    def authority(self) -> Authority:
        """The authority that issues at present."""
        return self.state.authority

    def row(self, cluster: str, issued: ClientCertificate) -> CertificateRow:
        """What is remembered of a certificate that it has just issued."""
        return CertificateRow(
            serial=issued.serial,
            cluster=cluster,
            not_before=issued.not_before,
            not_after=issued.not_after,
            keyid=issued.keyid,
            authority=self.state.admitted.ring.authority[-1],
            chain=issued.chain.decode(),
        )

    def issued(self, row: CertificateRow, certificate: x509.Certificate) -> bool:
        """Whether the certificate is the one that was issued as this row, and not merely one with its serial."""
        if row.chain:
            return x509.load_pem_x509_certificate(row.chain.encode()) == certificate
        return any(authority.issued(certificate) for authority in self.state.keys.trusted)


@dataclass(frozen=True, slots=True)
class TokenWish:
    """The token that somebody wants: for which cluster, with which labels, for how long, and who wants it."""

    cluster: str
    labels: Mapping[str, str]
    life: timedelta
    author: str


@dataclass(frozen=True, slots=True)
class NewToken:
    """A token that was just made: the only time that it is seen."""

    row: TokenRow
    bearer: Bearer


@dataclass(frozen=True, slots=True)
class Member:
    """A cluster and every certificate that was issued to it."""

    cluster: ClusterRow
    certificates: tuple[CertificateRow, ...]


class Membership:
    """Lets agents in and shuts them out."""

    def __init__(self, database: Database, issuing: Issuing, *, clock: Clock, bell: Bell) -> None:
        self._database = database
        self._issuing = issuing
        self._clock = clock
        self._bell = bell

    async def create_token(self, wish: TokenWish) -> NewToken:
        """A one-time token for a cluster, which is made known with it; for a revoked cluster: its way back in.

        Raises Unacceptable if the token shall live too briefly or too long.
        """
        longest = self._issuing.lives.longest_token
        if not SHORTEST_TOKEN <= wish.life <= longest:
            raise Unacceptable(
                "TokenLife",
                f"a token lives between {SHORTEST_TOKEN} and {longest}, and {wish.life} was asked for",
                path="ttlSeconds",
            )
        bearer, now = Bearer.new(Kind.ENROL), self._clock.now()
        row = TokenRow(
            id=bearer.id,
            hash=bearer.hash,
            cluster=wish.cluster,
            labels=wish.labels,
            created_by=wish.author,
            created_at=now,
            expires_at=now + wish.life,
        )
        async with self._database.writing() as connection:
            if await clusters.find(connection, wish.cluster) is None:
                pending = ClusterRow(name=wish.cluster, state=ClusterState.PENDING, labels=wish.labels, created_at=now)
                await clusters.add(connection, pending)
            await tokens.add(connection, row)
        return NewToken(row, bearer)

    async def tokens(self) -> list[TokenRow]:
        """Every token, newest first."""
        async with self._database.reading() as connection:
            return await tokens.everything(connection)

    async def revoke_token(self, token_id: str) -> None:
        """Make a token worthless before it is used; raises NotFound, or Clash if it was used or revoked before."""
        async with self._database.writing() as connection:
            row = await tokens.find(connection, token_id)
            if row is None:
                raise NotFound(Code.NOT_FOUND, f"there is no token {token_id}")
            if not await tokens.revoke(connection, token_id, now=self._clock.now()):
                raise Clash("TokenOver", f"the token {token_id} was used or revoked before")

    async def enrol(self, request: EnrolRequestV1) -> tuple[str, ClientCertificate]:
        """Use the token up and certify the agent's key, both or neither.

        Which of its faults a token has is told only to who holds its secret. Raises Unauthenticated (TokenUnknown,
        TokenSpent, TokenRevoked, TokenExpired), Forbidden (WrongCluster) or Unacceptable (the CSR's key).
        """
        now = self._clock.now()
        token = await self._held_token(request.token)
        if (fault := _token_fault(token, now=now)) is not None:
            raise fault
        if request.cluster is not None and request.cluster != token.cluster:
            raise Forbidden(
                "WrongCluster",
                f"this token is not for the cluster {request.cluster}",
                hint="enrol under the name that the token was made for, or ask for a token for this one",
            )
        validity = Validity(now, self._issuing.lives.client_certificate)
        issued = self._issuing.authority.client_certificate(request.csr.encode(), token.cluster, validity=validity)
        async with self._database.writing() as connection:
            if not await tokens.consume(connection, token.id, now=now):
                # Somebody used it, or an admin revoked it, since we looked.
                raise _token_fault(await tokens.find(connection, token.id) or token, now=now) or _spent()
            await self._write(connection, request, token=token, issued=issued)
        return token.cluster, issued

    async def admit(self, certificate: x509.Certificate) -> str:
        """The cluster that this client certificate, verified by TLS, speaks for; raises Forbidden if it is shut out."""
        name = cluster_of(certificate)
        async with self._database.reading() as connection:
            row = await clusters.certificate(connection, serial_of(certificate))
        if name is None or row is None or row.cluster != name or not self._issuing.issued(row, certificate):
            raise Forbidden(Code.FORBIDDEN, "this certificate is not one of an enrolled agent", hint="enrol again")
        if row.revoked_at is not None:
            raise Forbidden(
                Code.CERTIFICATE_REVOKED,
                f"this certificate of the cluster {name} was revoked",
                hint="enrol again with a new token, if an admin gives you one",
            )
        return name

    async def clusters(self) -> list[ClusterRow]:
        """Every cluster, by name."""
        async with self._database.reading() as connection:
            return await clusters.everything(connection)

    async def cluster(self, name: str) -> Member:
        """One cluster with its certificates; raises NotFound."""
        async with self._database.reading() as connection:
            row = await _found(connection, name)
            return Member(row, tuple(await clusters.certificates(connection, name)))

    async def revoke(self, name: str) -> None:
        """Shut a cluster out at once: its certificates, its unused tokens and its waiting polls. Raises NotFound."""
        now = self._clock.now()
        async with self._database.writing() as connection:
            await _found(connection, name)
            await clusters.revoke(connection, name, now=now)
            await tokens.revoke_all(connection, name, now=now)
        await self._bell.ring(name)

    async def _held_token(self, text: str) -> TokenRow:
        bearer = Bearer.parse(Kind.ENROL, text)
        if bearer is not None:
            async with self._database.reading() as connection:
                row = await tokens.find(connection, bearer.id)
            if bearer.matches(row.hash if row else None) and row is not None:
                return row
        raise Unauthenticated(
            Code.TOKEN_UNKNOWN, "this enrolment token is not known", hint="ask for a new one, and copy it whole"
        )

    async def _write(
        self, connection: AsyncConnection, request: EnrolRequestV1, *, token: TokenRow, issued: ClientCertificate
    ) -> None:
        row = await _found(connection, token.cluster)
        enrolled = replace(
            row,
            state=ClusterState.ACTIVE,
            labels={**request.labels, **token.labels},  # what the token says is ours to say
            sealing_key=request.sealing_key,
            sealing_key_signature=request.sealing_key_signature,
            certificate=issued.chain.decode(),
            enrolled_at=self._clock.now(),
        )
        await clusters.enrolled(connection, enrolled)
        await clusters.add_certificate(connection, self._issuing.row(token.cluster, issued))


async def _found(connection: AsyncConnection, name: str) -> ClusterRow:
    row = await clusters.find(connection, name)
    if row is None:
        raise NotFound(
            Code.NOT_FOUND, f"there is no cluster {name}", hint="a cluster is made known by creating a token for it"
        )
    return row


def _spent() -> Unauthenticated:
    return Unauthenticated(
        Code.TOKEN_SPENT, "this enrolment token was used before", hint="a token works once: ask for a new one"
    )


def _token_fault(token: TokenRow, *, now: datetime) -> Unauthenticated | None:
    if token.used_at is not None:
        return _spent()
    if token.revoked_at is not None:
        return Unauthenticated("TokenRevoked", "this enrolment token was revoked", hint="ask for a new one")
    if token.expires_at <= now:
        return Unauthenticated(
            Code.TOKEN_EXPIRED,
            f"this enrolment token expired at {token.expires_at.isoformat()}",
            hint="ask for a new one; if that moment is still to come, compare the clocks",
        )
    return None
