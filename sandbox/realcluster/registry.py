"""The clusters that this user left running, so that another command can find and stop them.

Here: one small file for each, in the user's cache. Not here: running them (`cluster`), the commands (`commands`).
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

from sandbox.realcluster.environment import Environment


@dataclass(frozen=True, slots=True)
class RunningCluster:
    """A cluster and the process that owns it; `started` (seconds since the epoch, as the system has it) tells that
    process from a later one of the same number.
    """

    name: str
    process: int
    started: float
    kubeconfig: str
    server: str

    @property
    def owner(self) -> psutil.Process | None:
        """The process, None when it is gone."""
        try:
            process = psutil.Process(self.process)
            return process if process.create_time() == self.started else None
        except psutil.NoSuchProcess:
            return None


def record(environment: Environment, *, name: str, kubeconfig: Path, server: str) -> None:
    """Note that this process runs a cluster."""
    process = psutil.Process()
    running = RunningCluster(name, process.pid, process.create_time(), str(kubeconfig), server)
    path = _path(environment, name)
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(f".{process.pid}")
    unfinished.write_text(json.dumps(asdict(running)), encoding="utf-8")
    unfinished.replace(path)


def forget(environment: Environment, name: str) -> None:
    """Remove the note."""
    _path(environment, name).unlink(missing_ok=True)


def find(environment: Environment, name: str) -> RunningCluster | None:
    """The running cluster of that name; a note whose process is gone counts for nothing."""
    try:
        running = RunningCluster(**json.loads(_path(environment, name).read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None
    return running if running.owner is not None else None


def _path(environment: Environment, name: str) -> Path:
    return environment.cache / "running" / f"{name}.json"
