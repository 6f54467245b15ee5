"""What differs between Airflow's versions, as one table: processes, commands, ports, health checks, needs.

Here: facts about Airflow, found by running it. Not here: Kubernetes objects made of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from agent.model.errors import Refused
from agent.rendering import checks
from agent.rendering.checks import Check, Http
from agent.rendering.credentials import Need
from agent.rendering.names import Role, of

API_PORT = 8080
SCHEDULER_HEALTH_PORT = 8974
WORKER_LOG_PORT = 8793
TRIGGERER_LOG_PORT = 8794

INIT = ("dumb-init", "--")
"""Process 1: it reaps orphans of tasks and hands SIGTERM to Airflow alone (``DUMB_INIT_SETSID=0``)."""

FAB_AUTH_MANAGER = "airflow.providers.fab.auth_manager.fab_auth_manager.FabAuthManager"


@dataclass(frozen=True, slots=True)
class Process:
    """One of Airflow's always-on processes.

    ``addressed`` says that others call its pods by name (their logs), so the names must be stable and resolvable.
    ``user_code`` says that it runs tasks, which may write wherever their image lets them.
    """

    argv: tuple[str, ...]
    needs: tuple[Need, ...]
    startup: Check
    liveness: Check
    readiness: Check
    ports: Mapping[str, int] = field(default_factory=dict)
    addressed: bool = False
    user_code: bool = False
    grace_seconds: int = 60
    drain_seconds: int = 0
    memory: str = "1Gi"


@dataclass(frozen=True, slots=True)
class Release:
    """Everything that is particular to one minor version."""

    minor: str
    migrate: tuple[str, ...]
    processes: Mapping[Role, Process]
    defaults: Mapping[str, Mapping[str, str]]


_API_SERVER = Process(
    argv=("airflow", "api-server", "--port", str(API_PORT)),
    needs=(Need.METADATA, Need.ENCRYPTION, Need.TOKENS, Need.SESSIONS),
    # The Execution API starts with its first call, which takes up to nine seconds: here, and not in a task's heartbeat.
    startup=Check(Http("/execution/health", API_PORT), period=5, timeout=20, failures=120),
    liveness=Check(Http("/api/v2/version", API_PORT), period=20, timeout=15, failures=6),
    readiness=Check(checks.database_behind(API_PORT), period=15, timeout=10, failures=3),
    ports={"http": API_PORT},
    # Calls in flight arrive until every node has learnt that the pod is going.
    drain_seconds=5,
)

_SCHEDULER_HEALTH = Http("/health", SCHEDULER_HEALTH_PORT)
_SCHEDULER = Process(
    argv=("airflow", "scheduler"),
    needs=(Need.METADATA, Need.QUEUES, Need.ENCRYPTION, Need.TOKENS),
    startup=Check(_SCHEDULER_HEALTH, period=5, timeout=10, failures=120),
    liveness=Check(_SCHEDULER_HEALTH, period=30, timeout=20, failures=5),
    readiness=Check(_SCHEDULER_HEALTH, period=15, timeout=10, failures=3),
    ports={"health": SCHEDULER_HEALTH_PORT},
)

_DAG_PROCESSOR = Process(
    argv=("airflow", "dag-processor"),
    needs=(Need.METADATA, Need.ENCRYPTION),
    startup=Check(checks.heartbeat("DagProcessorJob"), period=5, timeout=15, failures=120),
    liveness=Check(checks.heartbeat("DagProcessorJob"), period=30, timeout=20, failures=6),
    readiness=Check(checks.heartbeat("DagProcessorJob"), period=15, timeout=15, failures=3),
)

_TRIGGERER = Process(
    argv=("airflow", "triggerer"),
    needs=(Need.METADATA, Need.ENCRYPTION, Need.SESSIONS),
    ports={"logs": TRIGGERER_LOG_PORT},
    addressed=True,
    startup=Check(checks.heartbeat("TriggererJob"), period=5, timeout=15, failures=120),
    liveness=Check(checks.heartbeat("TriggererJob"), period=30, timeout=20, failures=6),
    readiness=Check(checks.heartbeat("TriggererJob"), period=15, timeout=15, failures=3),
)

_WORKER = Process(
    argv=("airflow", "celery", "worker"),
    needs=(Need.QUEUES, Need.SESSIONS),
    startup=Check(checks.consumes(without_broker=False), period=5, timeout=20, failures=120),
    liveness=Check(checks.consumes(without_broker=True), period=60, timeout=30, failures=10),
    readiness=Check(checks.consumes(without_broker=False), period=30, timeout=20, failures=3),
    ports={"logs": WORKER_LOG_PORT},
    addressed=True,
    user_code=True,
    # A warm shutdown waits for running tasks; it ends with the last of them, not with the grace.
    grace_seconds=3600,
    memory="2Gi",
)

_3_3 = Release(
    minor="3.3",
    migrate=("airflow", "db", "migrate"),
    processes=MappingProxyType(
        {
            Role.API_SERVER: _API_SERVER,
            Role.SCHEDULER: _SCHEDULER,
            Role.DAG_PROCESSOR: _DAG_PROCESSOR,
            Role.TRIGGERER: _TRIGGERER,
            Role.WORKER: _WORKER,
        },
    ),
    defaults={
        "core": {
            "auth_manager": FAB_AUTH_MANAGER,
            "execution_api_server_url": f"http://{of(Role.API_SERVER)}:{API_PORT}/execution/",
            "load_examples": "False",
        },
        # A pod that is moved to another node must start even while a newer version migrates the schema.
        "database": {"check_migrations": "False"},
        "logging": {"dag_processor_log_target": "stdout"},
        "scheduler": {"enable_health_check": "True"},
    },
)

RELEASES: Mapping[str, Release] = MappingProxyType({release.minor: release for release in (_3_3,)})


def release(version: str) -> Release:
    """The facts for a version such as ``3.3.2``; raises Refused for a minor version that nobody has tried."""
    minor = ".".join(version.split(".")[:2])
    if minor not in RELEASES:
        raise Refused(
            f"Airflow {version} is not supported",
            path="spec.airflow.version",
            reason="UnsupportedVersion",
            hint=f"use one of the minor versions {', '.join(RELEASES)}",
        )
    return RELEASES[minor]
