"""What differs between Airflow's versions, as one table: processes, commands, ports, health checks, needs.

Here: facts about Airflow, found by running it. Not here: Kubernetes objects made of them.
Checks are HTTP where a process answers truthfully. Where it does not, a command runs: a call of ``airflow`` costs five
to seven seconds of processor time, so such checks are rare and patient.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from agent.model.errors import Refused
from agent.rendering.credentials import BROKER_PORT, Need
from agent.rendering.names import Role, of

API_PORT = 8080
SCHEDULER_HEALTH_PORT = 8974
WORKER_LOG_PORT = 8793
TRIGGERER_LOG_PORT = 8794

INIT = ("dumb-init", "--")
"""Process 1: it reaps orphans of tasks and hands SIGTERM to Airflow alone (``DUMB_INIT_SETSID=0``)."""

FAB_AUTH_MANAGER = "airflow.providers.fab.auth_manager.fab_auth_manager.FabAuthManager"


@dataclass(frozen=True, slots=True)
class Http:
    """Healthy if a GET answers 2xx or 3xx."""

    path: str
    port: int


@dataclass(frozen=True, slots=True)
class Command:
    """Healthy if it ends with 0."""

    argv: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Check:
    """What is asked, and how often and how patiently, in seconds and failures in a row."""

    ask: Http | Command
    period: int
    timeout: int
    failures: int


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
    readiness: Check | None = None
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


# monitor/health answers 200 whatever happened: only its body tells whether the database is there.
_API_READY = (
    "import json, urllib.request; "
    f'answer = urllib.request.urlopen("http://127.0.0.1:{API_PORT}/api/v2/monitor/health", timeout=8); '
    'raise SystemExit(json.load(answer)["metadatabase"]["status"] != "healthy")'
)

# A worker cut off from its broker is not at fault and reconnects by itself; restarting it would endanger its tasks.
_WORKER_ALIVE = (
    f"timeout 5 bash -c ': </dev/tcp/{of(Role.BROKER)}/{BROKER_PORT}' 2>/dev/null || exit 0; "
    "exec celery --app airflow.providers.celery.executors.celery_executor.app "
    'inspect ping --destination "celery@$HOSTNAME" --timeout 10'
)
_WORKER_CONSUMES = _WORKER_ALIVE.replace("|| exit 0", "|| exit 1")


def _job_alive(job: str) -> Command:
    return Command(("airflow", "jobs", "check", "--job-type", job, "--local"))


_API_SERVER = Process(
    argv=("airflow", "api-server", "--port", str(API_PORT)),
    needs=(Need.METADATA, Need.ENCRYPTION, Need.TOKENS, Need.SESSIONS),
    # The Execution API starts with its first call, which takes up to nine seconds: here, and not in a task's heartbeat.
    startup=Check(Http("/execution/health", API_PORT), period=5, timeout=20, failures=120),
    liveness=Check(Http("/api/v2/version", API_PORT), period=20, timeout=15, failures=6),
    readiness=Check(Command(("python3", "-c", _API_READY)), period=15, timeout=10, failures=3),
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
    startup=Check(_job_alive("DagProcessorJob"), period=15, timeout=30, failures=40),
    liveness=Check(_job_alive("DagProcessorJob"), period=60, timeout=30, failures=5),
)

_TRIGGERER = Process(
    argv=("airflow", "triggerer"),
    needs=(Need.METADATA, Need.ENCRYPTION, Need.SESSIONS),
    ports={"logs": TRIGGERER_LOG_PORT},
    addressed=True,
    startup=Check(_job_alive("TriggererJob"), period=15, timeout=30, failures=40),
    liveness=Check(_job_alive("TriggererJob"), period=60, timeout=30, failures=5),
)

_WORKER = Process(
    argv=("airflow", "celery", "worker"),
    needs=(Need.QUEUES, Need.SESSIONS),
    startup=Check(Command(("bash", "-c", _WORKER_CONSUMES)), period=15, timeout=30, failures=40),
    liveness=Check(Command(("bash", "-c", _WORKER_ALIVE)), period=60, timeout=30, failures=10),
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
