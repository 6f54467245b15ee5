"""``perigee control-plane ca …``: what agents trust, and how its keys are replaced."""

from __future__ import annotations

from typing import Annotated

import typer

from control_plane.commands.access import Ask
from control_plane.commands.exits import ask
from control_plane.commands.options import Output, Plane, on_a_control_plane_or_directory, with_root_key
from control_plane.commands.shown import show_json
from control_plane.ring import Kind

authority = typer.Typer(name="ca", help="What agents trust.", no_args_is_help=True)


@authority.command("show")
@on_a_control_plane_or_directory
def show_trust(plane: Plane) -> None:
    """Print the root fingerprint that agents pin, and whom rotations wait for; as JSON, the signed trust bundle too."""
    found = ask(plane.connect, Ask("GET", "/trust"))
    if plane.output is Output.JSON:
        show_json(found)
        return
    typer.echo(found["rootFingerprint"])
    for one in found["rotations"]:
        behind = ", ".join(one["behind"]) or "nobody: end it with `perigee control-plane ca finish`"
        typer.echo(f"{one['kind']} rotated since trust bundle {one['version']}, waits for {behind}")


@authority.command("rotate")
@with_root_key
def rotate(
    plane: Plane, *, kind: Annotated[Kind, typer.Argument(help="authority, index or root.", metavar="KIND")]
) -> None:
    """Make a new key and name it beside the old one; `ca finish` lets the old one go."""
    begun = ask(plane.connect, Ask("POST", "/trust/rotations", body={"kind": kind.value}))
    typer.echo(f"trust bundle {begun['version']} names a new key ({kind.value}) beside the old one")


@authority.command("finish")
@with_root_key
def finish(
    plane: Plane,
    *,
    force: Annotated[bool, typer.Option("--force", help="Leave behind who has not acknowledged.")] = False,
) -> None:
    """Let the old keys of every rotation go, once all agents seen in 30 days go by the new ones."""
    done = ask(plane.connect, Ask("POST", "/trust/rotations/finish", body={"force": force}))
    typer.echo(f"finished: {', '.join(done['finished'])}")
    if done["leftBehind"]:
        typer.echo(f"left behind, until they come back: {', '.join(done['leftBehind'])}", err=True)


@authority.command("new-epoch")
@with_root_key
def new_epoch(plane: Plane) -> None:
    """After a restore from backup: begin an epoch whose indexes supersede all that agents hold."""
    typer.echo(f"epoch {ask(plane.connect, Ask('POST', '/trust/epoch'))['epoch']}")
