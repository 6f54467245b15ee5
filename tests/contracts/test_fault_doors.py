"""Faults before there is a request: a port that refuses, one that never speaks, connections that break."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import aiohttp
import pytest

from sandbox.faults import FaultyCluster
from tests.support.faults import Ended, listening
from tests.support.kube import Kube, connected
from tests.support.objects import Objects, config_map

FIRST = config_map("first")
CLIENT_HELLO = b"\x16\x03\x01"


@pytest.fixture
async def kube(any_faulty_cluster: FaultyCluster) -> AsyncIterator[Kube]:
    """A raw client of the cluster of this turn, through its faults."""
    async with connected(any_faulty_cluster.kubeconfig) as client:
        yield client


@pytest.fixture
async def objects(kube: Kube, any_faulty_namespace: str) -> Objects:
    """The objects of a namespace of this test alone, the first of which is there."""
    found = Objects(kube, any_faulty_namespace)
    await found.create(FIRST, "ann")
    return found


async def broken_watch(objects: Objects, cluster: FaultyCluster) -> None:
    """Fails, unless a watch that is open breaks at once when all connections do."""
    params = {"fieldSelector": "metadata.name=first"}
    async with listening(objects.kube, objects.collection(FIRST), params) as heard:
        await heard.until(1)
        assert cluster.door.drop() > 0
        assert await heard.end() is Ended.BROKEN


async def test_every_connection_breaks_and_new_ones_come(objects: Objects, any_faulty_cluster: FaultyCluster) -> None:
    await broken_watch(objects, any_faulty_cluster)
    assert (await objects.get(FIRST))["metadata"]["name"] == "first"


async def test_a_port_refuses_for_a_while(objects: Objects, any_faulty_cluster: FaultyCluster) -> None:
    address = any_faulty_cluster.server
    async with any_faulty_cluster.door.refusing():
        with pytest.raises(aiohttp.ClientConnectorError):
            await objects.get(FIRST)
    assert any_faulty_cluster.server == address
    assert (await objects.get(FIRST))["metadata"]["name"] == "first"


async def test_a_port_takes_connections_and_never_speaks(objects: Objects, any_faulty_cluster: FaultyCluster) -> None:
    host, port = any_faulty_cluster.server.removeprefix("https://").split(":")
    async with asyncio.TaskGroup() as group:
        async with any_faulty_cluster.door.unanswering():
            reader, writer = await asyncio.open_connection(host, int(port))
            writer.write(CLIENT_HELLO)
            await writer.drain()
            answer = group.create_task(told(reader))
            done, _ = await asyncio.wait({answer}, timeout=0.1)
            assert not done
        assert await answer == "broken"
        writer.close()
    assert (await objects.get(FIRST))["metadata"]["name"] == "first"


async def told(reader: asyncio.StreamReader) -> bytes | str:
    """What comes of a connection."""
    try:
        return await reader.read()
    except ConnectionResetError:
        return "broken"
