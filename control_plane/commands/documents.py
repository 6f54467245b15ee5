"""Documents out of files, as people write them: YAML or JSON, one or more in a file."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import yaml

from agent.model.errors import Misconfigured, Refused
from agent.wire.refusals import Reason

STDIN = Path("-")


class _PlainLoader(yaml.SafeLoader):
    """YAML that stays what JSON can say: no dates out of digits, and no key twice."""


_PlainLoader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def _mapping(loader: _PlainLoader, node: yaml.MappingNode) -> dict[Any, Any]:
    keys = [loader.construct_object(key, deep=True) for key, _ in node.value]
    twice = {key for key in keys if keys.count(key) > 1}
    if twice:
        line = node.start_mark.line + 1
        raise Refused(f"{min(map(str, twice))} stands there twice", path=f"line {line}", reason=Reason.MALFORMED)
    return loader.construct_mapping(node, deep=True)


_PlainLoader.add_constructor("tag:yaml.org,2002:map", _mapping)


def read_documents(file: Path) -> list[dict[str, Any]]:
    """Every document of a file (``-``: standard input). Raises Misconfigured (the file) or Refused (what is in it)."""
    try:
        text = sys.stdin.read() if file == STDIN else file.read_text(encoding="utf-8")
    except (OSError, UnicodeError) as error:
        raise Misconfigured(f"{file} cannot be read: {error}") from None
    try:
        found = [document for document in yaml.load_all(text, Loader=_PlainLoader) if document is not None]
    except yaml.YAMLError as error:
        raise Refused(f"{file} is not YAML: {' '.join(str(error).split())}", reason=Reason.MALFORMED) from None
    if not found or not all(isinstance(document, dict) for document in found):
        raise Refused(f"{file} does not hold documents of the kind AirflowInstance", reason=Reason.MALFORMED)
    return found
