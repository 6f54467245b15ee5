"""The desired state of one Airflow, parsed and checked once at the border; every knob here has an effect."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from typing import Final, TypeAlias
from zoneinfo import ZoneInfo


class State(StrEnum):
    """What an instance shall be."""

    RUNNING = "running"
    HIBERNATED = "hibernated"
    DELETED = "deleted"


class Retain(StrEnum):
    """What outlives a tombstone unless the document says otherwise."""

    DATABASE = "database"
    VOLUMES = "volumes"
    LOGS = "logs"
    KEYS = "keys"


class Environment(StrEnum):
    """What the instance is for."""

    DEV = "dev"
    TEST = "test"
    PROD = "prod"


ADOPTABLE: Final = frozenset(
    {
        "ConfigMap",
        "Deployment",
        "Job",
        "LimitRange",
        "Namespace",
        "NetworkPolicy",
        "PodDisruptionBudget",
        "ResourceQuota",
        "RoleBinding",
        "Service",
        "ServiceAccount",
        "StatefulSet",
    }
)
"""The kinds that an instance consists of, hence those of which an object can be there before it."""


@dataclass(frozen=True, slots=True, order=True)
class Adoptee:
    """An object in the instance's namespace, or the namespace, that exists already and may be taken over."""

    kind: str
    name: str


class Scaling(StrEnum):
    """To whom the number of a workload's replicas belongs."""

    DOCUMENT = "document"
    EXTERNAL = "external"


@dataclass(frozen=True, slots=True)
class Resources:
    """Requests and limits of one container, in Kubernetes' quantities, by resource name."""

    requests: Mapping[str, str] = field(default_factory=dict)
    limits: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Component:
    """One of Airflow's always-on processes. Where ``scaling`` is external, ``replicas`` is what it starts with."""

    replicas: int
    resources: Resources
    scaling: Scaling = Scaling.DOCUMENT


@dataclass(frozen=True, slots=True)
class WorkerQueue:
    """A set of Celery workers that consume one named queue; ``concurrency`` is the number of tasks per worker."""

    name: str
    replicas: int
    concurrency: int
    resources: Resources
    scaling: Scaling = Scaling.DOCUMENT


@dataclass(frozen=True, slots=True)
class EmbeddedService:
    """A PostgreSQL or Redis of the instance's own. ``uid`` is the user of the image, ``storage`` the volume's size."""

    image: str
    uid: int
    storage: str
    storage_class: str | None
    resources: Resources


@dataclass(frozen=True, slots=True)
class SecretRef:
    """A value in a Secret of the cluster; ``namespace`` empty: the instance's own."""

    name: str
    key: str
    namespace: str = ""


@dataclass(frozen=True, slots=True)
class Sealed:
    """A value sealed to the key of this cluster's agent, for one field of one instance."""

    text: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Generate:
    """A value to be made in the cluster, once. ``length`` None: what is usual for the form."""

    form: str
    length: int | None = None


SecretValue: TypeAlias = SecretRef | Sealed | Generate


@dataclass(frozen=True, slots=True)
class Airflow:
    """Which Airflow runs and how it is configured: ``config`` by section and key, ``env`` by variable.

    ``secret_env``: variables whose values are in no document.
    """

    version: str
    image: str
    pull_policy: str
    pull_secrets: tuple[str, ...]
    config: Mapping[str, Mapping[str, str]]
    env: Mapping[str, str]
    secret_env: Mapping[str, SecretValue] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Isolation:
    """The fence around the namespace. ``quota`` None: computed from the components."""

    quota: Mapping[str, str] | None
    network_policies: bool


@dataclass(frozen=True, slots=True)
class Window:
    """A maintenance window: opens by a schedule of cron in its zone, and stays open for the duration.

    It holds the zone's rules and not its name: they come from files, which are read where documents are, so that asking
    for the time of a place cannot fail later.
    """

    schedule: str
    duration: timedelta
    zone: ZoneInfo


@dataclass(frozen=True, slots=True)
class Instance:
    """One Airflow as the control plane wants it. ``id`` is a UUID that is never used again."""

    id: str
    name: str
    labels: Mapping[str, str]
    state: State
    retain: frozenset[Retain]
    paused: bool
    namespace: str
    environment: Environment
    team: str
    isolation: Isolation
    airflow: Airflow
    api_server: Component
    scheduler: Component
    dag_processor: Component
    triggerer: Component
    workers: tuple[WorkerQueue, ...]
    dags_path: str
    database: EmbeddedService
    broker: EmbeddedService
    adopt: frozenset[Adoptee] = frozenset()
    maintenance: tuple[Window, ...] = ()
