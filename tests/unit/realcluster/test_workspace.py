"""The folder of a cluster lives as long as its owner, and a dead owner's folder is swept."""

from __future__ import annotations

import asyncio
import fcntl
import os
from pathlib import Path

import pytest

from sandbox.realcluster.workspace import LOCK, PREFIX, owned_workspace, sweep


@pytest.fixture(autouse=True)
def temporary_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return tmp_path


async def test_it_is_there_while_it_is_used_and_gone_afterwards(temporary_folder: Path) -> None:
    async with owned_workspace("mine") as workspace:
        assert workspace.home.name.startswith(f"{PREFIX}mine-")
        assert workspace.logs.is_dir()
        assert workspace.kubeconfig("system:node:a/b").name == "system-node-a-b.yaml"
    assert await asyncio.to_thread(os.listdir, temporary_folder) == []


async def test_a_failure_inside_removes_it_too(temporary_folder: Path) -> None:
    with pytest.raises(LookupError):
        async with owned_workspace("mine"):
            raise LookupError
    assert await asyncio.to_thread(os.listdir, temporary_folder) == []


async def test_the_folder_of_a_living_owner_is_left_alone(temporary_folder: Path) -> None:
    async with owned_workspace("mine") as workspace:
        assert await asyncio.to_thread(sweep, temporary_folder) == []
        assert workspace.home.exists()


def test_the_folder_of_a_dead_owner_is_swept(temporary_folder: Path) -> None:
    home = temporary_folder / f"{PREFIX}orphan"
    (home / "etcd").mkdir(parents=True)
    with (home / LOCK).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
    # Closed: that is how a lock ends when its process is killed.
    assert sweep(temporary_folder) == [home]
    assert not home.exists()


def test_folders_that_are_not_ours_are_left_alone(temporary_folder: Path) -> None:
    (temporary_folder / f"{PREFIX}without-lock").mkdir()
    (temporary_folder / "other").mkdir()
    assert sweep(temporary_folder) == []
