"""Files that settings name: read whole within a bound, and TLS contexts that follow the files they are made from.

Files in a pod change under a running process: Kubernetes exchanges the content of a mounted Secret or ConfigMap when
the object changes. They are small, so they are read each time, which is certain where comparing times is not.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Final

from agent.model.errors import Misconfigured

_LARGEST_FILE_BYTES: Final = 512 * 1024
"""The bundle of all public CAs has half of it."""


def content_of(file: Path, *, what: str, hint: str = "") -> bytes:
    """The bytes of the file that the setting ``what`` names; raises Misconfigured if it cannot be read."""
    try:
        with file.open("rb") as opened:
            return opened.read(_LARGEST_FILE_BYTES)
    except OSError as error:
        why = f"{what} {file} cannot be read: {error.strerror}"
        raise Misconfigured(why, hint=hint or "name a readable file") from None


class FreshContext:
    """A TLS context that is made anew when the file it depends on has changed, or when it is told to."""

    def __init__(self, make: Callable[[bytes], ssl.SSLContext], file: Path | None, *, what: str) -> None:
        self._make = make
        self._file = file
        self._what = what
        self._made: tuple[bytes, ssl.SSLContext] | None = None
        self._making = asyncio.Lock()
        self._turn = 0

    def expire(self) -> None:
        """What the context is made of has changed: the next one is made anew, also where one is being made just now."""
        self._turn += 1
        self._made = None

    async def current(self) -> ssl.SSLContext:
        """The context for the file as it is now. Raises Misconfigured if it cannot be read or holds no certificate."""
        async with self._making:
            content = b""
            if self._file is not None:
                content = await asyncio.to_thread(content_of, self._file, what=self._what)
            made = self._made
            while made is None or made[0] != content:
                turn = self._turn
                made = content, await asyncio.to_thread(self._make, content)  # it may write a key to memory
                if turn == self._turn:
                    self._made = made
                else:
                    made = None
            return made[1]
