"""A genuine HTTP proxy, tinyproxy, while a block runs; a test without it is skipped, or fails under CI=true."""

from __future__ import annotations

import asyncio
import shutil
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from sandbox.realcluster import read_environment

_READY = "Accepting connections"
_START_SECONDS = 10
_MISSING = "tinyproxy is not installed: apt-get install tinyproxy"


@dataclass
class Tinyproxy:
    """A running proxy. ``log``: what it has said so far, a line for each tunnel that it was asked for."""

    port: int
    log: list[str] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def tunnels(self) -> list[str]:
        """The places to which tunnels were asked for."""
        return [line.split("): CONNECT ", 1)[1].split()[0] for line in self.log if "): CONNECT " in line]


@asynccontextmanager
async def tinyproxy(
    folder: Path, *, login: str | None = None, port: int = 0, connect_ports: tuple[int, ...] = (), idle: int = 60
) -> AsyncIterator[Tinyproxy]:
    """A proxy that wants ``login`` (``user:password``), makes tunnels to ``connect_ports`` (none given: to all) and
    cuts those on which nothing moves for ``idle`` seconds.
    """
    program = _program()
    proxy = Tinyproxy(port or _free_port())
    lines = [f"Port {proxy.port}", "Listen 127.0.0.1", f"Timeout {idle}", "MaxClients 20", "LogLevel Info"]
    lines += [f"BasicAuth {login.replace(':', ' ')}"] if login else []
    lines += [f"ConnectPort {one}" for one in connect_ports]
    config = folder / f"tinyproxy-{proxy.port}.conf"
    await asyncio.to_thread(config.write_text, "\n".join(lines) + "\n")
    process = await asyncio.create_subprocess_exec(
        program, "-d", "-c", str(config), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    assert process.stdout is not None
    ready = asyncio.Event()
    reading = asyncio.ensure_future(_keep(process.stdout, proxy.log, ready))  # noqa: TID251 - awaited below
    try:
        async with asyncio.timeout(_START_SECONDS):
            await ready.wait()
        yield proxy
    finally:
        process.terminate()
        await reading
        await process.wait()


async def _keep(said: asyncio.StreamReader, log: list[str], ready: asyncio.Event) -> None:
    while line := (await said.readline()).decode():
        log.append(line.strip())
        if _READY in line:
            ready.set()


def _program() -> str:
    environment = read_environment()
    program = shutil.which("tinyproxy", path=environment.search_path)
    if program is not None:
        return program
    if environment.strict:
        pytest.fail(f"{_MISSING} (CI=true: a suite that cannot run is a failure)", pytrace=False)
    pytest.skip(_MISSING)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port: int = taken.getsockname()[1]
        return port
