"""The blueprint of an instance: all that its manifests are made of, with every default filled in, and nothing else.

Here: the values. The rest of rendering sees these and never the document, so what is not in here has no effect on any
manifest, and a digest of it changes exactly when manifests do. Not here: how a document becomes one (projection).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from agent.model.instance import EmbeddedService, Environment, Resources
from agent.rendering.names import Role


@dataclass(frozen=True, slots=True)
class AgentAccount:
    """The service account under which the agent itself works."""

    namespace: str
    name: str


@dataclass(frozen=True, slots=True)
class Copies:
    """How many pods a workload has: what its manifest says, and what others make of that.

    ``declared`` None: the manifest leaves the number to somebody outside. ``start`` is then the number to be born with,
    0 while the instance sleeps; None where the document decides. ``counted``: how many the computed quota has room for,
    also while the instance sleeps; 0 where the document brings a quota of its own. ``budgeted``: whether there are so
    many that they must not all be disrupted at once.
    """

    declared: int | None
    start: int | None
    counted: int
    budgeted: bool


@dataclass(frozen=True, slots=True)
class Workload:
    """One of Airflow's processes as this instance runs it; ``resources`` are complete."""

    copies: Copies
    resources: Resources


@dataclass(frozen=True, slots=True)
class Queue:
    """The workers of one queue; ``concurrency`` is the number of tasks per worker."""

    name: str
    concurrency: int
    workload: Workload


@dataclass(frozen=True, slots=True)
class SecretEntry:
    """Where the pods find a secret value: a Secret of the instance and a key in it."""

    secret: str
    key: str


@dataclass(frozen=True, slots=True)
class Software:
    """Which Airflow runs: ``settings`` by variable are the effective ones, ``env`` the document's own variables,
    ``secret_env`` those whose values only a Secret holds.

    ``accounts``: whether accounts are kept in the metadata database, so that there must be a first one.
    """

    version: str
    image: str
    pull_policy: str
    pull_secrets: tuple[str, ...]
    settings: Mapping[str, str]
    env: Mapping[str, str]
    secret_env: Mapping[str, SecretEntry]
    accounts: bool


@dataclass(frozen=True, slots=True)
class Blueprint:
    """One Airflow, ready to be drawn. ``quota`` None: computed. ``keys``: checksums of the keys that pods refer to.
    ``secrets``: of the document's secret values, by the key of the Secret. ``restarts``: the moments of the last
    ordered restarts.
    ``given``: the namespace is there already, and neither it nor the agent's rights in it are part of the instance.
    """

    id: str
    name: str
    namespace: str
    labels: Mapping[str, str]
    environment: Environment
    team: str
    awake: bool
    quota: Mapping[str, str] | None
    network_policies: bool
    airflow: Software
    components: Mapping[Role, Workload]
    queues: tuple[Queue, ...]
    database: EmbeddedService
    broker: EmbeddedService
    keys: Mapping[str, str]
    secrets: Mapping[str, str]
    account: AgentAccount | None
    restarts: Mapping[Role, str]
    given: bool
