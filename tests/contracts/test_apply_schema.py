"""The tables of the apply engine against the server, and the sources of the server, that they were taken from."""

import asyncio
import json
import shutil
import subprocess
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from sandbox.cluster.merge import extract, golang
from sandbox.testcluster import TestCluster
from tests.support.kube import connected

MODULES = ("api", "apimachinery", "apiextensions-apiserver")


def kept(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(files("sandbox.cluster.merge").joinpath(name).read_text())
    return found


async def test_the_table_of_kinds_is_what_the_real_server_says(real_cluster: TestCluster) -> None:
    """If this fails: python -m sandbox.cluster.merge.extract KUBECONFIG."""
    documents = await asyncio.to_thread(extract.fetched, real_cluster.kubeconfig)
    assert extract.table(documents) == kept("kinds.json")


async def test_the_table_of_types_is_what_the_sources_of_the_real_server_say(real_cluster: TestCluster) -> None:
    """If this fails: python -m sandbox.cluster.merge.golang with the folders of the modules."""
    async with connected(real_cluster.kubeconfig) as kube:
        version = (await kube.request("GET", "/version")).body["gitVersion"]
    folders = await asyncio.to_thread(module_folders, version.replace("v1.", "v0.", 1))
    found = await asyncio.to_thread(lambda: golang.table(golang.sources(folders)))
    assert golang.needed(found, kept("kinds.json")) == kept("golang.json")


def module_folders(version: str) -> list[Path]:
    """The folders of the modules that declare the types, as building a real cluster leaves them."""
    go = shutil.which("go")
    cache = subprocess.run([go, "env", "GOMODCACHE"], capture_output=True, text=True, check=True).stdout if go else "."
    folders = [Path(cache.strip()) / "k8s.io" / f"{name}@{version}" for name in MODULES]
    missing = [str(folder) for folder in folders if not folder.is_dir()]
    if missing:
        pytest.skip(f"the sources of the real server are not here: {', '.join(missing)}")
    return folders
