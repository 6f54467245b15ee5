"""The three listeners' sockets and TLS. Agents must show a certificate; the others ask for none and ignore any.

The keys behind the listeners may change while they listen: each handshake takes the TLS context of its moment, and
connections that stand are left alone.
"""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from aiohttp import web

from control_plane.services.assembly import Services
from control_plane.state import Paths
from control_plane.web.admin.listener import AdminCalls
from control_plane.web.agents import AgentCalls
from control_plane.web.enrol import EnrolCalls

_GRACE_SECONDS = 5.0
"""How long calls in progress may take to end when the control plane stops; waiting polls are let go at once."""
_SUITES_OF_TLS_1_2 = "ECDHE+AESGCM:ECDHE+CHACHA20"
"""Forward secrecy and authenticated encryption only. TLS 1.3 has no other suites, and is not asked here."""


@dataclass(frozen=True, slots=True)
class Bound:
    """The ports that are really listened on."""

    agents: int
    admin: int
    enrol: int


class Door:
    """The TLS of one listener: what is listened with stays, what a handshake uses is the newest."""

    def __init__(self, make: Callable[[], ssl.SSLContext]) -> None:
        self._make = make
        self._present = make()
        self.context = make()
        """What is listened with."""
        self.context.sni_callback = self._meet

    def renew(self) -> None:
        """Take up keys and authorities as they are now. Blocking: they are files."""
        self._present = self._make()

    def _meet(self, peer: ssl.SSLSocket | ssl.SSLObject, _name: str | None, _context: ssl.SSLContext) -> None:
        peer.context = self._present


@dataclass(frozen=True, slots=True)
class Doors:
    """The TLS of the listeners: of the agents', and of those that ask for no certificate."""

    agents: Door
    open: Door

    @classmethod
    def of(cls, paths: Paths) -> Doors:
        """Doors by the files of the state directory. Blocking."""
        return cls(Door(lambda: agents_context(paths)), Door(lambda: open_context(paths)))

    def renew(self) -> None:
        """Take up keys and authorities as they are now. Blocking."""
        self.agents.renew()
        self.open.renew()


@asynccontextmanager
async def listening(services: Services, doors: Doors) -> AsyncIterator[Bound]:
    """Listen, until the block ends; then let the polls go and end the calls in progress."""
    ports = services.settings.ports
    agents = AgentCalls(services).application()

    async def let_go(_app: web.Application) -> None:
        await services.news.close()

    agents.on_shutdown.append(let_go)
    async with AsyncExitStack() as stack:
        bind = services.settings.bind

        async def listen(app: web.Application, port: int, door: Door) -> int:
            # No access log: paths and headers may hold what must not be written down; the audit trail is ours.
            # Nothing is unpacked on the way in either: whoever takes packed bodies does it within a bound.
            runner = web.AppRunner(app, access_log=None, shutdown_timeout=_GRACE_SECONDS, auto_decompress=False)
            await runner.setup()
            stack.push_async_callback(runner.cleanup)
            await web.TCPSite(runner, bind, port, ssl_context=door.context).start()
            return int(runner.addresses[0][1])

        yield Bound(
            await listen(agents, ports.agents, doors.agents),
            await listen(AdminCalls(services).application(), ports.admin, doors.open),
            await listen(EnrolCalls(services).application(), ports.enrol, doors.open),
        )


def agents_context(paths: Paths) -> ssl.SSLContext:
    """TLS that ends before any code runs unless the peer proves to hold a certificate of one of our authorities."""
    context = open_context(paths)
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(cafile=paths.ca_certificate)
    context.num_tickets = 0  # a session that is resumed would be believed by authorities of the past
    return context


def open_context(paths: Paths) -> ssl.SSLContext:
    """TLS that shows our certificate and asks for none."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(_SUITES_OF_TLS_1_2)
    # Compression tells lengths of secrets (CRIME); a peer that may renegotiate lets us compute at his pleasure.
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION | ssl.OP_CIPHER_SERVER_PREFERENCE
    context.load_cert_chain(paths.server_chain, paths.server_key)
    return context
