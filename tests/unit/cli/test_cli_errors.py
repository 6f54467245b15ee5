from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import typer

from agent.cli import EXIT_CODES, Extra, main
from agent.model import errors
from agent.model.errors import (
    AgentError,
    Conflict,
    Misconfigured,
    NotAuthorised,
    ObjectRefused,
    Refused,
    Retryable,
    Throttled,
    Unreachable,
)
from agent.uplink.faults import ConnectionCut, ServerNotVerified
from tests.unit.cli.commands import Told, perigee

ROOT = Path(__file__).parents[3]
SECRET = "canary-of-a-key"


@pytest.fixture
def told(capsys: pytest.CaptureFixture[str]) -> Told:
    return Told(capsys)


@dataclass(frozen=True)
class Adds:
    """An extra with one command, which does this."""

    work: Callable[[], None]
    name: str = "extra"

    def load(self) -> Callable[[typer.Typer], None]:
        def commands(app: typer.Typer) -> None:
            app.command("do-it")(self.work)

        return commands


def raising(error: Exception) -> Adds:
    def work() -> None:
        private_key = SECRET
        assert private_key
        raise error

    return Adds(work)


@dataclass(frozen=True)
class NotInstalled:
    missing: str = "sqlalchemy"
    name: str = "control-plane"

    def load(self) -> Callable[[typer.Typer], None]:
        raise ModuleNotFoundError(f"No module named '{self.missing}'", name=self.missing)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (Misconfigured("x"), 3),
        (NotAuthorised("x"), 4),
        (Unreachable("x"), 5),
        (ConnectionCut("x"), 5),
        (ServerNotVerified("x"), 5),
        (Refused("x", path="spec"), 6),
        (Conflict("x"), 1),
        (Throttled("x"), 1),
        (ObjectRefused("x"), 1),
        (Retryable("x"), 1),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else None,
)
def test_each_kind_of_error_has_its_exit_code_and_one_line(told: Told, error: AgentError, code: int) -> None:
    error.hint = "do this"
    ended = told.by(perigee("do-it", extras=[raising(error)]))
    assert ended.code == code
    assert ended.err == f"perigee: {error}. do this.\n"
    assert ended.out == ""


def test_no_error_of_the_model_is_without_a_code() -> None:
    kinds = {kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, AgentError)}
    special = {kind for kind in kinds if any(issubclass(kind, listed) for listed, _ in EXIT_CODES)}
    assert special == {Misconfigured, NotAuthorised, Unreachable, Refused}
    assert len({code for _, code in EXIT_CODES} | {0, 1, 2}) == 7


def test_what_a_task_group_gathered_is_told_the_same_way(told: Told) -> None:
    inner = ExceptionGroup("tasks", [ExceptionGroup("inner", [Unreachable("nobody there", hint="look")])])
    ended = told.by(perigee("do-it", extras=[raising(inner)]))
    assert (ended.code, ended.err) == (5, "perigee: nobody there. look.\n")


def test_the_entry_point_ends_the_process_with_the_code(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["perigee", "render", "/absent.yaml"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 3
    assert "/absent.yaml" in capsys.readouterr().err


def test_a_file_without_end_is_not_read_to_its_end(told: Told, tmp_path: Path) -> None:
    file = tmp_path / "large.yaml"
    with file.open("wb") as opened:
        opened.truncate(1024**4)  # a hole: it takes no space, and a reader without a bound would take all memory
    ended = told.by(perigee("render", str(file)))
    assert ended.code == 3
    assert "is larger than" in ended.err


def test_a_group_with_something_unforeseen_keeps_its_traceback() -> None:
    group = ExceptionGroup("tasks", [Unreachable("x"), KeyError("bug")])
    with pytest.raises(ExceptionGroup, match="tasks"):
        perigee("do-it", extras=[raising(group)])()


def test_a_bug_keeps_its_traceback_and_shows_no_local_variable(told: Told) -> None:
    def run() -> int:
        with pytest.raises(KeyError):
            perigee("do-it", extras=[raising(KeyError("bug"))])()
        return 1

    ended = told.by(run)
    assert SECRET not in ended.out + ended.err


def test_an_extra_that_is_not_installed_says_how_to_install_it(told: Told) -> None:
    for arguments in (("control-plane",), ("control-plane", "serve", "--port", "1"), ("control-plane", "--help")):
        ended = told.by(perigee(*arguments, extras=[NotInstalled()]))
        assert ended.code == 3
        assert ended.err == (
            "perigee: `perigee control-plane` needs the Python package sqlalchemy, which is not installed. "
            "pip install 'perigee-agent[control-plane]'.\n"
        )


def test_an_extra_that_is_not_installed_disturbs_no_other(told: Told) -> None:
    done: list[str] = []
    extras: list[Extra] = [NotInstalled(), Adds(lambda: done.append("done"))]
    assert told.by(perigee("do-it", extras=extras)).code == 0
    assert done == ["done"]
    shown = told.by(perigee("--help", extras=extras))
    assert "control-plane" in shown.out
    assert "Not installed" in shown.out


def test_a_command_of_our_own_loads_no_extra(told: Told) -> None:
    class Broken:
        name = "broken"

        def load(self) -> Callable[[typer.Typer], None]:
            raise AssertionError("not wanted")

    assert told.by(perigee("version", extras=[Broken()])).code == 0


@pytest.mark.timeout(60)
def test_the_installed_command_and_the_module_are_the_same() -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "agent", "agent", "--config", "/absent.yaml"],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        timeout=60,
    )
    assert ran.returncode == 3
    assert ran.stderr == (
        "perigee: cannot read the settings file /absent.yaml: No such file or directory. "
        "name a readable file with --config.\n"
    )
