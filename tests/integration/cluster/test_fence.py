"""The fence before every write: what it stops, what it lets pass, and that a write stopped late sends not one byte."""

from __future__ import annotations

import asyncio
import ssl

import pytest
from kubernetes_asyncio.client import Configuration

from agent.cluster.client import KubeClient, Request
from agent.cluster.connection import Connection
from agent.cluster.fence import is_write
from agent.model.errors import NotLeading

SECRETS = "/api/v1/namespaces/perigee-system/secrets"
ANSWER = b'{"kind": "Secret", "metadata": {"name": "a"}}'


class Gate:
    """A fence that lets so many checks pass and is closed from then on."""

    def __init__(self, passes: int) -> None:
        self.left = passes

    def check(self) -> None:
        self.left -= 1
        if self.left < 0:
            raise NotLeading("closed")


class Ear:
    """A server that writes down every byte and answers each request alike."""

    def __init__(self) -> None:
        self.heard = b""
        self.connections = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        while piece := await reader.read(65536):
            self.heard += piece
            head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(ANSWER)}\r\n\r\n"
            writer.write(head.encode() + ANSWER)
        writer.close()


@pytest.fixture
def ear() -> Ear:
    return Ear()


async def sent(ear: Ear, gate: Gate, *requests: Request) -> list[Exception | None]:
    """Send one request after the other through the gate; what each came to."""
    server = await asyncio.start_server(ear.serve, "127.0.0.1", 0)
    configuration = Configuration()
    configuration.host = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    client = KubeClient(Connection(configuration, ssl.create_default_context()), fence=gate)
    outcomes: list[Exception | None] = []
    try:
        for request in requests:
            try:
                await client.send(request)
            except NotLeading as error:
                outcomes.append(error)
            else:
                outcomes.append(None)
    finally:
        await client.close()
        server.close()
        await server.wait_closed()
    return outcomes


WRITES = [
    Request("create", "POST", SECRETS, body={"a": 1}),
    Request("update", "PUT", f"{SECRETS}/a", body={"a": 1}),
    Request("apply", "PATCH", f"{SECRETS}/a", {"force": "false"}, {"a": 1}, "application/apply-patch+yaml"),
    Request("delete", "DELETE", f"{SECRETS}/a", body={"kind": "DeleteOptions"}),
    Request("delete", "DELETE", f"{SECRETS}/a"),
]


@pytest.mark.parametrize(
    "write", WRITES, ids=lambda write: f"{write.method}-{'with' if write.body else 'without'}-body"
)
async def test_a_write_is_stopped_before_it_begins_and_at_its_last_moment(ear: Ear, write: Request) -> None:
    [early] = await sent(ear, Gate(0), write)
    assert isinstance(early, NotLeading)
    assert ear.connections == 0
    [late] = await sent(ear, Gate(1), write)
    assert isinstance(late, NotLeading)
    assert (ear.connections, ear.heard) == (1, b"")
    [none] = await sent(ear, Gate(2), write)
    assert none is None
    assert ear.heard.startswith(f"{write.method} {write.path}".encode())


async def test_a_connection_over_which_a_write_was_stopped_late_is_not_used_again(ear: Ear) -> None:
    read = Request("get", "GET", f"{SECRETS}/a")
    first, stopped, second = await sent(ear, Gate(1), read, WRITES[0], read)
    assert (first, second) == (None, None)
    assert isinstance(stopped, NotLeading)
    assert ear.heard.count(b" HTTP/1.1\r\n") == ear.heard.count(b"GET ") == 2


@pytest.mark.parametrize(
    ("method", "path", "dry_run", "fenced"),
    [
        ("GET", SECRETS, "", False),
        ("POST", SECRETS, "", True),
        ("PATCH", SECRETS, "All", False),
        ("PUT", "/apis/coordination.k8s.io/v1/namespaces/a/leases/perigee-agent", "", False),
        ("POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", "", False),
        ("POST", "/apis/authentication.k8s.io/v1/tokenreviews", "", False),
        ("POST", "/apis/rbac.authorization.k8s.io/v1/namespaces/a/rolebindings", "", True),
        ("DELETE", "/apis/apps/v1/namespaces/a/deployments/b", "", True),
        ("PATCH", "/apis/apps/v1/namespaces/a/deployments/b/scale", "", True),
    ],
)
def test_what_counts_as_a_write(method: str, path: str, dry_run: str, fenced: bool) -> None:
    assert is_write(method, path, dry_run=dry_run) is fenced
