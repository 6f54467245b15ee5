"""The sandbox's commands: `perigee sandbox demo`. Reads argv, shows the play, returns its exit code."""

from __future__ import annotations

import asyncio
import signal
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.live import Live

from sandbox.demo.board import Board
from sandbox.demo.clusters import Where, scene
from sandbox.demo.examples import load_examples
from sandbox.demo.play import CLUSTER, Cast, cast, perform, tidy_up

sandbox = typer.Typer(no_args_is_help=True, help="A cluster to try things on, without one.")


def commands(app: typer.Typer) -> None:
    """Register the sandbox's commands on the root command."""
    app.add_typer(sandbox, name="sandbox")


@sandbox.callback()
def _sandbox() -> None:
    """A cluster to try things on, without one."""


@sandbox.command()
def demo(
    *,
    cluster: Annotated[Where, typer.Option(help="Where it plays.")] = Where.EMBEDDED,
    kubeconfig: Annotated[
        Path | None, typer.Option(envvar="KUBECONFIG", help="Your cluster, for --cluster kubeconfig.")
    ] = None,
    once: Annotated[bool, typer.Option("--once", help="End after the last act instead of staying up.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask before using your cluster.")] = False,
) -> None:
    """Watch an agent enrol and keep two Airflow instances as a control plane wants them."""
    if cluster is Where.KUBECONFIG and not yes:
        typer.confirm(
            f"Make two Airflow instances on the cluster of {kubeconfig}, and remove them at the end?", abort=True
        )
    raise typer.Exit(asyncio.run(_show(cluster, kubeconfig, once=once)))


async def _show(where: Where, kubeconfig: Path | None, *, once: bool) -> int:
    board = Board()
    console = Console()
    examples = load_examples()
    with ExitStack() as stack:
        if console.is_terminal:
            console = stack.enter_context(Live(board, console=console, refresh_per_second=5)).console
        async with scene(where, kubeconfig) as place, cast(place, board, console) as players:
            console.print(f"[bold]Perigee[/] on {place.title}: the agent enrols over TLS and polls for signed state")
            code = 0
            try:
                await perform(players, examples)
            except TimeoutError:
                console.print(f"[red]✗ not in time.[/] {board.trouble}")
                code = 1
            if not console.is_terminal:
                console.print(board)
            if not once and code == 0:
                _suggest(players)
                await _interrupted()
            if not place.ours:
                await tidy_up(players, examples)
    return code


def _suggest(players: Cast) -> None:
    plane = players.plane
    players.console.print(
        "\n[bold]It stays up until Ctrl-C. In another terminal:[/]\n"
        f"  export KUBECONFIG={players.scene.kubeconfig}\n"
        "  kubectl get pods -A\n"
        f"  export PERIGEE_CONTROL_PLANE={plane.admin_url} PERIGEE_CA_FILE={plane.ca_file} "
        f"PERIGEE_ADMIN_TOKEN_FILE={plane.admin_token_file}\n"
        f"  {sys.argv[0]} instances --cluster {CLUSTER}\n"
        "  kubectl -n airflow-hello delete deployment airflow-scheduler   # and watch it come back\n",
        highlight=False,
        soft_wrap=True,
    )


async def _interrupted() -> None:
    stop = asyncio.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(name, stop.set)
    await stop.wait()
