"""People and programs with admin access, as rows: a name, a role and the hash of a token."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from control_plane.store import rows
from control_plane.store.schema import USERS


@dataclass(frozen=True, slots=True, kw_only=True)
class UserRow:
    """One user; ``token_id`` is the public part of the bearer token, ``hash`` is of its secret part."""

    name: str
    role: str
    token_id: str
    hash: str
    created_at: datetime
    rotated_at: datetime


async def add(connection: AsyncConnection, user: UserRow) -> None:
    """Keep a new user; the name must be free."""
    await connection.execute(
        insert(USERS).values(
            name=user.name,
            role=user.role,
            token_id=user.token_id,
            hash=user.hash,
            created_at=user.created_at,
            rotated_at=user.rotated_at,
        )
    )


async def find(connection: AsyncConnection, name: str) -> UserRow | None:
    """The user of that name."""
    return await rows.one(connection, select(USERS).where(USERS.c.name == name), UserRow)


async def by_token(connection: AsyncConnection, token_id: str) -> UserRow | None:
    """The user whose token has that public part."""
    return await rows.one(connection, select(USERS).where(USERS.c.token_id == token_id), UserRow)


async def everyone(connection: AsyncConnection) -> list[UserRow]:
    """Every user, by name."""
    return await rows.many(connection, select(USERS).order_by(USERS.c.name), UserRow)


async def count(connection: AsyncConnection, role: str) -> int:
    """How many users have that role."""
    return (await connection.execute(select(func.count()).where(USERS.c.role == role))).scalar_one()


async def change_token(connection: AsyncConnection, user: UserRow) -> None:
    """Keep the user's new token; the old one is worthless from then on."""
    await connection.execute(
        update(USERS)
        .where(USERS.c.name == user.name)
        .values(token_id=user.token_id, hash=user.hash, rotated_at=user.rotated_at)
    )


async def remove(connection: AsyncConnection, name: str) -> None:
    """Forget a user."""
    await connection.execute(delete(USERS).where(USERS.c.name == name))
