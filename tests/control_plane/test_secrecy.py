"""Every call leaves a row; no row, log line, answer or file holds what must not be known."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from control_plane.server import ControlPlane
from control_plane.store import users
from control_plane.web.admin.table import ROUTES
from tests.control_plane.documents import SALES, a_document
from tests.control_plane.member import Caller, Keys, administering, at_the_gate

CANARY = "canary-7f1b9c"
ONE = f"/clusters/east/instances/{SALES}"


async def exercise(plane: ControlPlane, admin: Caller) -> list[str]:
    """Calls of every kind that carry secrets, in every place where one may be put; returns the secrets."""
    enrolment = (await admin.post("/tokens", json={"cluster": "east"})).json["secret"]
    bob = (await admin.post("/users", json={"name": "bob", "role": "viewer"})).json["secret"]
    rotated = (await admin.post("/users/bob/rotate")).json["secret"]
    await admin.ask("PUT", ONE, data=a_document(airflow={"version": "3.3.2", "env": {"SECRET": CANARY}}))
    await admin.ask("PUT", ONE, data=f'{{"broken": "{CANARY}"'.encode())
    await admin.ask("PUT", ONE, data=a_document(paused=CANARY))
    await admin.get(f"/instances?token={CANARY}")
    await admin.get(f"/no/such/{CANARY}")
    await admin.ask("DELETE", f"/tokens/{enrolment}")
    await admin.ask("DELETE", f"/users/{bob}")
    async with administering(plane, f"{CANARY}-as-a-token") as stranger:
        await stranger.get("/instances")
    async with at_the_gate(plane) as gate:
        await gate.post("/v1/enroll", data=Keys().request(f"{CANARY}-as-a-token").to_bytes())
        await gate.post("/v1/enroll", data=Keys().request(enrolment).to_bytes())
        await gate.post(f"/v1/enroll?token={enrolment}", data=f'{{"token": "{CANARY}"'.encode())
    return [enrolment, bob, rotated, await plane.admin_token(), CANARY]


def stored_bytes(directory: Path) -> bytes:
    """Everything that the database wrote, its log ahead included."""
    return b"".join(file.read_bytes() for file in directory.glob("perigee.db*"))


def secret_part(text: str) -> str:
    """What nobody may see of a token; the kind and id before it are no secret."""
    return text.split("_", 2)[-1]


async def test_no_secret_is_written_down(plane: ControlPlane, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        async with administering(plane) as admin:
            secrets = await exercise(plane, admin)
    rows = await plane.services.trail.page(before=None, limit=1000)
    written = "\n".join([*(repr(row) for row in rows), caplog.text])
    assert [secret for secret in secrets if secret_part(secret) in written] == []


async def test_the_store_holds_no_token(plane: ControlPlane) -> None:
    async with administering(plane) as admin:
        secrets = await exercise(plane, admin)
    content = stored_bytes(plane.services.settings.directory)
    assert b"pgenroll" not in content
    assert [secret for secret in secrets[:4] if secret_part(secret).encode() in content] == []


async def test_every_call_leaves_one_row(plane: ControlPlane) -> None:
    before = len(await plane.services.trail.page(before=None, limit=1000))
    places = {"cluster": "east", "instance": SALES, "token": "0123456789ab", "user": "nobody"}
    async with administering(plane) as admin:
        for route in ROUTES:
            await admin.ask(route.method, route.path.format(**places))
    rows = await plane.services.trail.page(before=None, limit=1000)
    assert len(rows) - before == len(ROUTES)
    assert {(row.method, row.path) for row in rows} == {(route.method, route.template) for route in ROUTES}
    assert {row.remote for row in rows} == {"127.0.0.1"}


async def test_a_row_says_what_the_call_was_about(plane: ControlPlane) -> None:
    async with administering(plane) as admin:
        made = (await admin.post("/tokens", json={"cluster": "east"})).json
        await admin.ask("PUT", ONE, data=a_document())
        await admin.post("/users", json={"name": "bob", "role": "viewer"})
        found = (await admin.get("/audit?limit=3")).json["records"]
    assert [(row["who"], row["object"], row["outcome"]) for row in found] == [
        ("admin", "bob", "201"),
        ("admin", f"east/{SALES}", "200"),
        ("admin", f"east/{made['token']['id']}", "201"),
    ]


async def test_a_change_is_on_record_before_its_effect(plane: ControlPlane, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever pulls the plug in the middle of a call leaves its trace."""
    seen: list[tuple[str, str]] = []

    async def look(*_: object) -> None:
        (row, *_rest) = await plane.services.trail.page(before=None, limit=1)
        seen.append((row.path, row.outcome))
        raise ConnectionResetError

    monkeypatch.setattr(users, "remove", look)
    await plane.services.accounts.create("bob", "viewer")  # type: ignore[arg-type]
    async with administering(plane) as admin:
        failed = await admin.ask("DELETE", "/users/bob")
    assert seen == [("/admin/v1/users/{user}", "unfinished")]
    assert (failed.status, failed.code) == (500, "Internal")
    (row, *_) = await plane.services.trail.page(before=None, limit=1)
    assert row.outcome == "500 Internal"


async def test_an_unforeseen_error_tells_its_place_to_the_log_and_nothing_to_the_caller(
    plane: ControlPlane, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def fail(*_: object) -> None:
        raise RuntimeError(CANARY)

    monkeypatch.setattr(users, "everyone", fail)
    async with administering(plane) as admin:
        failed = await admin.get("/users")
    assert (failed.status, failed.code) == (500, "Internal")
    assert CANARY not in failed.body.decode() + caplog.text
    assert "RuntimeError" in caplog.text
    assert "test_secrecy.py" in caplog.text


async def test_the_trail_is_paged(plane: ControlPlane) -> None:
    async with administering(plane) as admin:
        for _ in range(3):
            await admin.get("/whoami")
        first = (await admin.get("/audit?limit=2")).json["records"]
        second = (await admin.get(f"/audit?limit=1&before={first[-1]['id']}")).json["records"]
        assert [row["id"] for row in (*first, *second)] == [3, 2, 1]
        assert (await admin.get("/audit?limit=0")).status == 400
        assert (await admin.get("/audit?limit=x")).status == 400
