"""The folder of one running test cluster: its files, by name, and the lock that says whether its owner is still alive.

Here: paths, making and removing the folder, sweeping those whose owner died. Not here: what is written into the files.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

PREFIX = "perigee-cluster-"
UNLOCKED_PREFIX = f".new-{PREFIX}"
LOCK = "owner.lock"


@dataclass(frozen=True, slots=True)
class Workspace:
    """The files of one cluster. Everything that it writes lies under `home`."""

    home: Path

    @property
    def logs(self) -> Path:
        """One file for each program."""
        return self.home / "log"

    @property
    def pki(self) -> Path:
        """Keys and certificates."""
        return self.home / "pki"

    @property
    def etcd(self) -> Path:
        """The data of etcd."""
        return self.home / "etcd"

    @property
    def volumes(self) -> Path:
        """What persistent volumes of a real node hold."""
        return self.home / "volumes"

    @property
    def audit_log(self) -> Path:
        """JSON lines of audit events."""
        return self.home / "audit.jsonl"

    def kubeconfig(self, user: str) -> Path:
        """Where the kubeconfig of one user lies."""
        return self.home / "kubeconfigs" / f"{user.replace(':', '-').replace('/', '-')}.yaml"

    def make_folders(self) -> None:
        """Create what the programs expect to be there."""
        for folder in (self.logs, self.pki, self.etcd, self.volumes, self.home / "kubeconfigs"):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)


@asynccontextmanager
async def owned_workspace(name: str) -> AsyncIterator[Workspace]:
    """A fresh folder under the temporary one, removed at the end; those left by dead owners are removed first.

    The path stays short: etcd listens on a Unix socket in it, and those paths end at 107 bytes.
    """
    workspace, lock = await asyncio.to_thread(_create, name)
    try:
        yield workspace
    finally:
        await asyncio.to_thread(shutil.rmtree, workspace.home)
        lock.close()


def _create(name: str) -> tuple[Workspace, IO[str]]:
    root = Path(tempfile.gettempdir())
    sweep(root)
    # Under another name until the lock is held: whoever sweeps meanwhile must not take it for abandoned.
    unlocked = Path(tempfile.mkdtemp(prefix=UNLOCKED_PREFIX, dir=root))
    lock = (unlocked / LOCK).open("w")
    fcntl.flock(lock, fcntl.LOCK_EX)
    workspace = Workspace(unlocked.rename(root / f"{PREFIX}{name}-{unlocked.name.removeprefix(UNLOCKED_PREFIX)}"))
    workspace.make_folders()
    return workspace, lock


def sweep(root: Path) -> list[Path]:
    """Remove the folders whose owner is dead: it no longer holds their lock. Gives what was removed."""
    return [home for home in root.glob(f"{PREFIX}*") if _abandoned(home) and _removed(home)]


def _abandoned(home: Path) -> bool:
    try:
        descriptor = os.open(home / LOCK, os.O_RDWR)
    except OSError:
        # Just being removed by its owner, or another user's: not ours to judge.
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(descriptor)
    return True


def _removed(home: Path) -> bool:
    shutil.rmtree(home, ignore_errors=True)
    return not home.exists()
