"""The commands of the test cluster: build, up, env, down.

Here: what a person types and reads. What a shell shall evaluate goes to standard output, everything else to standard
error.
"""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import typer
from rich.console import Console

from sandbox.realcluster import registry
from sandbox.realcluster.building import find_or_build
from sandbox.realcluster.cluster import RealCluster
from sandbox.realcluster.environment import Environment, read_environment
from sandbox.realcluster.faults import NotServing, TestClusterError
from sandbox.realcluster.programs import names_for

START_SECONDS = 180
STOP_SECONDS = 60
UNREACHABLE = 5
"""Exit code of the project for "nobody there"."""

app = typer.Typer(help="A real Kubernetes on this machine, without Docker.", no_args_is_help=True, add_completion=False)
people = Console(stderr=True, highlight=False)

Name = Annotated[str, typer.Option(help="Which cluster; several may run side by side.")]
Node = Annotated[bool, typer.Option("--node", help="With a real node: containerd and kubelet; needs root.")]


@app.command("build")
def build_programs(*, node: Node = False) -> None:
    """Build what is found nowhere, once; needs Go and 10 to 20 minutes. Prints where each program lies."""
    with _told():
        programs = find_or_build(read_environment(), _say, node=node)
        for name in names_for(node=node):
            typer.echo(f"{name}\t{programs[name]}")


@app.command()
def up(
    *,
    name: Name = "default",
    node: Node = False,
    shell: Annotated[bool, typer.Option("--shell", help="Open your shell on it, when there is a terminal.")] = False,
    detach: Annotated[bool, typer.Option("--detach", help="Return as soon as it serves; `down` stops it.")] = False,
) -> None:
    """Start a cluster, print `export KUBECONFIG=...`, and keep it until Ctrl-C."""
    environment = read_environment()
    with _told():
        if registry.find(environment, name) is not None:
            raise TestClusterError(f"The test cluster {name} runs already: `env` says where, `down` stops it.")
        programs = find_or_build(environment, _say, node=node)
        if detach:
            _start_detached(environment, name, node=node)
        else:
            asyncio.run(_serve(environment, RealCluster(programs, name=name, node=node), shell=shell))


@app.command("env")
def print_environment(*, name: Name = "default") -> None:
    """Print `export KUBECONFIG=...` of a running cluster, for `eval`."""
    with _told():
        typer.echo(f"export KUBECONFIG={_running(read_environment(), name).kubeconfig}")


@app.command()
def down(*, name: Name = "default") -> None:
    """Stop a running cluster and wait until nothing of it is left."""
    environment = read_environment()
    with _told():
        owner = _running(environment, name).owner
        if owner is not None:
            owner.send_signal(signal.SIGTERM)
            owner.wait(STOP_SECONDS)
        registry.forget(environment, name)
        _say(f"The test cluster {name} is gone.")


async def _serve(environment: Environment, cluster: RealCluster, *, shell: bool) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with cluster:
        await asyncio.to_thread(
            registry.record, environment, name=cluster.name, kubeconfig=cluster.kubeconfig, server=cluster.server
        )
        try:
            typer.echo(f"export KUBECONFIG={cluster.kubeconfig}")
            if shell and sys.stdin.isatty():
                await _open_shell(environment, cluster)
            else:
                _say("Ctrl-C stops it.")
                await stop.wait()
        finally:
            await asyncio.to_thread(registry.forget, environment, cluster.name)


async def _open_shell(environment: Environment, cluster: RealCluster) -> None:
    """The user's shell, on the terminal, with the cluster's programs first on its PATH; its end is the cluster's."""
    folders = {str(path.parent) for path in cluster.programs.paths.values()}
    variables = {
        **environment.variables,
        "KUBECONFIG": str(cluster.kubeconfig),
        "PATH": ":".join([*sorted(folders), environment.search_path]),
    }
    _say("`exit` stops it.")
    process = await asyncio.create_subprocess_exec(environment.variables.get("SHELL", "/bin/sh"), env=variables)
    await process.wait()


def _start_detached(environment: Environment, name: str, *, node: bool) -> None:
    log = environment.cache / f"{name}.log"
    arguments = ["-m", "sandbox.realcluster", "up", "--name", name, *(["--node"] if node else [])]
    with log.open("wb") as output:
        owner = subprocess.Popen(
            [sys.executable, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env=dict(environment.variables),
            start_new_session=True,
        )
    for _ in range(START_SECONDS * 5):
        if (running := registry.find(environment, name)) is not None:
            typer.echo(f"export KUBECONFIG={running.kubeconfig}")
            return
        if _ended_within(owner, seconds=0.2):
            raise NotServing(f"The test cluster did not start:\n{log.read_text(encoding='utf-8')}")
    owner.terminate()
    raise NotServing(f"The test cluster did not serve within {START_SECONDS} s; its messages are in {log}.")


def _ended_within(process: subprocess.Popen[bytes], *, seconds: float) -> bool:
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        return False
    return True


def _running(environment: Environment, name: str) -> registry.RunningCluster:
    running = registry.find(environment, name)
    if running is None:
        people.print(f"No test cluster {name} is running: `up` starts one.")
        raise typer.Exit(UNREACHABLE)
    return running


@contextmanager
def _told() -> Iterator[None]:
    """Errors of the test cluster are sentences for people, not tracebacks."""
    try:
        yield
    except TestClusterError as error:
        people.print(str(error), markup=False)
        raise typer.Exit(1) from None


def _say(line: str) -> None:
    people.print(line, markup=False)
