"""Answers as a person reads them (tables) or as a program does (JSON)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from control_plane.commands.options import Output


@dataclass(frozen=True, slots=True)
class Column:
    """A column's head and the field that it shows."""

    head: str
    field: str


def show_rows(rows: Sequence[Mapping[str, Any]], columns: Sequence[Column], *, output: Output) -> None:
    """Rows as a table with these columns, or whole as JSON."""
    if output is Output.JSON:
        show_json(list(rows))
        return
    table = Table(box=None, header_style="bold", pad_edge=False)
    for column in columns:
        table.add_column(column.head, overflow="fold")
    for row in rows:
        # As Text: what is shown comes from elsewhere and is no markup.
        table.add_row(*(Text(_cell(row.get(column.field))) for column in columns))
    Console().print(table)


def show_json(value: Any) -> None:
    """JSON as it came, indented."""
    typer.echo(json.dumps(value, indent=2, sort_keys=True))


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping):
        return ",".join(f"{key}={item}" for key, item in sorted(value.items())) or "-"
    return str(value)
