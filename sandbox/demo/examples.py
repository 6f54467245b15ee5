"""The example documents: as a person keeps them (YAML), and as a control plane takes them (JSON)."""

from __future__ import annotations

import copy
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

_PACKAGED = Path(__file__).parent / "examples"
_IN_CHECKOUT = Path(__file__).parents[2] / "config" / "examples"


@dataclass(frozen=True, slots=True)
class Example:
    """One instance to show."""

    document: dict[str, Any]

    @property
    def id(self) -> str:
        """The instance's id."""
        return str(self.document["metadata"]["id"])

    @property
    def name(self) -> str:
        """The instance's name."""
        return str(self.document["metadata"]["name"])

    def encoded(self) -> bytes:
        """The document as it is published."""
        return json.dumps(self.document).encode()

    def with_spec(self, **fields: Any) -> Example:
        """The same instance with other fields of its spec, such as ``state``."""
        changed = copy.deepcopy(self.document)
        changed["spec"].update(fields)
        return Example(changed)

    def with_replicas(self, component: str, replicas: int) -> Example:
        """The same instance with another number of pods of a component."""
        changed = copy.deepcopy(self.document)
        changed["spec"].setdefault("components", {}).setdefault(component, {})["replicas"] = replicas
        return Example(changed)


def load_examples() -> tuple[Example, ...]:
    """Every example, in the order of file names; raises FileNotFoundError if there are none."""
    folder = _PACKAGED if _PACKAGED.is_dir() else _IN_CHECKOUT
    files = sorted(folder.glob("*.yaml"))
    if not files:
        raise FileNotFoundError(f"no example documents in {folder}")
    return tuple(Example(yaml.safe_load(file.read_text(encoding="utf-8"))) for file in files)
