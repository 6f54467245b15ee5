"""Runs the command in this process: arguments and variables in, exit code and what was told out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import pytest

from agent import cli

ENOUGH = {
    "PERIGEE_CLUSTER__NAME": "north",
    "PERIGEE_UPLINK__AGENTS_URL": "https://plane.test:8443",
    "PERIGEE_UPLINK__ENROL_URL": "https://plane.test:8445",
}


def perigee(
    *arguments: str, environ: Mapping[str, str] | None = None, extras: Sequence[cli.Extra] = ()
) -> Callable[[], int]:
    def run() -> int:
        with pytest.MonkeyPatch.context() as patch:
            for name, value in (environ or {}).items():
                patch.setenv(name, value)
            return cli.run(arguments, extras=extras)

    return run


@dataclass(frozen=True)
class Ended:
    code: int
    out: str
    err: str


class Told:
    """What a command told, and how it ended."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def by(self, run: Callable[[], int]) -> Ended:
        self._capsys.readouterr()
        code = run()
        captured = self._capsys.readouterr()
        return Ended(code, captured.out, captured.err)
