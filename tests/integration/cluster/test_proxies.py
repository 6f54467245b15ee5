"""The way to the API server never leads through a proxy for the control plane; a kubeconfig may name one of its own."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
import yaml

from agent.cluster.client import KubeClient, Request
from agent.cluster.connection import connect
from agent.model.errors import Unreachable
from sandbox.testcluster import TestCluster
from tests.support.tinyproxy import Tinyproxy, tinyproxy

READ = Request("get", "GET", "/api/v1/namespaces/default")
VARIABLES = ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy")


async def seen_by(kubeconfig: Path) -> str:
    client = KubeClient(await connect(kubeconfig))
    try:
        answer = await client.send(READ)
        async for event in client.watch("/api/v1/namespaces", {"resourceVersion": "0"}):
            assert event["object"]["metadata"]["name"]
            break
        return str(answer["metadata"]["name"])
    finally:
        await client.close()


def in_the_environment(proxy: Tinyproxy, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.setenv(name, proxy.url)
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)


async def test_a_proxy_in_the_environment_that_denies_the_api_server_is_never_asked(
    embedded_cluster: TestCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with tinyproxy(tmp_path, connect_ports=(9,)) as proxy:
        in_the_environment(proxy, monkeypatch)
        assert await seen_by(embedded_cluster.kubeconfig) == "default"
    assert not [line for line in proxy.log if "Request" in line]


async def through(kubeconfig: Path, proxy: Tinyproxy, folder: Path) -> Path:
    """The same way, by a proxy that the kubeconfig names."""
    file = folder / "kubeconfig"
    content = yaml.safe_load(await asyncio.to_thread(kubeconfig.read_text))
    for cluster in content["clusters"]:
        cluster["cluster"]["proxy-url"] = proxy.url
    await asyncio.to_thread(file.write_text, yaml.safe_dump(content))
    return file


async def test_a_proxy_that_the_kubeconfig_names_is_used(embedded_cluster: TestCluster, tmp_path: Path) -> None:
    async with tinyproxy(tmp_path) as proxy:
        assert await seen_by(await through(embedded_cluster.kubeconfig, proxy, tmp_path)) == "default"
    assert [line for line in proxy.log if "Request" in line]


async def test_where_that_one_denies_the_api_server_the_cluster_is_unreachable_and_no_way_around_is_taken(
    embedded_cluster: TestCluster, tmp_path: Path
) -> None:
    async with tinyproxy(tmp_path, connect_ports=(9,)) as proxy:
        with pytest.raises(Unreachable):
            await seen_by(await through(embedded_cluster.kubeconfig, proxy, tmp_path))
