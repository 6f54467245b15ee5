"""The whole path in one process: a control plane, an agent over mutual TLS, and a cluster."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agent.cluster.client import KubeClient, Request
from agent.cluster.connection import connect
from agent.model.errors import Missing
from agent.model.facts import Fact
from agent.ports import Clock
from agent.settings import Settings
from agent.wire.reports import ConditionV1, InstanceReportV1
from agent.wiring import serve
from control_plane.server import ControlPlane
from sandbox.testcluster import TestCluster
from tests.support.builders import document_bytes
from tests.support.rights import Granted, agent_of

USER_AGENT = "perigee-agent/"
Granting = Callable[[TestCluster, str], AbstractAsyncContextManager[Granted]]
"""What gives an agent in a namespace its rights on a cluster."""


class Facts:
    """A telemetry sink that a test can wait on."""

    def __init__(self) -> None:
        self.stated: list[Fact] = []
        self._news = asyncio.Event()

    def emit(self, fact: Fact) -> None:
        """Keep the fact and wake who waits."""
        self.stated.append(fact)
        self._news.set()

    async def wait(self, matches: Callable[[Fact], bool], *, seconds: float = 60) -> Fact:
        """The first fact that matches, stated already or to come."""
        async with asyncio.timeout(seconds):
            while True:
                for fact in self.stated:
                    if matches(fact):
                        return fact
                self._news.clear()
                await self._news.wait()


@dataclass(slots=True)
class Journey:
    """One control plane, one cluster, one agent's namespace; instances have names of this journey's own.

    The agent works as its own account, the test looks on as the administrator (``client``).
    """

    plane: ControlPlane
    cluster: TestCluster
    client: KubeClient
    directory: Path
    name: str
    granted: Granted

    @property
    def namespace(self) -> str:
        """The agent's own namespace."""
        return f"perigee-{self.name}"

    def settings(self, **changes: Any) -> Settings:
        """The agent's settings; keywords replace whole branches' fields, as in ``uplink={"token_file": …}``."""
        branches: dict[str, Any] = {
            "cluster": {
                "name": self.name,
                "kubeconfig": self.granted.kubeconfig,
                "namespace": self.namespace,
                "service_account": self.granted.account,
            },
            "uplink": {
                "agents_url": self.plane.agents_url,
                "enrol_url": self.plane.enrol_url,
                "root_fingerprint": self.plane.root_fingerprint,
                "token_file": self.directory / "token",
                "poll_wait_seconds": 10,
            },
            "reconcile": {"backoff": {"min_seconds": 0.1, "max_seconds": 1}},
            "report": {"seconds": 1},
            "spool": {"directory": self.directory / "spool"},
            "probes": {"host": "127.0.0.1", "port": 0},
            "metrics": {"host": "127.0.0.1", "port": 0},
            "daemon": {"grace_seconds": 5},
        }
        for branch, fields in changes.items():
            branches[branch] = {**branches.get(branch, {}), **fields}
        return Settings.model_validate(branches)

    @asynccontextmanager
    async def agent(self, *, clock: Clock | None = None, **changes: Any) -> AsyncIterator[Facts]:
        """An agent that runs while the block does, by this clock, and ends as a SIGTERM would end it."""
        stop = asyncio.Event()
        facts = Facts()
        async with asyncio.TaskGroup() as group:
            serving = group.create_task(
                serve(self.settings(**changes), stop=stop, sinks=[facts], clock=clock), name="agent"
            )
            try:
                yield facts
            finally:
                stop.set()
            await serving

    async def publish(self, instance_id: str, **fields: Any) -> int:
        """Publish a document for an instance of this journey; returns its revision."""
        short = instance_id[:8]
        fields.setdefault("name", f"airflow-{short}")
        fields.setdefault("namespace", f"af-{short}")
        return await self.plane.publish(self.name, document_bytes(instance_id, **fields))

    async def told(
        self, instance_id: str, until: Callable[[InstanceReportV1], bool], *, seconds: float = 60
    ) -> InstanceReportV1:
        """The first status that the control plane was told and that ``until`` accepts."""
        return await self.plane.wait_status(self.name, instance_id, until=until, seconds=seconds)

    async def objects(self, path: str) -> dict[str, Mapping[str, Any]]:
        """What the API server lists there, by name."""
        listed = await self.client.send(Request("list", "GET", path))
        return {item["metadata"]["name"]: item for item in listed["items"]}

    async def exists(self, path: str) -> bool:
        """Whether the API server has that object."""
        try:
            await self.client.send(Request("get", "GET", path))
        except Missing:
            return False
        return True


@asynccontextmanager
async def journey(
    plane: ControlPlane, cluster: TestCluster, directory: Path, *, granting: Granting = agent_of
) -> AsyncIterator[Journey]:
    """A journey with a namespace for its agent, the rights of the role file or others, and a token to enrol with."""
    name = f"j{uuid.uuid4().hex[:8]}"
    client = KubeClient(await connect(cluster.kubeconfig))
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": f"perigee-{name}"}}
    try:
        await client.send(Request("create", "POST", "/api/v1/namespaces", body=namespace))
        async with granting(cluster, f"perigee-{name}") as granted:
            (directory / "token").write_text(await plane.create_token(name))
            yield Journey(plane, cluster, client, directory, name, granted)
        await client.send(Request("delete", "DELETE", f"/api/v1/namespaces/perigee-{name}"))
    finally:
        await client.close()


def condition(report: InstanceReportV1, name: str) -> ConditionV1:
    """A condition of a status by its type."""
    return next(one for one in report.conditions if one.type == name)


def ready(report: InstanceReportV1) -> bool:
    """Whether the instance is ready."""
    return condition(report, "Ready").status == "True"


def settled(reason: str) -> Callable[[InstanceReportV1], bool]:
    """Whether the instance is not ready for this reason, and nothing is left to do."""
    return lambda report: (
        condition(report, "Ready").reason == reason and condition(report, "Progressing").status == "False"
    )


def as_json(report: InstanceReportV1) -> str:
    """A status for messages."""
    return json.dumps(report.model_dump(mode="json"), indent=1)
