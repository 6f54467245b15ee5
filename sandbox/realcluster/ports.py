"""A TCP port that stays ours from the moment it is chosen.

Here: the reservation. Asking for a free port, closing it and hoping is how two test runs end up on one port.
"""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator


@contextlib.contextmanager
def reserved_port() -> Iterator[int]:
    """A free port, held by a bound socket that never listens.

    A program that binds with SO_REUSEPORT, as the same user, may still serve on it; everybody else is refused, and
    the kernel gives it to nobody who asks for any free port (socket(7)).
    """
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as holder:
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        holder.bind(("0.0.0.0", 0))  # noqa: S104 - nothing listens here
        yield holder.getsockname()[1]
