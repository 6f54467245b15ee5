"""Every route of the table, called by nobody and by every role: 401, 403, or whatever the call itself says."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from control_plane.bearer import Bearer, Kind
from control_plane.server import ControlPlane
from control_plane.services.accounts import Role
from control_plane.web.admin.route import Route
from control_plane.web.admin.table import ROUTES
from tests.control_plane.documents import SALES
from tests.control_plane.member import Reply, administering

PLACES = {"cluster": "east", "instance": SALES, "token": "0123456789ab", "user": "somebody"}
ALL = pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.name)


@dataclass(frozen=True)
class Attempt:
    reply: Reply
    row: tuple[str, str, str, str, str]


async def attempt(plane: ControlPlane, route: Route, token: str) -> Attempt:
    """Call the route, and what the audit trail says of it."""
    path = route.path.format(**{name: PLACES[name] for name in route.parameters})
    async with administering(plane, token) as caller:
        reply = await caller.ask(route.method, path)
    (row, *_) = await plane.services.trail.page(before=None, limit=1)
    return Attempt(reply, (row.who, row.role, row.method, row.path, row.outcome))


@ALL
@pytest.mark.parametrize("token", ["", "rubbish", Bearer.new(Kind.ADMIN).reveal(), Bearer.new(Kind.ENROL).reveal()],
                         ids=["none", "rubbish", "unknown", "enrolment"])  # fmt: skip
async def test_without_a_known_token_nothing_is_told(plane: ControlPlane, route: Route, token: str) -> None:
    made = await attempt(plane, route, token)
    assert (made.reply.status, made.reply.code) == (401, "NotAuthorised")
    assert made.reply.headers["WWW-Authenticate"] == "Bearer"
    assert made.row == ("", "", route.method, route.template, "401 NotAuthorised")


@ALL
@pytest.mark.parametrize("role", list(Role))
async def test_a_role_may_call_what_it_covers_and_is_told_what_else_would_need(
    plane: ControlPlane, route: Route, role: Role
) -> None:
    access = await plane.services.accounts.create("caller", role)
    made = await attempt(plane, route, access.bearer.reveal())
    if role.covers(route.needs):
        assert made.reply.status not in {401, 403, 500}, made.reply.body
        outcome = f"{made.reply.status}" + (f" {made.reply.code}" if made.reply.status >= 400 else "")
    else:
        assert (made.reply.status, made.reply.code) == (403, "Forbidden")
        assert f"needs the role {route.needs}" in made.reply.json["error"]["message"]
        outcome = "403 Forbidden"
    assert made.row == ("caller", role.value, route.method, route.template, outcome)


async def test_a_path_that_is_none_is_hidden_from_strangers_and_audited(plane: ControlPlane) -> None:
    for token, status in (("", 401), (await plane.admin_token(), 404)):
        async with administering(plane, token) as caller:
            assert (await caller.get("/secrets/of/the/house")).status == status
    rows = await plane.services.trail.page(before=None, limit=2)
    assert [(row.path, row.outcome) for row in rows] == [
        ("(no such path)", "404 NotFound"),
        ("(no such path)", "401 NotAuthorised"),
    ]


async def test_a_method_that_a_path_does_not_have(plane: ControlPlane) -> None:
    async with administering(plane) as caller:
        refused = await caller.ask("PATCH", "/instances")
    assert (refused.status, refused.code) == (405, "MethodNotAllowed")


@pytest.mark.parametrize("place", ["EAST", "ea st", "a" * 64, "..", "east%2Fwest"])
async def test_a_name_of_another_shape_is_a_path_that_is_none(plane: ControlPlane, place: str) -> None:
    async with administering(plane) as caller:
        assert (await caller.get(f"/clusters/{place}")).status == 404


async def test_a_rotated_token_is_worthless_at_once(plane: ControlPlane) -> None:
    async with administering(plane) as admin:
        made = await admin.post("/users", json={"name": "bob", "role": "viewer"})
        assert made.status == 201
        async with administering(plane, made.json["secret"]) as bob:
            assert (await bob.get("/whoami")).json == {"name": "bob", "role": "viewer"}
            fresh = (await admin.post("/users/bob/rotate")).json["secret"]
            assert (await bob.get("/whoami")).status == 401
        async with administering(plane, fresh) as bob:
            assert (await bob.get("/whoami")).status == 200
            assert (await admin.ask("DELETE", "/users/bob")).status == 200
            assert (await bob.get("/whoami")).status == 401


async def test_the_last_admin_stays(plane: ControlPlane) -> None:
    async with administering(plane) as admin:
        refused = await admin.ask("DELETE", "/users/admin")
        assert (refused.status, refused.code) == (409, "LastAdmin")
        await admin.post("/users", json={"name": "second", "role": "admin"})
        assert (await admin.ask("DELETE", "/users/admin")).status == 200


@pytest.mark.parametrize(
    ("wish", "status"),
    [
        ({"name": "admin", "role": "viewer"}, 409),
        ({"name": "Bob", "role": "viewer"}, 422),
        ({"name": "", "role": "viewer"}, 400),
        ({"name": "bob", "role": "emperor"}, 400),
        ({"name": "bob", "role": "viewer", "extra": 1}, 400),
        ({}, 400),
    ],
)
async def test_a_user_that_cannot_be_is_refused(plane: ControlPlane, wish: dict[str, str], status: int) -> None:
    async with administering(plane) as admin:
        assert (await admin.post("/users", json=wish)).status == status
        assert [user["name"] for user in (await admin.get("/users")).json["users"]] == ["admin"]


async def test_the_list_of_users_shows_no_secret_and_no_hash(plane: ControlPlane) -> None:
    async with administering(plane) as admin:
        (user,) = (await admin.get("/users")).json["users"]
    assert set(user) == {"name", "role", "createdAt", "rotatedAt"}
