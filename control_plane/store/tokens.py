"""Enrolment tokens as rows. Consuming one is a single conditional update, so of two at once only one succeeds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from control_plane.store import rows
from control_plane.store.schema import TOKENS


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenRow:
    """One enrolment token; ``hash`` is of its secret, the secret itself is kept nowhere."""

    id: str
    hash: str
    cluster: str
    labels: Mapping[str, str]
    created_by: str
    created_at: datetime
    expires_at: datetime
    used_at: datetime | None = None
    revoked_at: datetime | None = None


async def add(connection: AsyncConnection, token: TokenRow) -> None:
    """Keep a new token."""
    await connection.execute(
        insert(TOKENS).values(
            id=token.id,
            hash=token.hash,
            cluster=token.cluster,
            labels=dict(token.labels),
            created_by=token.created_by,
            created_at=token.created_at,
            expires_at=token.expires_at,
        )
    )


async def find(connection: AsyncConnection, token_id: str) -> TokenRow | None:
    """The token of that id, whatever its state."""
    return await rows.one(connection, select(TOKENS).where(TOKENS.c.id == token_id), TokenRow)


async def everything(connection: AsyncConnection) -> list[TokenRow]:
    """Every token, newest first."""
    return await rows.many(connection, select(TOKENS).order_by(TOKENS.c.created_at.desc(), TOKENS.c.id), TokenRow)


async def consume(connection: AsyncConnection, token_id: str, *, now: datetime) -> bool:
    """Use the token up; False if it is used, revoked or expired by now."""
    used = await connection.execute(
        update(TOKENS)
        .where(
            TOKENS.c.id == token_id,
            TOKENS.c.used_at.is_(None),
            TOKENS.c.revoked_at.is_(None),
            TOKENS.c.expires_at > now,
        )
        .values(used_at=now)
    )
    return used.rowcount == 1


async def revoke(connection: AsyncConnection, token_id: str, *, now: datetime) -> bool:
    """Make an unused token worthless; False if it was used or revoked before."""
    revoked = await connection.execute(
        update(TOKENS)
        .where(TOKENS.c.id == token_id, TOKENS.c.used_at.is_(None), TOKENS.c.revoked_at.is_(None))
        .values(revoked_at=now)
    )
    return revoked.rowcount == 1


async def revoke_all(connection: AsyncConnection, cluster: str, *, now: datetime) -> None:
    """Make every unused token of a cluster worthless."""
    await connection.execute(
        update(TOKENS)
        .where(TOKENS.c.cluster == cluster, TOKENS.c.used_at.is_(None), TOKENS.c.revoked_at.is_(None))
        .values(revoked_at=now)
    )
