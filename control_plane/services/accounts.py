"""Who may use the admin API: users, their roles and bearer tokens. The token itself is shown once and kept nowhere."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from enum import StrEnum

from agent.wire.problems import Code
from control_plane.bearer import Bearer, Kind
from control_plane.clock import Clock
from control_plane.faults import Clash, NotFound, Unacceptable, Unauthenticated
from control_plane.store import users
from control_plane.store.database import Database
from control_plane.store.users import UserRow

_NAME = re.compile(r"[a-z0-9]([a-z0-9.-]{0,61}[a-z0-9])?")


class Role(StrEnum):
    """What a user may do; each role may do what the one before it may."""

    VIEWER = "viewer"
    """Reads everything but tokens, users and the audit trail."""
    OPERATOR = "operator"
    """Also applies, deletes, rolls back and unlists instances."""
    ADMIN = "admin"
    """Also tokens, users, clusters and the audit trail."""

    def covers(self, needed: Role) -> bool:
        """Whether this role is enough where ``needed`` is asked for."""
        ranks = list(Role)
        return ranks.index(self) >= ranks.index(needed)


@dataclass(frozen=True, slots=True)
class Caller:
    """Somebody that we know."""

    name: str
    role: Role


@dataclass(frozen=True, slots=True)
class NewAccess:
    """A user and the token that was just made for it: the only time that it is seen."""

    user: UserRow
    bearer: Bearer


class Accounts:
    """The users of the admin API."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def identify(self, token: str) -> Caller:
        """Who holds that bearer token; raises Unauthenticated, in the same words whatever is wrong with it."""
        bearer = Bearer.parse(Kind.ADMIN, token)
        if bearer is not None:
            async with self._database.reading() as connection:
                user = await users.by_token(connection, bearer.id)
            if bearer.matches(user.hash if user else None) and user is not None:
                return Caller(user.name, Role(user.role))
        raise Unauthenticated(Code.NOT_AUTHORISED, "this bearer token is not known", hint="ask an admin for a new one")

    async def create(self, name: str, role: Role) -> NewAccess:
        """A new user with a new token; raises Unacceptable (the name) or Clash (the name is taken)."""
        if not _NAME.fullmatch(name):
            raise Unacceptable(
                Code.MALFORMED,
                "a user's name is 1 to 63 of a-z, 0-9, dots and dashes, with a letter or digit at either end",
                path="name",
            )
        bearer, now = Bearer.new(Kind.ADMIN), self._clock.now()
        user = UserRow(name=name, role=role, token_id=bearer.id, hash=bearer.hash, created_at=now, rotated_at=now)
        async with self._database.writing() as connection:
            if await users.find(connection, name) is not None:
                raise Clash("UserExists", f"there is a user {name} already", hint="rotate that user's token instead")
            await users.add(connection, user)
        return NewAccess(user, bearer)

    async def everyone(self) -> list[UserRow]:
        """Every user, by name."""
        async with self._database.reading() as connection:
            return await users.everyone(connection)

    async def rotate(self, name: str) -> NewAccess:
        """A new token for a user; the old one is worthless at once. Raises NotFound."""
        bearer = Bearer.new(Kind.ADMIN)
        async with self._database.writing() as connection:
            user = replace(
                _found(await users.find(connection, name), name),
                token_id=bearer.id,
                hash=bearer.hash,
                rotated_at=self._clock.now(),
            )
            await users.change_token(connection, user)
        return NewAccess(user, bearer)

    async def delete(self, name: str) -> None:
        """Forget a user; raises NotFound, or Clash for the last admin, without whom nobody could come in again."""
        async with self._database.writing() as connection:
            user = _found(await users.find(connection, name), name)
            if user.role == Role.ADMIN and await users.count(connection, Role.ADMIN) == 1:
                raise Clash("LastAdmin", f"{name} is the last admin", hint="create another admin first")
            await users.remove(connection, name)


def _found(user: UserRow | None, name: str) -> UserRow:
    if user is None:
        raise NotFound(Code.NOT_FOUND, f"there is no user {name}")
    return user
