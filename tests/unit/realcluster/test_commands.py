"""The commands speak to a shell on standard output and to people on standard error; notes of dead owners count for
nothing.
"""

from __future__ import annotations

import json
from pathlib import Path

import psutil
import pytest
from typer.testing import CliRunner

from sandbox.realcluster import registry
from sandbox.realcluster.commands import app
from sandbox.realcluster.environment import Environment, read_environment


@pytest.fixture
def environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Environment:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("KUBEBUILDER_ASSETS", raising=False)
    return read_environment()


def note_path(environment: Environment) -> Path:
    return environment.cache / "running" / "default.json"


def test_a_running_cluster_is_told_in_words_of_the_shell(environment: Environment) -> None:
    registry.record(environment, name="default", kubeconfig=Path("/there/admin.yaml"), server="https://127.0.0.1:1")
    told = CliRunner().invoke(app, ["env"])
    assert (told.exit_code, told.stdout) == (0, "export KUBECONFIG=/there/admin.yaml\n")


@pytest.mark.parametrize("command", ["env", "down"])
def test_where_none_runs_the_way_to_start_one_is_told(environment: Environment, command: str) -> None:
    told = CliRunner().invoke(app, [command, "--name", "other"])
    assert (told.exit_code, told.stdout) == (5, "")
    assert "No test cluster other is running" in told.stderr
    assert registry.find(environment, "other") is None


def test_a_second_cluster_of_the_same_name_is_refused(environment: Environment) -> None:
    registry.record(environment, name="default", kubeconfig=Path("/there"), server="https://127.0.0.1:1")
    told = CliRunner().invoke(app, ["up"])
    assert told.exit_code == 1
    assert "runs already" in told.stderr


def test_without_programs_and_compiler_the_remedy_is_told(environment: Environment) -> None:
    told = CliRunner().invoke(app, ["build"])
    assert told.exit_code == 1
    assert "install Go 1.26" in told.stderr.replace("\n", " ")
    assert registry.find(environment, "default") is None


def test_a_note_of_an_earlier_process_with_the_same_number_counts_for_nothing(environment: Environment) -> None:
    registry.record(environment, name="default", kubeconfig=Path("/there"), server="https://127.0.0.1:1")
    note = json.loads(note_path(environment).read_text(encoding="utf-8"))
    note_path(environment).write_text(json.dumps({**note, "started": note["started"] - 1}), encoding="utf-8")
    assert registry.find(environment, "default") is None
    note_path(environment).write_text(json.dumps({**note, "process": 1 << 22}), encoding="utf-8")
    assert registry.find(environment, "default") is None


def test_a_note_names_its_owner_until_it_is_forgotten(environment: Environment) -> None:
    registry.record(environment, name="default", kubeconfig=Path("/there"), server="https://127.0.0.1:1")
    running = registry.find(environment, "default")
    assert running is not None
    assert running.owner == psutil.Process()
    registry.forget(environment, "default")
    registry.forget(environment, "default")
    assert registry.find(environment, "default") is None


def test_the_environment_is_read_into_one_value(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBEBUILDER_ASSETS", "/assets")
    monkeypatch.setenv("XDG_CACHE_HOME", "/cache")
    monkeypatch.setenv("CI", "true")
    environment = read_environment()
    assert environment.assets == Path("/assets")
    assert environment.cache == Path("/cache/perigee/testcluster")
    assert environment.strict
