"""What a server built on plain OpenSSL says when it turns our certificate down; asyncio's own servers say nothing."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest

from agent.model.errors import NotAuthorised
from agent.uplink.client import HttpUplink
from agent.uplink.identity import Identity
from tests.integration.uplink.plane import identity, settings
from tests.support.clock import StillClock
from tests.support.pki import EXPIRED, Authority

CA = Authority()


@contextmanager
def handshaking(context: ssl.SSLContext) -> Iterator[str]:
    """A server that does nothing but handshakes; yields its address."""
    # Under TLS 1.2 the server judges our certificate within the handshake, so that its alert always arrives; under
    # 1.3 it may be overtaken by the reset that follows it.
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    listening = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        with suppress(OSError):
            while True:
                plain, _ = listening.accept()
                with plain, suppress(OSError):
                    context.wrap_socket(plain, server_side=True).close()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield f"https://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        listening.shutdown(socket.SHUT_RDWR)
        listening.close()
        thread.join(5)


@pytest.mark.parametrize(
    ("who", "why"),
    [
        (identity(Authority("stranger"), trusts=CA), "signed by an authority that is not known there"),
        (identity(CA, validity=EXPIRED), "it has expired"),
    ],
    ids=["stranger", "expired"],
)
async def test_a_certificate_that_is_turned_down_means_not_authorised(who: Identity, why: str) -> None:
    with handshaking(CA.mutual()) as base:
        async with HttpUplink(settings(base), who, clock=StillClock()) as uplink:
            with pytest.raises(NotAuthorised, match=why):
                await uplink.poll(etag="", wait_seconds=0)
