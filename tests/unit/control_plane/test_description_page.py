"""The page about the control plane tells every call with the role that it takes, and every command that makes it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import typer
from typer.core import TyperGroup
from typer.main import get_command

from control_plane.cli import commands
from control_plane.web.admin.route import Route
from control_plane.web.admin.table import ROUTES

PAGE = (Path(__file__).parents[3] / "docs" / "control-plane.md").read_text(encoding="utf-8")
ROWS = re.findall(r"^\| `([A-Z]+ /[^`]*)` \| (\w+) \| (?:`([^`]*)`)? *\|$", PAGE, re.MULTILINE)


def names(group: TyperGroup, prefix: str = "") -> set[str]:
    found: set[str] = set()
    for name, command in group.commands.items():
        found |= names(command, f"{prefix}{name} ") if isinstance(command, TyperGroup) else {f"{prefix}{name}"}
    return found


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.name)
def test_the_page_tells_the_call_and_its_role(route: Route) -> None:
    assert (f"{route.method} {route.path}", route.needs.value) in {(call, role) for call, role, _ in ROWS}


def test_the_page_tells_nothing_else() -> None:
    assert len(ROWS) == len(ROUTES)


def test_the_page_tells_every_command() -> None:
    app = typer.Typer()
    commands(app)
    root = get_command(app)
    assert isinstance(root, TyperGroup)
    told = {command for _, _, command in ROWS if command}
    assert names(root) - told == {"control-plane serve", "audit verify"}
    assert told <= names(root)
