"""``perigee control-plane …``: the server itself, and its tokens, users and clusters."""

from __future__ import annotations

import asyncio
import logging
import signal
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any

import typer

from agent.model.errors import Misconfigured
from control_plane.commands.access import Ask
from control_plane.commands.authority import authority
from control_plane.commands.exits import ask, run
from control_plane.commands.options import Output, Plane, on_a_control_plane_or_directory
from control_plane.commands.periods import seconds
from control_plane.commands.shown import Column, show_json, show_rows
from control_plane.settings import Lives, Ports, Settings

control_plane = typer.Typer(name="control-plane", help="Run the reference control plane.", no_args_is_help=True)
token = typer.Typer(name="token", help="One-time enrolment tokens.", no_args_is_help=True)
user = typer.Typer(name="user", help="Who may call the admin API.", no_args_is_help=True)
cluster = typer.Typer(name="cluster", help="The clusters whose agents belong to this control plane.",
                      no_args_is_help=True)  # fmt: skip
for group in (token, user, cluster, authority):
    control_plane.add_typer(group)

_TOKENS = (
    Column("ID", "id"),
    Column("CLUSTER", "cluster"),
    Column("STATE", "state"),
    Column("LABELS", "labels"),
    Column("EXPIRES", "expiresAt"),
    Column("BY", "createdBy"),
)
_USERS = (Column("NAME", "name"), Column("ROLE", "role"), Column("ROTATED", "rotatedAt"))
_CLUSTERS = (
    Column("NAME", "name"),
    Column("STATE", "state"),
    Column("LABELS", "labels"),
    Column("ENROLLED", "enrolledAt"),
    Column("SEEN", "seenAt"),
)


@control_plane.command()
def serve(  # noqa: PLR0913 - each is an option that a person types
    *,
    directory: Annotated[Path, typer.Option(help="Where keys, certificates and the database are kept.")],
    hostname: Annotated[list[str], typer.Option(help="A name or address that agents reach it by; repeatable.")],
    bind: Annotated[str, typer.Option(help="The address to listen on.")] = "0.0.0.0",  # noqa: S104 - a server's purpose
    agents_port: Annotated[int, typer.Option(help="For agents, over mutual TLS; 0: a free one.")] = 8443,
    admin_port: Annotated[int, typer.Option(help="For the admin API; 0: a free one.")] = 8444,
    enrol_port: Annotated[int, typer.Option(help="For enrolment and the trust bundle; 0: a free one.")] = 8445,
    certificate_days: Annotated[int, typer.Option(min=1, max=3650, help="Life of an agent's certificate.")] = 90,
    database_url: Annotated[str, typer.Option(help="Another store than SQLite in the directory.")] = "",
) -> None:
    """Serve until SIGTERM. The first start makes every key, and the first admin's token in a private file."""
    settings = Settings(
        directory=directory,
        hostnames=tuple(hostname),
        bind=bind,
        ports=Ports(agents=agents_port, admin=admin_port, enrol=enrol_port),
        lives=Lives(client_certificate=timedelta(days=certificate_days)),
        database_url=database_url,
    )
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    run(_serve(settings))


async def _serve(settings: Settings) -> None:
    from control_plane.server import ControlPlane

    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with ControlPlane.serve(settings) as plane:
        typer.echo(f"agents            {plane.agents_url}")
        typer.echo(f"admin API         {plane.admin_url}")
        typer.echo(f"enrolment         {plane.enrol_url}")
        typer.echo(f"root fingerprint  {plane.root_fingerprint}")
        typer.echo(f"CA certificate    {plane.ca_file}")
        typer.echo(f"admin token       {plane.admin_token_file}")
        await stop.wait()
        typer.echo("stopping")


@token.command("create")
@on_a_control_plane_or_directory
def create_token(
    plane: Plane,
    *,
    cluster: Annotated[str, typer.Option("--cluster", help="The cluster that it lets in.")],
    label: Annotated[list[str] | None, typer.Option(help="A label of the cluster, key=value; repeatable.")] = None,
    ttl: Annotated[str, typer.Option(help="How long it may wait to be used: 30m, 1h, 7d.")] = "1h",
) -> None:
    """Create a one-time token, and print it: the only time that it is shown."""

    async def work() -> dict[str, Any]:
        body = {"cluster": cluster, "labels": dict(map(_label, label or ())), "ttlSeconds": seconds(ttl)}
        async with plane.connect() as access:
            return await access.ask(Ask("POST", "/tokens", body=body))

    made = run(work())
    if plane.output is Output.JSON:
        show_json(made)
        return
    typer.echo(made["secret"])
    expires, fingerprint = made["token"]["expiresAt"], made["rootFingerprint"]
    typer.echo(f"for the cluster {cluster}, until {expires}; root fingerprint {fingerprint}", err=True)


@token.command("list")
@on_a_control_plane_or_directory
def list_tokens(plane: Plane) -> None:
    """List tokens, without their secrets."""
    show_rows(_ask(plane, Ask("GET", "/tokens"))["tokens"], _TOKENS, output=plane.output)


@token.command("revoke")
@on_a_control_plane_or_directory
def revoke_token(plane: Plane, *, token_id: Annotated[str, typer.Argument(metavar="ID")]) -> None:
    """Make an unused token worthless."""
    _ask(plane, Ask("DELETE", "/tokens/{token}", {"token": token_id}))


@user.command("create")
@on_a_control_plane_or_directory
def create_user(
    plane: Plane,
    *,
    name: Annotated[str, typer.Argument()],
    role: Annotated[str, typer.Option(help="viewer, operator or admin.")] = "viewer",
) -> None:
    """Create a user, and print the bearer token: the only time that it is shown."""
    _show_access(_ask(plane, Ask("POST", "/users", body={"name": name, "role": role})), output=plane.output)


@user.command("rotate")
@on_a_control_plane_or_directory
def rotate_user(plane: Plane, *, name: Annotated[str, typer.Argument()]) -> None:
    """Replace a user's bearer token, and print the new one."""
    _show_access(_ask(plane, Ask("POST", "/users/{user}/rotate", {"user": name})), output=plane.output)


@user.command("delete")
@on_a_control_plane_or_directory
def delete_user(plane: Plane, *, name: Annotated[str, typer.Argument()]) -> None:
    """Delete a user."""
    _ask(plane, Ask("DELETE", "/users/{user}", {"user": name}))


@user.command("list")
@on_a_control_plane_or_directory
def list_users(plane: Plane) -> None:
    """List users."""
    show_rows(_ask(plane, Ask("GET", "/users"))["users"], _USERS, output=plane.output)


@cluster.command("list")
@on_a_control_plane_or_directory
def list_clusters(plane: Plane) -> None:
    """List clusters."""
    show_rows(_ask(plane, Ask("GET", "/clusters"))["clusters"], _CLUSTERS, output=plane.output)


@cluster.command("revoke")
@on_a_control_plane_or_directory
def revoke_cluster(plane: Plane, *, name: Annotated[str, typer.Argument()]) -> None:
    """Shut a cluster's agent out at once; a new token is its way back in."""
    _ask(plane, Ask("POST", "/clusters/{cluster}/revoke", {"cluster": name}))


def _ask(plane: Plane, call: Ask) -> dict[str, Any]:
    return ask(plane.connect, call)


def _show_access(made: dict[str, Any], *, output: Output) -> None:
    if output is Output.JSON:
        show_json(made)
    else:
        typer.echo(made["secret"])


def _label(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not equals:
        raise Misconfigured(f"--label {text} is not of the form key=value")
    return key, value
