"""The play: what happens in the demonstration, one act after the other, each awaited until the control plane was told.

Here: the acts and the cast. Not here: how it looks (board) and where it plays (clusters).
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from agent.cluster.client import KubeClient, Request
from agent.cluster.connection import connect
from agent.model.errors import Conflict
from agent.settings import Settings
from agent.wire.reports import InstanceReportV1
from agent.wiring import serve
from control_plane.server import ControlPlane
from control_plane.settings import Ports
from control_plane.settings import Settings as PlaneSettings
from sandbox.demo.board import Board
from sandbox.demo.clusters import Scene
from sandbox.demo.examples import Example

CLUSTER = "demo"
_NAMESPACE = "perigee-system"
_REFRESH_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class Cast:
    """Everything that takes part; ``patience_seconds`` is how long an act may take."""

    scene: Scene
    plane: ControlPlane
    board: Board
    console: Console
    directory: Path
    patience_seconds: float


@asynccontextmanager
async def cast(scene: Scene, board: Board, console: Console) -> AsyncIterator[Cast]:
    """The control plane and the agent, enrolled over TLS, while the block runs."""
    async with AsyncExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="perigee-demo-")))
        plane_settings = PlaneSettings(directory=directory / "control-plane", ports=Ports.free())
        plane = await stack.enter_async_context(ControlPlane.serve(plane_settings))
        await _make_namespace(scene)
        await asyncio.to_thread((directory / "token").write_text, await plane.create_token(CLUSTER))
        stop, group = asyncio.Event(), await stack.enter_async_context(asyncio.TaskGroup())
        group.create_task(serve(_settings(scene, plane, directory), stop=stop, sinks=[board]), name="agent")
        watching = group.create_task(_follow(plane, board), name="board")
        try:
            yield Cast(scene, plane, board, console, directory, 60 if scene.ours else 600)
        finally:
            watching.cancel()
            stop.set()


async def perform(cast: Cast, examples: tuple[Example, ...]) -> None:
    """The acts; raises TimeoutError if one is not told to have succeeded in time."""
    for example in examples:
        cast.board.call(example.id, example.name)
        await _act(cast, example, "created", "comes to life, stage by stage", _ready)
    first = examples[0]
    more = first.with_replicas("apiServer", 2)
    await _act(cast, more, "changed", "gets a second API server: only what differs is touched", _ready)
    last = examples[-1]
    asleep = last.with_spec(state="hibernated")
    await _act(cast, asleep, "hibernated", "sleeps: Airflow first, then its database; volumes stay", _asleep)
    await _act(cast, last, "woken", "wakes: database, migration, Airflow", _ready)
    cast.board.told = await cast.plane.statuses(CLUSTER)


async def tidy_up(cast: Cast, examples: tuple[Example, ...]) -> None:
    """Take everything off a cluster that is not ours; raises TimeoutError if it does not go in time."""
    for example in examples:
        revision = await cast.plane.delete(CLUSTER, example.id, retain=[])
        await _told(cast, example, revision, _gone)
        cast.console.print(f"[red]-[/] {example.name} is gone, with its data")


async def _act(cast: Cast, example: Example, verb: str, story: str, until: Callable[[InstanceReportV1], bool]) -> None:
    began = time.monotonic()
    revision = await cast.plane.publish(CLUSTER, example.encoded())
    cast.console.print(f"[bold]{example.name}[/] {story}")
    report = await _told(cast, example, revision, until)
    took = time.monotonic() - began
    pods = sum(component.ready for component in report.components)
    cast.console.print(f"  [green]✓[/] {verb}: revision {revision}, {pods} pods ready, told after {took:.1f} s")


async def _told(
    cast: Cast, example: Example, revision: int, until: Callable[[InstanceReportV1], bool]
) -> InstanceReportV1:
    return await cast.plane.wait_status(
        CLUSTER,
        example.id,
        until=lambda report: report.revision == revision and until(report),
        seconds=cast.patience_seconds,
    )


async def _follow(plane: ControlPlane, board: Board) -> None:
    never = asyncio.Event()
    while True:
        board.told = await plane.statuses(CLUSTER)
        try:
            async with asyncio.timeout(_REFRESH_SECONDS):
                await never.wait()
        except TimeoutError:
            continue


async def _make_namespace(scene: Scene) -> None:
    client = KubeClient(await connect(scene.kubeconfig))
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": _NAMESPACE}}
    try:
        await client.send(Request("create", "POST", "/api/v1/namespaces", body=namespace))
    except Conflict:
        return  # it exists, and the agent will say so if it cannot use it
    finally:
        await client.close()


def _settings(scene: Scene, plane: ControlPlane, directory: Path) -> Settings:
    return Settings.model_validate(
        {
            "cluster": {"name": CLUSTER, "kubeconfig": scene.kubeconfig, "namespace": _NAMESPACE},
            "uplink": {
                "agents_url": plane.agents_url,
                "enrol_url": plane.enrol_url,
                "root_fingerprint": plane.root_fingerprint,
                "token_file": directory / "token",
            },
            "report": {"seconds": 2},
            "spool": {"directory": directory / "spool"},
            "probes": {"host": "127.0.0.1", "port": 0},
            "metrics": {"host": "127.0.0.1", "port": 0},
        }
    )


def _ready(report: InstanceReportV1) -> bool:
    return any(one.type == "Ready" and one.status == "True" for one in report.conditions)


def _asleep(report: InstanceReportV1) -> bool:
    return report.state == "hibernated" and _still(report)


def _gone(report: InstanceReportV1) -> bool:
    return report.state == "deleted" and _still(report)


def _still(report: InstanceReportV1) -> bool:
    return any(one.type == "Progressing" and one.status == "False" for one in report.conditions)
