"""How answers get onto a terminal: width, colours, and text of others that must not play with either."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

_UNASKED = 80
_WIDE = 200
"""Where nobody looks at a terminal (a file, a pipe), lines are for grep: they are not folded early."""
_MINUTE, _HOUR, _DAY = 60, 3600, 86400


def console() -> Console:
    """Standard output. Colours only on a terminal, and none where NO_COLOR is set."""
    made = Console(highlight=False, soft_wrap=False)
    if not made.is_terminal and made.width == _UNASKED:
        made.width = _WIDE
    return made


def plain(text: object) -> str:
    """Words from elsewhere without control characters: a message of a pod must not move the cursor."""
    return "".join(
        letter if letter.isprintable() or letter == "\n" else "\N{REPLACEMENT CHARACTER}" for letter in str(text)
    )


def styled(text: object, style: str = "") -> Text:
    """Text as it is, never markup."""
    return Text(plain(text), style=style)


def table(*heads: str) -> Table:
    """A table without lines, as kubectl prints them."""
    made = Table(box=None, header_style="bold", pad_edge=False, padding=(0, 3, 0, 0))
    for head in heads:
        made.add_column(head, overflow="fold")
    return made


def told(value: Any) -> None:
    """An answer for programs."""
    typer.echo(json.dumps(value, indent=2, ensure_ascii=False))


def counted(number: int, word: str) -> str:
    """The number with its word: one object, two objects."""
    return f"{number} {word}" if number == 1 else f"{number} {word}s"


def ago(seconds: float) -> str:
    """How long ago, in one unit."""
    if seconds < _MINUTE:
        return f"{seconds:.0f} s ago"
    if seconds < _HOUR:
        return f"{seconds / _MINUTE:.0f} min ago"
    return f"{seconds / _HOUR:.0f} h ago" if seconds < 2 * _DAY else f"{seconds / _DAY:.0f} days ago"


def joined(parts: Iterable[Text], separator: str = "\n") -> Text:
    """Parts as one."""
    return Text(separator).join(parts)
