"""The command line against a control plane that listens, and against its directory; every exit code has its case."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from control_plane.cli import commands
from control_plane.server import ControlPlane
from control_plane.services.accounts import Role
from control_plane.settings import Settings
from tests.control_plane.documents import FINANCE, SALES, a_document, a_report, a_status
from tests.control_plane.member import Keys, an_agent, at_the_gate
from tests.support.clock import StillClock

APP = typer.Typer()
commands(APP)
OUR_EXIT_CODES = {"failed": 1, "usage": 2, "configuration": 3, "not authorised": 4, "unreachable": 5, "refused": 6}


@dataclass(frozen=True)
class Ended:
    code: int
    out: str
    err: str

    @property
    def json(self) -> object:
        return json.loads(self.out)


Perigee = Callable[..., Awaitable[Ended]]


@pytest.fixture
async def perigee(plane: ControlPlane) -> Perigee:
    """Run a command on that control plane as its admin; keywords are environment variables."""
    await plane.create_token("east")
    usual = {
        "PERIGEE_CONTROL_PLANE": plane.admin_url,
        "PERIGEE_CA_FILE": str(plane.ca_file),
        "PERIGEE_ADMIN_TOKEN": await plane.admin_token(),
        "COLUMNS": "250",
    }

    async def run(*arguments: str, stdin: str = "", **environment: str | None) -> Ended:
        ended = await asyncio.to_thread(
            lambda: CliRunner().invoke(APP, arguments, input=stdin, env={**usual, **environment})
        )
        if ended.exception is not None and not isinstance(ended.exception, SystemExit):
            raise ended.exception
        return Ended(ended.exit_code, ended.stdout, ended.stderr)

    return run


def written(folder: Path, *documents: bytes) -> str:
    file = folder / "instances.yaml"
    file.write_text("\n---\n".join(document.decode() for document in documents))
    return str(file)


async def applied(perigee: Perigee, tmp_path: Path) -> None:
    assert (await perigee("instance", "apply", "-f", written(tmp_path, a_document()), "--cluster", "east")).code == 0


async def test_a_token_is_printed_alone_so_that_it_can_be_piped(perigee: Perigee, plane: ControlPlane) -> None:
    made = await perigee("control-plane", "token", "create", "--cluster", "east", "--label", "env=prod", "--ttl", "30m")
    assert made.code == 0
    async with at_the_gate(plane) as gate:
        assert (await gate.post("/v1/enroll", data=Keys().request(made.out.strip()).to_bytes())).status == 200
    assert (await plane.services.membership.cluster("east")).cluster.labels == {"env": "prod"}
    assert plane.root_fingerprint in made.err
    assert made.out.strip() not in made.err


async def test_a_token_is_made_on_the_directory_beside_the_running_server(
    perigee: Perigee, plane: ControlPlane, settings: Settings
) -> None:
    made = await perigee(
        "control-plane", "token", "create", "--cluster", "west", "--directory", str(settings.directory),
        PERIGEE_CONTROL_PLANE=None, PERIGEE_ADMIN_TOKEN=None,
    )  # fmt: skip
    assert made.code == 0
    async with at_the_gate(plane) as gate:
        assert (await gate.post("/v1/enroll", data=Keys().request(made.out.strip()).to_bytes())).status == 200
    rows = await plane.services.trail.page(before=None, limit=10)
    assert ("directory", "local", "/admin/v1/tokens", "201") in [
        (row.listener, row.who, row.path, row.outcome) for row in rows
    ]


async def test_instances_are_applied_and_listed(perigee: Perigee, tmp_path: Path) -> None:
    file = written(tmp_path, a_document(), a_document(FINANCE, name="finance"))
    first = await perigee("instance", "apply", "-f", file, "--cluster", "east")
    assert first.out.splitlines() == ["sales in east: revision 1 (running)", "finance in east: revision 1 (running)"]
    again = await perigee("instance", "apply", "-f", file, "--cluster", "east")
    assert "sales in east: unchanged at revision 1 (running)" in again.out
    table = (await perigee("instances")).out.splitlines()
    assert table[0].split() == ["CLUSTER", "NAME", "STATE", "REVISION", "LISTED", "NAMESPACE", "ID"]
    assert table[2].split() == ["east", "sales", "running", "1", "yes", "airflow-sales", SALES]
    rows = (await perigee("instances", "--cluster", "east", "--output", "json")).json
    assert isinstance(rows, list)
    assert [row["name"] for row in rows] == ["finance", "sales"]


async def test_what_was_applied_before_one_was_refused_is_told(perigee: Perigee, tmp_path: Path) -> None:
    file = written(tmp_path, a_document(), a_document(FINANCE, name="finance", paused="perhaps"))
    ended = await perigee("instance", "apply", "-f", file, "--cluster", "east")
    assert ended.code == OUR_EXIT_CODES["refused"]
    assert ended.out == "sales in east: revision 1 (running)\n"
    assert ended.err.startswith("perigee: spec.paused")


async def test_an_unknown_field_is_warned_of(perigee: Perigee, tmp_path: Path) -> None:
    file = written(tmp_path, a_document(replicsa=3))
    ended = await perigee("instance", "apply", "-f", file, "--cluster", "east")
    assert ended.code == 0
    assert "spec.replicsa is not known" in ended.err


@pytest.mark.parametrize("which", ["sales", SALES])
async def test_the_life_of_an_instance(perigee: Perigee, tmp_path: Path, which: str) -> None:
    await applied(perigee, tmp_path)
    await perigee("instance", "apply", "-f", written(tmp_path, a_document(team="b")), "--cluster", "east")
    assert (await perigee("instance", "delete", which, "--yes")).out == "sales in east: revision 3 (deleted)\n"
    assert (await perigee("instance", "rollback", which, "--to", "1")).out == "sales in east: revision 4 (running)\n"
    assert (await perigee("instance", "unlist", which)).code == 0
    history = (await perigee("instance", "history", which)).out.splitlines()
    assert [line.split()[:3] for line in history[1:]] == [
        ["4", "rolled-back", "1"],
        ["3", "deleted", "-"],
        ["2", "applied", "-"],
        ["1", "applied", "-"],
    ]


async def test_deleting_asks_first_and_says_what_stays(perigee: Perigee, tmp_path: Path) -> None:
    await applied(perigee, tmp_path)
    declined = await perigee("instance", "delete", "sales", stdin="n\n")
    assert declined.code == OUR_EXIT_CODES["failed"]
    assert "retaining all its data" in declined.out
    assert (await perigee("instance", "delete", "sales", "--retain", "none", stdin="y\n")).code == 0
    ended = await perigee("instance", "history", "sales", "-o", "json")
    assert isinstance(ended.json, list)
    assert [one["action"] for one in ended.json] == ["deleted", "applied"]


async def test_status_tells_what_the_agent_told(
    perigee: Perigee, plane: ControlPlane, clock: StillClock, tmp_path: Path
) -> None:
    await applied(perigee, tmp_path)
    assert "has not told anything" in (await perigee("instance", "status", "sales")).out
    async with an_agent(plane) as agent:
        await agent.report(a_report(clock.now(), a_status(clock.now())))
    told = (await perigee("instance", "status", "sales")).out
    assert "revision 1, applied" in told
    assert "AllReady" in told
    found = (await perigee("instance", "status", "sales", "-o", "json")).json
    assert isinstance(found, dict)
    assert found["applied"] is True


async def test_a_name_in_two_clusters_is_asked_back(perigee: Perigee, plane: ControlPlane, tmp_path: Path) -> None:
    await applied(perigee, tmp_path)
    await plane.create_token("west")
    await plane.publish("west", a_document(FINANCE))
    ambiguous = await perigee("instance", "history", "sales")
    assert ambiguous.code == OUR_EXIT_CODES["failed"]
    assert FINANCE in ambiguous.err
    assert SALES in ambiguous.err
    assert (await perigee("instance", "history", "sales", "--cluster", "west")).code == 0


async def test_users_are_made_rotated_and_deleted(perigee: Perigee) -> None:
    made = await perigee("control-plane", "user", "create", "bob", "--role", "viewer")
    rotated = await perigee("control-plane", "user", "rotate", "bob")
    assert made.out != rotated.out
    assert (await perigee("instances", PERIGEE_ADMIN_TOKEN=rotated.out.strip())).code == 0
    listed = (await perigee("control-plane", "user", "list")).out
    assert "viewer" in listed
    assert (await perigee("control-plane", "user", "delete", "bob")).code == 0
    assert (await perigee("instances", PERIGEE_ADMIN_TOKEN=rotated.out.strip())).code == OUR_EXIT_CODES[
        "not authorised"
    ]


async def test_tokens_clusters_and_trust(perigee: Perigee, plane: ControlPlane) -> None:
    rows = (await perigee("control-plane", "token", "list", "-o", "json")).json
    assert isinstance(rows, list)
    assert [(row["cluster"], row["state"]) for row in rows] == [("east", "open")]
    assert (await perigee("control-plane", "token", "revoke", rows[0]["id"])).code == 0
    again = await perigee("control-plane", "token", "revoke", rows[0]["id"])
    assert again.code == OUR_EXIT_CODES["refused"]
    assert (await perigee("control-plane", "cluster", "revoke", "east")).code == 0
    assert "revoked" in (await perigee("control-plane", "cluster", "list")).out
    assert (await perigee("control-plane", "ca", "show")).out.strip() == plane.root_fingerprint
    assert (await perigee("control-plane", "ca", "new-epoch")).out.strip() == "epoch 2"


async def test_a_key_is_rotated_by_hand(perigee: Perigee, plane: ControlPlane, settings: Settings) -> None:
    there = ("--directory", str(settings.directory))
    assert "trust bundle 2" in (await perigee("control-plane", "ca", "rotate", "root", *there)).out
    again = await perigee("control-plane", "ca", "rotate", "root")
    assert (again.code, "ca finish" in again.err) == (OUR_EXIT_CODES["refused"], True)
    assert "root rotated since trust bundle 2, waits for nobody" in (await perigee("control-plane", "ca", "show")).out
    assert (await perigee("control-plane", "ca", "finish", "--force")).out == "finished: root\n"
    sent = await perigee("control-plane", "ca", "rotate", "root", "--root-key", "anywhere")
    assert (sent.code, "never sent" in sent.err) == (OUR_EXIT_CODES["configuration"], True)
    assert await plane.services.trust.version() == 3


@pytest.mark.parametrize(
    ("arguments", "environment", "code", "says"),
    [
        (["instances"], {"PERIGEE_CONTROL_PLANE": None}, "configuration", "--control-plane URL"),
        (["instances"], {"PERIGEE_CONTROL_PLANE": "http://127.0.0.1:1"}, "configuration", "https://"),
        (["instances"], {"PERIGEE_ADMIN_TOKEN": None}, "configuration", "no bearer token"),
        (["instances", "--token-file", "/nowhere"], {}, "configuration", "/nowhere"),
        (["instances", "--ca-file", "/nowhere"], {}, "configuration", "/nowhere"),
        (["instances"], {"PERIGEE_ADMIN_TOKEN": "wrong"}, "not authorised", "not known"),
        (["instances"], {"PERIGEE_CONTROL_PLANE": "https://127.0.0.1:1"}, "unreachable", "cannot be reached"),
        (["instances"], {"PERIGEE_CA_FILE": None}, "unreachable", "--ca-file"),
        (["instances", "--cluster", "nowhere"], {}, "failed", "no cluster nowhere"),
        (["instance", "status", "nobody"], {}, "failed", "no instance nobody"),
        (["instance", "apply", "-f", "/nowhere", "--cluster", "east"], {}, "configuration", "/nowhere"),
        (["instance", "apply", "--cluster", "east"], {}, "usage", "--file"),
        (["control-plane", "token", "create", "--cluster", "east", "--ttl", "soon"], {}, "configuration", "--ttl"),
        (["control-plane", "token", "create", "--cluster", "east", "--label", "x"], {}, "configuration", "key=value"),
        (["control-plane", "token", "create", "--cluster", "EAST"], {}, "refused", "cluster"),
        (["control-plane", "token", "list", "--directory", "/nowhere"], {}, "configuration", "/nowhere"),
        (["control-plane", "user", "create", "bob", "--role", "emperor"], {}, "refused", "role"),
    ],
)
async def test_what_goes_wrong_has_its_exit_code_and_one_line(
    perigee: Perigee, arguments: list[str], environment: dict[str, str | None], code: str, says: str
) -> None:
    ended = await perigee(*arguments, **environment)
    assert (ended.code, says in ended.err) == (OUR_EXIT_CODES[code], True), ended
    assert ended.out == ""
    assert code == "usage" or len(ended.err.splitlines()) == 1


async def test_a_viewer_is_told_which_role_it_takes(perigee: Perigee, plane: ControlPlane, tmp_path: Path) -> None:
    viewer = (await plane.services.accounts.create("bob", Role.VIEWER)).bearer.reveal()
    file = written(tmp_path, a_document())
    ended = await perigee("instance", "apply", "-f", file, "--cluster", "east", PERIGEE_ADMIN_TOKEN=viewer)
    assert ended.code == OUR_EXIT_CODES["not authorised"]
    assert "needs the role operator" in ended.err


async def test_who_answers_without_being_a_control_plane_is_recognised(perigee: Perigee, plane: ControlPlane) -> None:
    ended = await perigee("instances", PERIGEE_CONTROL_PLANE=plane.enrol_url)
    assert ended.code == OUR_EXIT_CODES["failed"]


async def test_serving_as_a_program(tmp_path: Path) -> None:
    """It tells where it listens and where the first token is, ends well on SIGTERM, and does not serve twice."""
    directory = tmp_path / "state"
    source = "import typer; from control_plane.cli import commands; app = typer.Typer(); commands(app); app()"
    options = f"--directory {directory} --hostname 127.0.0.1 --bind 127.0.0.1"
    ports = "--agents-port 0 --admin-port 0 --enrol-port 0"
    serve = [sys.executable, "-c", source, "control-plane", "serve", *options.split(), *ports.split()]
    pipe = asyncio.subprocess.PIPE
    server = await asyncio.create_subprocess_exec(*serve, stdout=pipe, stderr=pipe)
    assert server.stdout is not None
    try:
        told = dict([(await server.stdout.readline()).decode().strip().rsplit(maxsplit=1) for _ in range(6)])
        assert told["root fingerprint"].startswith("sha256:")
        assert told["admin token"] == str(directory / "admin-token")
        assert told["admin API"].startswith("https://127.0.0.1:")
        second = await asyncio.create_subprocess_exec(*serve, stdout=pipe, stderr=pipe)
        _, err = await second.communicate()
        assert second.returncode == OUR_EXIT_CODES["configuration"]
        assert "already serves" in err.decode()
    finally:
        server.send_signal(signal.SIGTERM)
        rest, err = await server.communicate()
    assert (server.returncode, rest.decode(), err.decode()) == (0, "stopping\n", "")


async def test_an_order_is_given_and_listed_by_name(perigee: Perigee, plane: ControlPlane, tmp_path: Path) -> None:
    await applied(perigee, tmp_path)
    given = await perigee("instance", "order", "sales", "restart", "--arg", "component=scheduler", "--ttl", "10m")
    assert given.code == 0
    assert "restart waits, until" in given.out
    (order,) = await plane.services.ordering.of_instance("east", SALES)
    assert (order.kind, order.args) == ("restart", {"component": "scheduler"})
    assert order.not_after - order.created_at == timedelta(minutes=10)
    listed = await perigee("instance", "orders", "sales")
    assert order.id in listed.out
    assert "component=scheduler" in listed.out
    assert "waiting" in listed.out
    wrong = await perigee("instance", "order", "sales", "restart", "--arg", "scheduler")
    assert (wrong.code, "NAME=VALUE" in wrong.err) == (3, True)
