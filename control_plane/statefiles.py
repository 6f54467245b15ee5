"""Files of the state directory: private ones are never readable by others, not even for a moment. Blocking."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from control_plane.faults import Fault

PRIVATE = 0o600
PUBLIC = 0o644


class DirectoryTaken(Fault):
    """Another control plane serves this directory."""

    status = 503


def prepare(directory: Path) -> None:
    """Make the directory, closed to others; one that is there is closed too."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    directory.chmod(0o700)


def write(path: Path, content: bytes, *, mode: int = PRIVATE) -> None:
    """Write a file whole or not at all, with its mode from the first moment on."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    handle = os.open(draft, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, mode)
    try:
        os.fchmod(handle, mode)
        with os.fdopen(handle, "wb", closefd=False) as stream:
            stream.write(content)
        os.fsync(handle)
    finally:
        os.close(handle)
    draft.replace(path)


def claim(path: Path) -> None:
    """See that a file is there and private, whatever is in it: for what another library will write."""
    os.close(os.open(path, os.O_CREAT | os.O_RDWR, PRIVATE))
    path.chmod(PRIVATE)


@contextmanager
def held(directory: Path) -> Iterator[None]:
    """Hold the directory against a second server: neither would wake the other's agents.

    Raises DirectoryTaken if somebody holds it.
    """
    handle = os.open(directory / ".lock", os.O_CREAT | os.O_RDWR, PRIVATE)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise DirectoryTaken(
                "DirectoryTaken",
                f"another control plane already serves {directory}",
                hint="stop it, or name another --directory",
            ) from None
        yield
    finally:
        os.close(handle)
