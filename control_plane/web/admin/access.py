"""The admin API's calls about who may call it, and about who did."""

from __future__ import annotations

from dataclasses import asdict

from control_plane.services.accounts import NewAccess, Role
from control_plane.store.users import UserRow
from control_plane.web.admin.frames import (
    AuditPageV1,
    AuditRecordV1,
    AuditV1,
    CallerV1,
    NewAccessV1,
    NothingV1,
    UsersV1,
    UserV1,
    UserWishV1,
)
from control_plane.web.admin.route import Answer, Call, Route


async def whoami(call: Call) -> Answer:
    """Who calls."""
    return Answer(CallerV1(name=call.caller.name, role=call.caller.role))


async def users(call: Call) -> Answer:
    """Every user."""
    return Answer(UsersV1(users=tuple(_user(row) for row in await call.services.accounts.everyone())))


async def create_user(call: Call) -> Answer:
    """A new user."""
    wish = call.read(UserWishV1)
    return _access(await call.services.accounts.create(wish.name, wish.role))


async def rotate_user(call: Call) -> Answer:
    """A new token for a user."""
    return _access(await call.services.accounts.rotate(call.path["user"]))


async def delete_user(call: Call) -> Answer:
    """Forget a user."""
    await call.services.accounts.delete(call.path["user"])
    return Answer(NothingV1())


async def trail(call: Call) -> Answer:
    """The audit trail."""
    page = call.asked(AuditPageV1)
    rows = await call.services.trail.page(before=page.before, limit=page.limit)
    return Answer(AuditV1(records=tuple(AuditRecordV1(**asdict(row)) for row in rows)))


def _access(access: NewAccess) -> Answer:
    frame = NewAccessV1(user=_user(access.user), secret=access.bearer.reveal())
    return Answer(frame, about=access.user.name)


def _user(row: UserRow) -> UserV1:
    return UserV1(name=row.name, role=Role(row.role), created_at=row.created_at, rotated_at=row.rotated_at)


ROUTES = (
    Route(method="GET", path="/whoami", name="whoAmI", summary="Tell who calls", tag="users",
          needs=Role.VIEWER, handler=whoami, answer=CallerV1),
    Route(method="GET", path="/users", name="listUsers", summary="List users", tag="users",
          needs=Role.ADMIN, handler=users, answer=UsersV1),
    Route(method="POST", path="/users", name="createUser", summary="Create a user", tag="users",
          needs=Role.ADMIN, handler=create_user, body=UserWishV1, answer=NewAccessV1, status=201, faults=(409, 422)),
    Route(method="DELETE", path="/users/{user}", name="deleteUser", summary="Delete a user", tag="users",
          needs=Role.ADMIN, handler=delete_user, answer=NothingV1, faults=(404, 409)),
    Route(method="POST", path="/users/{user}/rotate", name="rotateUser", summary="Replace a user's token",
          tag="users", needs=Role.ADMIN, handler=rotate_user, answer=NewAccessV1, faults=(404,)),
    Route(method="GET", path="/audit", name="readAudit", summary="Read the audit trail", tag="audit",
          needs=Role.ADMIN, handler=trail, query=AuditPageV1, answer=AuditV1),
)  # fmt: skip
