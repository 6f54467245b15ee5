"""Health checks: what is asked of a process, how often and how patiently.

Here: the kinds of check and the small programs behind those that no HTTP endpoint answers. A call of ``airflow`` costs
five to seven seconds of processor time, mostly imports, and times out on a busy node; these programs ask the same of
the database or the broker in half a second, and fail for one reason only: the process does not show signs of life.
"""

from __future__ import annotations

from dataclasses import dataclass

from agent.rendering.credentials import BROKER_PORT
from agent.rendering.names import Role, of


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
    """What is asked, every so many seconds, and after how many failures in a row it is believed."""

    ask: Http | Command
    period: int
    timeout: int
    failures: int


def python(script: str) -> Command:
    """A program for the interpreter that Airflow runs with."""
    return Command(("python3", "-c", script))


def database_behind(port: int) -> Command:
    """Whether an API server reaches its database. Its health endpoint answers 200 whatever happened: the body tells."""
    return python(
        f"""import json
import urllib.request

with urllib.request.urlopen("http://127.0.0.1:{port}/api/v2/monitor/health", timeout=8) as answer:
    raise SystemExit(json.load(answer)["metadatabase"]["status"] != "healthy")
""",
    )


HEARTBEAT_SECONDS = 60
"""How old a heartbeat may be; Airflow writes one every five seconds."""


def heartbeat(job: str) -> Command:
    """Whether this pod's process of a kind writes its heartbeat, as ``airflow jobs check --local`` would see it.

    The pod's name is found as Airflow's own ``getfqdn`` finds it.
    """
    return python(
        # The job is one of Airflow's own names, the interval our constant: nothing of a document gets in here.
        f"""import os
import socket

import psycopg2

host = socket.gethostname()
canonical = socket.getaddrinfo(host, None, 0, socket.SOCK_DGRAM, 0, socket.AI_CANONNAME)[0][3]
address = os.environ["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"].replace("+psycopg2", "", 1)
with psycopg2.connect(address, connect_timeout=5) as connection, connection.cursor() as cursor:
    cursor.execute(
        "SELECT count(*) FROM job WHERE job_type = %s AND hostname IN (%s, %s) AND state = 'running'"
        " AND latest_heartbeat > now() - interval '{HEARTBEAT_SECONDS} seconds'",
        ("{job}", host, canonical),
    )
    raise SystemExit(cursor.fetchone()[0] == 0)
""",  # noqa: S608
    )


def consumes(*, without_broker: bool) -> Command:
    """Whether this pod's Celery worker answers; ``without_broker`` is the verdict while the broker is away.

    A worker cut off from its broker is not at fault and reconnects by itself: it is not ready then, but alive.
    """
    return python(
        f"""import os
import socket

try:
    socket.create_connection(("{of(Role.BROKER)}", {BROKER_PORT}), timeout=5).close()
except OSError:
    raise SystemExit({int(not without_broker)})

from celery import Celery

app = Celery(broker=os.environ["AIRFLOW__CELERY__BROKER_URL"])
raise SystemExit(not app.control.inspect(destination=["celery@" + socket.gethostname()], timeout=10).ping())
""",
    )
