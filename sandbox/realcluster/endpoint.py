"""Where the API server of a test cluster serves, and a TCP port that stays ours from the moment it is chosen.

Here: addresses and the reservation. Asking for a free port, closing it and hoping is how two test runs end up on one
port.
"""

from __future__ import annotations

import contextlib
import ipaddress
import socket
from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Endpoint:
    """`address` is where the API server listens and what it tells others; `port` the only TCP port that the control
    plane takes on this machine; `services` the range of Service addresses.
    """

    address: str
    port: int
    services: str = "10.96.0.0/16"

    @property
    def url(self) -> str:
        """The URL for clients."""
        return f"https://{self.address}:{self.port}"

    @property
    def service_address(self) -> str:
        """The address of the API server's own Service: the first one."""
        return str(next(ipaddress.IPv4Network(self.services).hosts()))

    @property
    def is_local(self) -> bool:
        """Whether only this machine reaches it: pods of a real node do not."""
        return ipaddress.IPv4Address(self.address).is_loopback


@contextlib.contextmanager
def reserved_port() -> Iterator[int]:
    """A free port, held by a bound socket that never listens.

    A program that binds with SO_REUSEPORT, as the same user, may still serve on it; everybody else is refused, and the
    kernel gives it to nobody who asks for any free port (socket(7)).
    """
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as holder:
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        holder.bind(("0.0.0.0", 0))  # noqa: S104 - nothing listens here
        yield holder.getsockname()[1]
