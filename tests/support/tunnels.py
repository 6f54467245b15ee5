"""Networks that misbehave: a proxy of a few lines for what a genuine one does not do, and a line that can go dead."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

Accept = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@dataclass
class Line:
    """Bytes passed between two ends. ``frozen``: connections on which what comes is swallowed, without a word."""

    port: int = 0
    connections: int = 0
    heads: list[bytes] = field(default_factory=list)
    frozen: set[int] = field(default_factory=set)

    def freeze(self) -> None:
        """From now on no byte gets through on the connections that exist; later ones are well."""
        self.frozen = set(range(self.connections + 1))

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"


@asynccontextmanager
async def relay(target: int) -> AsyncIterator[Line]:
    """A line to a port of this machine."""
    line = Line()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await _joined(line, reader, writer, await asyncio.open_connection("127.0.0.1", target))

    async with _serving(line, accept, None):
        yield line


@asynccontextmanager
async def connect_proxy(
    *,
    tls: ssl.SSLContext | None = None,
    answer: bytes = b"HTTP/1.1 200 OK\r\n\r\n",
    opens: ssl.SSLContext | None = None,
) -> AsyncIterator[Line]:
    """A proxy that makes tunnels and says ``answer`` to who asks; it speaks TLS itself if ``tls`` is given.

    ``opens``: it shows this certificate in the place of the server behind the tunnel, and answers 200 to what it reads.
    """
    line = Line()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        line.heads.append(head)
        writer.write(answer)
        await writer.drain()
        if b" 200 " not in answer.partition(b"\r\n")[0]:
            writer.close()
            return
        if opens is not None:
            await _opened(line, writer, reader, opens)
            return
        host, _, port = head.split(b" ", 2)[1].decode().rpartition(":")
        await _joined(line, reader, writer, await asyncio.open_connection(host.strip("[]"), int(port)))

    async with _serving(line, accept, tls):
        yield line


async def _opened(
    line: Line, writer: asyncio.StreamWriter, reader: asyncio.StreamReader, context: ssl.SSLContext
) -> None:
    await writer.start_tls(context)
    line.heads.append(await reader.readuntil(b"\r\n\r\n"))
    writer.write(b"HTTP/1.1 304 Not Modified\r\n\r\n")
    await writer.drain()


@asynccontextmanager
async def _serving(line: Line, accept: Accept, tls: ssl.SSLContext | None) -> AsyncIterator[None]:
    running: set[asyncio.Task[None]] = set()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        running.add(task)
        with suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            await accept(reader, writer)
        writer.transport.abort()

    server = await asyncio.start_server(connected, "127.0.0.1", 0, ssl=tls)
    line.port = server.sockets[0].getsockname()[1]
    try:
        yield
    finally:
        server.close()
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        await server.wait_closed()


async def _joined(
    line: Line,
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    behind: tuple[asyncio.StreamReader, asyncio.StreamWriter],
) -> None:
    line.connections += 1
    number = line.connections
    there, back = behind
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(_pass(line, number, reader, back))
            group.create_task(_pass(line, number, there, writer))
    finally:
        back.transport.abort()


async def _pass(line: Line, number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while chunk := await reader.read(65536):
            if number not in line.frozen:
                writer.write(chunk)
                await writer.drain()
        writer.close()
