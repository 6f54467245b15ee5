"""Files that a person names on the command line: read within bounds, and what is wrong with them said in one line."""

from __future__ import annotations

import sys
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from agent.model.errors import Misconfigured, Refused
from agent.settings.plain_yaml import NotYaml, parse

_LARGEST_FILE_BYTES = 4 * 1024 * 1024


def documents(file: Path) -> list[dict[str, Any]]:
    """The YAML documents of a file; - is the standard input."""
    try:
        found = parse(content(file, what="the document"))
    except NotYaml as error:
        raise Refused(f"{file} is not valid YAML{error}", reason="Malformed", hint="correct the file") from None
    if not found or not all(isinstance(document, dict) for document in found):
        raise Refused(f"{file} holds no instance document", reason="Malformed", hint="see config/ for examples")
    return found


def content(file: Path, *, what: str) -> bytes:
    """The bytes of a file; ``what`` says in messages what it is for."""
    try:
        with nullcontext(sys.stdin.buffer) if str(file) == "-" else file.open("rb") as opened:
            read = opened.read(_LARGEST_FILE_BYTES + 1)
    except OSError as error:
        raise Misconfigured(f"{what} {file} cannot be read: {error.strerror}", hint="name a readable file") from None
    if len(read) > _LARGEST_FILE_BYTES:
        raise Misconfigured(f"{what} {file} is larger than {_LARGEST_FILE_BYTES} bytes", hint="name another file")
    return read
