"""Figures that a test measured: told at the end of the run, since a limit in an assertion tells only the worst case."""

from __future__ import annotations

from collections.abc import Callable

import pytest

Figure = Callable[[str], None]
_FIGURES = pytest.StashKey[list[str]]()


@pytest.fixture
def figure(request: pytest.FixtureRequest) -> Figure:
    """Tell one line."""

    def tell(line: str) -> None:
        request.config.stash.setdefault(_FIGURES, []).append(line)

    return tell


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """List what was told."""
    told = config.stash.get(_FIGURES, [])
    if told:
        terminalreporter.section("figures", sep="-")
    for line in told:
        terminalreporter.write_line(line)
