"""Fields that a kind does not have: what ``fieldValidation=Strict`` refuses and everything else lets fall.

Here: finding them. Not here: values of the wrong type (``merge``), the answer (``errors``), the real server's warnings
for callers who are less strict.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sandbox.cluster.api import schema_of
from sandbox.cluster.kinds import Json, Kind
from sandbox.cluster.merge.shapes import Shape

MODES = ("", "Ignore", "Strict", "Warn")


class UnknownFieldsError(TypeError):
    """A document has fields that its kind does not have."""


def require_known(kind: Kind, document: Json) -> None:
    """Pass over documents whose every field their kind has; custom kinds may have any.

    Raises:
        UnknownFieldsError: naming each of the others.
    """
    schema = schema_of(kind)
    unknown = [f'unknown field "{path}"' for path in _unknown(document, schema.root, "")] if schema.structured else []
    if unknown:
        raise UnknownFieldsError(f"strict decoding error: {', '.join(unknown)}")


def _unknown(value: Any, shape: Shape, path: str) -> Iterator[str]:
    if isinstance(value, dict) and shape.mapping is not None:
        mapping = shape.mapping
        for name, item in value.items():
            below = f"{path}.{name}" if path else name
            if name in mapping.fields:
                yield from _unknown(item, mapping.fields[name].shape, below)
            elif mapping.element is None:
                yield below
    if isinstance(value, list) and shape.listing is not None:
        for index, item in enumerate(value):
            yield from _unknown(item, shape.listing.element, f"{path}[{index}]")
