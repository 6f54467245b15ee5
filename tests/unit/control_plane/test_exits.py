"""Whatever can be explained ends a command with its own code and one line; whatever cannot is not hidden."""

from __future__ import annotations

import pytest
import typer

from agent.model.errors import AgentError, Conflict, Misconfigured, NotAuthorised, Refused, Unreachable
from control_plane.commands.exits import run
from control_plane.faults import Clash, Fault, Forbidden, NotFound, Stale, TooLarge, Unacceptable, Unauthenticated
from control_plane.statefiles import DirectoryTaken


async def failing(error: Exception) -> None:
    raise error


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (Fault("Malformed", "no"), 6),
        (Unauthenticated("NotAuthorised", "no"), 4),
        (Forbidden("Forbidden", "no"), 4),
        (NotFound("NotFound", "no"), 1),
        (Clash("Conflict", "no"), 6),
        (Stale("RevisionMismatch", "no"), 6),
        (TooLarge("TooLarge", "no"), 6),
        (Unacceptable("Malformed", "no"), 6),
        (DirectoryTaken("DirectoryTaken", "no"), 3),
        (Misconfigured("no"), 3),
        (NotAuthorised("no"), 4),
        (Unreachable("no"), 5),
        (Refused("no"), 6),
        (Conflict("no"), 1),
        (AgentError("no"), 1),
        (OSError(98, "address already in use"), 3),
        (ModuleNotFoundError("No module named 'sqlalchemy'", name="sqlalchemy"), 3),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_what_can_be_explained_has_its_code(error: Exception, code: int, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(typer.Exit) as ended:
        run(failing(error))
    assert ended.value.exit_code == code
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_a_missing_extra_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(typer.Exit):
        run(failing(ModuleNotFoundError("No module named 'sqlalchemy'", name="sqlalchemy")))
    assert "sqlalchemy is not installed. install perigee-agent[control-plane]" in capsys.readouterr().err


def test_what_nobody_foresaw_keeps_its_traceback() -> None:
    with pytest.raises(ZeroDivisionError):
        run(failing(ZeroDivisionError()))
