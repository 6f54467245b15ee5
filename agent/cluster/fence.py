"""The fence around writes: no request that changes something begins after the lease is over, down to its last moment.

Here: which requests count as writes, and a body that asks the fence once more when it is handed to the transport.
Between the decision to write and that moment lie connecting, TLS and whatever else the process waited for: a process
that was stopped there, and goes on after another replica took over, sends nothing. Not here: how long a lease lasts.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from aiohttp.abc import AbstractStreamWriter
from aiohttp.payload import BytesPayload

from agent.model.errors import NotLeading, Unreachable
from agent.ports import Fence

_READS = frozenset({"GET", "HEAD", "OPTIONS"})
# A lease is what competitors write, and reviews are questions, although they are asked by POST.
_FREE = ("/apis/coordination.k8s.io/", "/apis/authorization.k8s.io/", "/apis/authentication.k8s.io/")


class NoFence:
    """For who writes because a person told him to, under no lease."""

    def check(self) -> None:
        """Let everything pass."""


def is_write(method: str, path: str, *, dry_run: str) -> bool:
    """Whether a request changes something that only one replica may change."""
    return method not in _READS and dry_run != "All" and not path.startswith(_FREE)


class FencedBody(BytesPayload):
    """A body that is not sent once the fence is closed. aiohttp holds the headers back until the body is written, so
    that the server sees nothing of such a request.
    """

    def __init__(self, body: bytes, fence: Fence) -> None:
        super().__init__(body)
        self._fence = fence
        self.refused: NotLeading | None = None
        """Why it was not sent; aiohttp wraps what is raised in here into an error of its own."""

    async def write_with_length(self, writer: AbstractStreamWriter, content_length: int | None) -> None:
        """Write the body if that is still allowed; nothing is awaited between the two."""
        try:
            self._fence.check()
        except NotLeading as error:
            self.refused = error
            raise
        await super().write_with_length(writer, content_length)


@contextmanager
def fence_faults(body: FencedBody | None) -> Iterator[None]:
    """Tell that the fence held a request back, where it looks as if the network had failed."""
    try:
        yield
    except Unreachable:
        if body is not None and body.refused is not None:
            raise body.refused from None
        raise
