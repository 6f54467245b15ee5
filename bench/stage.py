"""What the measurements on one cluster share: the control plane, the instances, the watches, the agent's settings.

Here: publishing documents and asking what became of them. Not here: what is timed (``changes``, ``creation``, …).
"""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from agent.model.instance import Instance as Wanted
from agent.model.objects import Manifest, ObjectRef
from agent.rendering import KEYS_SECRET, RenderInputs, render
from agent.settings import Settings
from agent.wire.codec import read_document
from agent.wire.reports import InstanceReportV1
from bench.api import Api, opened
from bench.sight import PATIENCE_SECONDS, Sight, watching
from bench.venues import Venue
from control_plane.server import ControlPlane

COMPONENT = "airflow-api-server"
AIRFLOW = "3.3.2"
_NAMESPACE = "perigee-system"


@dataclass(slots=True)
class Instance:
    """One Airflow of this run. ``replicas``: how many API servers it was last asked to have.

    ``asleep``: it hibernates from birth, so that all its objects exist and no pod is waited for. ``title`` is what the
    document calls it, where that is not its name: every object carries it as a label, so that a new title changes all.
    """

    name: str
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    replicas: int = 1
    asleep: bool = False
    title: str = ""

    @property
    def namespace(self) -> str:
        """Its own namespace."""
        return f"af-{self.name}"

    @property
    def api_server(self) -> ObjectRef:
        """The Deployment that the measurements scale."""
        return ObjectRef("apps/v1", "Deployment", self.namespace, COMPONENT)

    def document(self) -> bytes:
        """The document as it is published."""
        spec = {
            "namespace": self.namespace,
            "airflow": {"version": AIRFLOW},
            "state": "hibernated" if self.asleep else "running",
            "components": {"apiServer": {"replicas": self.replicas}},
        }
        metadata = {"id": self.id, "name": self.title or self.name}
        body = {"apiVersion": "perigee.dev/v1", "kind": "AirflowInstance", "metadata": metadata, "spec": spec}
        return json.dumps(body).encode()

    def says(self) -> Wanted:
        """What the document says, as the agent reads it."""
        return read_document(self.document())[0]

    def manifests(self) -> tuple[Manifest, ...]:
        """What the agent makes of it, but for the Secret with generated keys."""
        return tuple(one.manifest for one in render(RenderInputs(self.says(), {})))

    def refs(self) -> frozenset[ObjectRef]:
        """Every object that the agent makes for it, but for the migration Job, whose name depends on the keys."""
        keys = ObjectRef("v1", "Secret", self.namespace, KEYS_SECRET)
        return frozenset({keys, *(ObjectRef.of(one) for one in self.manifests() if one["kind"] != "Job")})

    def toggled(self) -> int:
        """Ask for the other number of API servers, and say which."""
        self.replicas = 3 - self.replicas
        return self.replicas


@dataclass(frozen=True, slots=True)
class Stage:
    """One cluster with everything that is needed to measure on it."""

    venue: Venue
    plane: ControlPlane
    api: Api
    sight: Sight
    instances: tuple[Instance, ...]

    @property
    def cluster(self) -> str:
        """The cluster's name at the control plane."""
        return f"bench-{self.venue.name}"

    def settings(self, *, level: Literal["info", "debug"] = "info") -> Settings:
        """The agent's settings: the defaults, as a user would have them, but for addresses and ports."""
        branches: dict[str, Any] = {
            "cluster": {"name": self.cluster, "kubeconfig": self.venue.kubeconfig, "namespace": _NAMESPACE},
            "uplink": {
                "agents_url": self.plane.agents_url,
                "enrol_url": self.plane.enrol_url,
                "root_fingerprint": self.plane.root_fingerprint,
                "token_file": self.venue.directory / "token",
            },
            "probes": {"host": "127.0.0.1", "port": 0},
            "metrics": {"host": "127.0.0.1", "port": 0},
            "spool": {"directory": self.venue.directory / "spool"},
            "log": {"level": level},
        }
        return Settings.model_validate(branches)

    async def publish(self, instance: Instance) -> int:
        """Publish an instance's document; returns its revision."""
        return await self.plane.publish(self.cluster, instance.document())

    async def told(self, instance: Instance, revision: int, *, seconds: float = PATIENCE_SECONDS) -> None:
        """Wait until the control plane was told how an instance fares under this revision."""
        await self.plane.wait_status(
            self.cluster, instance.id, until=lambda told: told.revision >= revision, seconds=seconds
        )

    async def all_told(self, ids: Collection[str], *, after: datetime) -> bool:
        """Whether the control plane has a status of each of these instances that was observed after that moment."""
        told = await self.plane.statuses(self.cluster)
        return all(one in told and told[one].observed_at >= after for one in ids)

    async def told_ready(self, instance: Instance, revision: int) -> None:
        """Wait until the control plane was told that this revision is ready."""
        await self.plane.wait_status(
            self.cluster,
            instance.id,
            until=lambda told: told.revision == revision and _ready(told),
            seconds=PATIENCE_SECONDS,
        )


def _ready(report: InstanceReportV1) -> bool:
    return any(one.type == "Ready" and one.status == "True" for one in report.conditions)


@asynccontextmanager
async def staged(venue: Venue, plane: ControlPlane, *, instances: int) -> AsyncIterator[Stage]:
    """A stage with a token to enrol with and the agent's namespace; no agent runs and nothing is published yet."""
    async with opened(venue.kubeconfig) as api, watching(api) as sight:
        names = tuple(Instance(f"bench-{number}") for number in range(instances))
        stage = Stage(venue, plane, api, sight, names)
        await api.make_namespace(_NAMESPACE)
        await asyncio.to_thread((venue.directory / "token").write_text, await plane.create_token(stage.cluster))
        yield stage
