"""YAML that people write: plain data only, and a key given twice is an error, where YAML would silently take the last.

Here: text to data. Not here: what the data means; and nothing that comes over the wire, which is JSON.
"""

from __future__ import annotations

from typing import Any

import yaml


class NotYaml(Exception):
    """The text is no such YAML; ``str()`` completes a sentence: `` at line 3: "name" is given twice``."""


class _UniqueKeys(yaml.SafeLoader):
    """The safe loader, stricter."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:  # noqa: FBT001, FBT002
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        twice = {str(key) for key in keys if keys.count(key) > 1}
        if twice:
            raise yaml.constructor.ConstructorError(None, None, f"{min(twice)} is given twice", node.start_mark)
        return super().construct_mapping(node, deep)


def parse(text: bytes) -> list[Any]:
    """The documents in the text, empty ones left out. Raises NotYaml; its message quotes no values."""
    try:
        return [document for document in yaml.load_all(text, _UniqueKeys) if document is not None]
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f" at line {mark.line + 1}" if mark else ""
        what = getattr(error, "problem", None) or "not text in UTF-8, nested too deeply, or a value that is none"
    raise NotYaml(f"{where}: {what}")
