"""The small programs inside manifests, run for real: probes by Python, scripts by the shell's parser."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from agent.rendering import broker, checks, database, migration
from agent.rendering.checks import Command

TIMEOUT = 30


def run(command: Command, **environment: str) -> int:
    interpreter, *words = command.argv
    assert interpreter == "python3"
    path = environment.pop("path", "")
    return subprocess.run(
        [sys.executable, *words],
        env={"PYTHONPATH": path, "PATH": "/usr/bin:/bin", **environment},
        timeout=TIMEOUT,
        check=False,
        stderr=subprocess.DEVNULL,
    ).returncode


@contextmanager
def api_server(status: str) -> Iterator[int]:
    """An API server that says so of its database, and always 200."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(json.dumps({"metadatabase": {"status": status}}).encode())

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize(("status", "code"), [("healthy", 0), ("unhealthy", 1)])
def test_an_api_server_is_judged_by_what_it_says_not_by_its_200(status: str, code: int) -> None:
    with api_server(status) as port:
        assert run(checks.database_behind(port)) == code


def test_an_api_server_that_does_not_answer_is_not_ready() -> None:
    with api_server("healthy") as port:
        pass
    assert run(checks.database_behind(port)) != 0


FAKE_DRIVER = """
class Cursor:
    def __enter__(self): return self
    def __exit__(self, *_): pass
    def execute(self, statement, values):
        assert statement.count("%s") == len(values)
        self.values = values
    def fetchone(self):
        return (1 if self.values[0] == "DagProcessorJob" else 0,)
class Connection(Cursor):
    def cursor(self): return Cursor()
def connect(address, connect_timeout):
    assert address == "postgresql://airflow:pw@db/airflow", address
    return Connection()
"""


@pytest.mark.parametrize(("job", "code"), [("DagProcessorJob", 0), ("TriggererJob", 1)])
def test_a_heartbeat_is_looked_up_in_the_database(tmp_path: Path, job: str, code: int) -> None:
    (tmp_path / "psycopg2.py").write_text(FAKE_DRIVER)
    address = "postgresql+psycopg2://airflow:pw@db/airflow"
    assert run(checks.heartbeat(job), path=str(tmp_path), AIRFLOW__DATABASE__SQL_ALCHEMY_CONN=address) == code


@pytest.mark.parametrize("alive", [True, False])
def test_a_worker_without_its_broker_is_alive_but_not_ready(alive: bool) -> None:
    # Outside a cluster the broker's name does not resolve.
    assert run(checks.consumes(without_broker=alive), AIRFLOW__CELERY__BROKER_URL="redis://none") == int(not alive)


FAKE_CELERY = """
class Celery:
    def __init__(self, broker): assert broker == "redis://:pw@airflow-broker:6379/0"
    @property
    def control(self): return self
    def inspect(self, destination, timeout): return self
    def ping(self): return {answer}
"""
FAKE_SITE = """
import socket
class Connected:
    def close(self): pass
socket.create_connection = lambda address, timeout: Connected()
"""


@pytest.mark.parametrize(("answer", "code"), [("{'celery@w-0': {'ok': 'pong'}}", 0), ("None", 1)])
def test_a_worker_is_asked_by_its_name(tmp_path: Path, answer: str, code: int) -> None:
    (tmp_path / "celery.py").write_text(FAKE_CELERY.replace("{answer}", answer))
    (tmp_path / "sitecustomize.py").write_text(FAKE_SITE)
    address = "redis://:pw@airflow-broker:6379/0"
    command = checks.consumes(without_broker=True)
    assert run(command, path=str(tmp_path), AIRFLOW__CELERY__BROKER_URL=address) == code


@pytest.mark.parametrize("script", [database.SCRIPT, broker.SCRIPT, migration.CREATE_ADMIN])
def test_a_script_is_one_for_any_posix_shell(script: str) -> None:
    assert subprocess.run(["/bin/sh", "-n", "-c", script], timeout=TIMEOUT, check=False).returncode == 0


def test_passwords_go_by_standard_input_and_environment() -> None:
    for line in database.SCRIPT.splitlines():
        if "PASSWORD" in line:
            assert line.startswith("ALTER ROLE"), "only in what psql reads"
    assert "printf" in migration.CREATE_ADMIN  # part of the shell, so no process has it as an argument
    assert "printf 'requirepass %s\\n' \"$REDISCLI_AUTH\"" in broker.SCRIPT
