"""Private stays private: marked values in every secret field, and a search through all that is told to anybody."""

from __future__ import annotations

import asyncio
import base64
import io
import logging
import socket
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from agent.cluster.client import MERGE, Request
from agent.telemetry.records import JsonLines, TextLines
from agent.uplink.identity import Identity
from control_plane.server import ControlPlane
from sandbox.testcluster import TestCluster
from tests.support.canaries import canary, found, planted
from tests.support.journey import Facts, Journey, condition, journey, ready
from tests.support.process import run_perigee

VERSION = {"version": "3.3.2"}
OURS = (
    "airflow-keys",
    "airflow-secrets",
    "theirs",
    "unusable",
    "perigee-identity",
    "perigee-keys-",
    "perigee-checksum-key",
)
"""The Secrets that private values belong into."""
COLLECTIONS = (
    "/api/v1/{}/events",
    "/api/v1/{}/configmaps",
    "/api/v1/{}/pods",
    "/api/v1/{}/services",
    "/apis/apps/v1/{}/deployments",
    "/apis/apps/v1/{}/statefulsets",
    "/apis/batch/v1/{}/jobs",
    "/apis/coordination.k8s.io/v1/{}/leases",
)


@pytest.fixture
async def here(plane: ControlPlane, embedded_cluster: TestCluster, tmp_path: Path) -> AsyncIterator[Journey]:
    async with journey(plane, embedded_cluster, tmp_path) as begun:
        yield begun


@contextmanager
def everything_logged() -> Iterator[io.StringIO]:
    """What is logged in this process at any level by anybody, in both forms of the agent's log."""
    stream, root = io.StringIO(), logging.getLogger()
    handlers = []
    for form in (JsonLines(), TextLines()):
        handler = logging.StreamHandler(stream)
        handler.setFormatter(form)
        handlers.append(handler)
        root.addHandler(handler)
    before = root.level
    root.setLevel(logging.DEBUG)
    try:
        yield stream
    finally:
        root.setLevel(before)
        for handler in handlers:
            root.removeHandler(handler)


def free_port() -> int:
    """A port that nobody listens on at this moment."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return int(listening.getsockname()[1])


class Story:
    """One instance with canaries, and what is done to it."""

    def __init__(self, path: Journey) -> None:
        self.path = path
        self.id = str(uuid.uuid4())
        self.namespace = f"af-{self.id[:8]}"
        self.planted = {name: canary(name) for name in ("referred", "changed", "sealed", "drift", "plain", "unusable")}

    async def put(self, name: str, value: str) -> None:
        labels = {"perigee.dev/allow-instances": "any"}
        body: Any = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name, "labels": labels}}
        body["stringData"] = {"token": value}
        await self.path.client.send(
            Request("create", "POST", f"/api/v1/namespaces/{self.namespace}/secrets", body=body)
        )

    async def edit(self, which: str, body: Any) -> None:
        where = f"/api/v1/namespaces/{self.namespace}/{which}"
        await self.path.client.send(Request("patch", "PATCH", where, body=body, content_type=MERGE))

    async def stored(self, namespace: str) -> dict[str, dict[str, bytes]]:
        """Every Secret's content, by name."""
        secrets = await self.path.objects(f"/api/v1/namespaces/{namespace}/secrets")
        return {
            name: {key: base64.b64decode(value) for key, value in (item.get("data") or {}).items()}
            for name, item in secrets.items()
        }

    async def plays(self) -> dict[str, bytes]:
        """Failure, birth, change, drift and refusals; returns the canaries, found keys and all."""
        path = self.path
        await path.publish(self.id)
        await path.told(self.id, ready)
        own = await self.stored(path.namespace)
        identity = Identity.from_secret(own["perigee-identity"])
        spec = planted(self.id, path.name, identity.keys.sealing_public, sealed=self.planted["sealed"])
        spec["airflow"] |= VERSION
        await path.publish(self.id, **spec)
        await path.told(self.id, lambda told: condition(told, "SecretsResolved").reason == "SecretMissing")
        await self.put("theirs", self.planted["referred"])
        await path.told(self.id, ready)
        await self.edit("secrets/theirs", {"stringData": {"token": self.planted["changed"]}})
        drifted = base64.b64encode(self.planted["drift"].encode()).decode()
        await self.edit("secrets/airflow-secrets", {"data": {"airflow.secretEnv.REFERRED": drifted}})
        revision = await path.publish(self.id, **spec, team="another")
        await path.told(self.id, lambda told: told.revision == revision and ready(told))
        await self.refusals(spec)
        return await self.canaries()

    async def refusals(self, spec: dict[str, Any]) -> None:
        path, secret_env = self.path, spec["airflow"]["secretEnv"]
        with pytest.raises(Exception) as caught:  # noqa: PT011 - whatever it is, it must not tell
            await path.publish(self.id, airflow={**VERSION, "secretEnv": {"PLAIN": self.planted["plain"]}})
        assert self.planted["plain"] not in str(caught.value)
        moved = {**secret_env, "MOVED": secret_env["SEALED"]}
        await path.publish(self.id, airflow={**VERSION, "secretEnv": moved})
        await path.told(self.id, lambda told: condition(told, "SecretsResolved").reason == "SealedForAnotherPlace")
        await self.put("unusable", f"{self.planted['unusable']}\0")
        unusable = {**secret_env, "MOVED": {"secretRef": {"name": "unusable", "key": "token"}}}
        await path.publish(self.id, airflow={**VERSION, "secretEnv": unusable})
        await path.told(self.id, lambda told: condition(told, "SecretsResolved").reason == "SecretUnusable")

    async def canaries(self) -> dict[str, bytes]:
        """All that is private, by name: what was planted, generated keys, the identity, tokens."""
        own = await self.stored(self.path.namespace)
        private = {name: value.encode() for name, value in self.planted.items()}
        private |= {f"key {name}": value for name, value in own[f"perigee-keys-{self.id}"].items()}
        private["checksum key"] = own["perigee-checksum-key"]["key"]
        for name in ("tls.key", "sealing.key"):
            body = b"".join(own["perigee-identity"][name].splitlines()[1:-1])
            private[name] = body[16:]
        private["token"] = (await asyncio.to_thread((self.path.directory / "token").read_bytes)).strip()
        return private

    async def told_in_the_cluster(self) -> dict[str, bytes]:
        """Every object but the Secrets that private values belong into."""
        places = {}
        for namespace in (self.namespace, self.path.namespace):
            for collection in COLLECTIONS:
                where = collection.format(f"namespaces/{namespace}")
                places[where] = repr(await self.path.objects(where)).encode()
            for name, content in (await self.stored(namespace)).items():
                if not name.startswith(OURS):
                    places[f"Secret {name}"] = repr(content).encode() + b"".join(content.values())
        return places

    async def told_by_commands(self) -> dict[str, bytes]:
        at = ("--kubeconfig", str(self.path.cluster.kubeconfig), "--namespace", self.path.namespace)
        places = {}
        for command in (("status",), ("diff",), ("diff", "--quick"), ("explain", self.id)):
            for form in ((), ("--output", "json")):
                ended = await run_perigee(*command, *at, *form)
                assert ended.out
                places[" ".join((*command, *form))] = (ended.out + ended.err).encode()
        return places


def kept_on_disk(directory: Path) -> dict[str, bytes]:
    """Databases, of the control plane or of the outbox: documents, reports, audit; as bytes, whatever table it is."""
    files = (file for file in directory.rglob("*") if ".db" in file.name or ".sqlite" in file.name)
    return {str(file): file.read_bytes() for file in files}


async def pages(*ports: int) -> dict[str, bytes]:
    """What the agent serves."""
    places = {}
    async with aiohttp.ClientSession() as session:
        for port, page in zip(ports, ("metrics", "readyz"), strict=True):
            async with session.get(f"http://127.0.0.1:{port}/{page}") as response:
                places[page] = await response.read()
    return places


def stated(facts: Facts) -> dict[str, bytes]:
    return {"facts": "\n".join(repr(fact) for fact in facts.stated).encode()}


async def test_no_marked_value_is_found_in_anything_that_is_told(here: Journey, tmp_path: Path) -> None:
    story, (metrics, probes) = Story(here), (free_port(), free_port())
    with everything_logged() as logged:
        listeners: dict[str, Any] = {
            "metrics": {"host": "127.0.0.1", "port": metrics},
            "probes": {"host": "127.0.0.1", "port": probes},
        }
        async with here.agent(**listeners) as facts:
            canaries = await story.plays()
            places = await pages(metrics, probes)
        places |= stated(facts) | await story.told_in_the_cluster() | await story.told_by_commands()
    places |= {"logs": logged.getvalue().encode()}
    kept = {
        name: await asyncio.to_thread(kept_on_disk, tmp_path / name) for name in ("plane", here.directory / "spool")
    }
    assert all(kept.values())
    places |= {name: content for files in kept.values() for name, content in files.items() if content}
    assert all(places.values())
    assert len(canaries) > 12
    assert found(canaries, places) == []
    there = {f"Secret {key}": b"".join(value.values()) for key, value in (await story.stored(story.namespace)).items()}
    assert {hit.split(" in ")[0] for hit in found(canaries, there)} >= {"changed", "sealed", "key fernet-key"}
