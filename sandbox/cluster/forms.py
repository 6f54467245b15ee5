"""The forms in which an object can be asked for: whole, its metadata alone, or as a row of a table.

Here: choosing a form from ``Accept`` and writing objects and lists in it. Not here: which objects, and what is in the
columns of a table (``tables``).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from sandbox.cluster import tables
from sandbox.cluster.errors import ApiError, not_acceptable
from sandbox.cluster.kinds import BUILT_IN, Json, Kind
from sandbox.cluster.store import Stored, encoded

_META = "meta.k8s.io/v1"


class Shape(Enum):
    """What of an object is shown."""

    WHOLE = "whole"
    METADATA = "PartialObjectMetadata"
    METADATA_LIST = "PartialObjectMetadataList"
    TABLE = "table"


@dataclass(frozen=True, slots=True)
class Form:
    """A form that was asked for, at a moment: tables show ages."""

    shape: Shape
    moment: datetime

    def one(self, stored: Stored) -> bytes:
        """Return an object as it is answered alone.

        Raises:
            ApiError: 406, when a list was asked for.
        """
        if self.shape is Shape.METADATA_LIST:
            raise _unfit(self.shape, f"is not a list (*{_go_type(stored.kind)})")
        if self.shape is Shape.WHOLE:
            return stored.body
        if self.shape is Shape.METADATA:
            return encoded(_partial(stored))
        return encoded(self._table(stored.kind, [stored], {"resourceVersion": str(stored.version)}))

    def mark(self, bookmark: Stored) -> bytes:
        """Return a bookmark, which is an object without content and hence no row of a table."""
        return bookmark.body if self.shape is Shape.WHOLE else encoded(_partial(bookmark))

    def many(self, kind: Kind, objects: list[Stored], metadata: Json) -> bytes:
        """Return objects as the list that is answered.

        Raises:
            ApiError: 406, when one object was asked for.
        """
        if self.shape is Shape.METADATA:
            raise _unfit(self.shape, f"is a list (*{_go_type(kind)}List)")
        if self.shape is Shape.TABLE:
            return encoded(self._table(kind, objects, metadata))
        name, version = f"{kind.name}List", kind.api_version
        if self.shape is Shape.METADATA_LIST:
            name, version = "PartialObjectMetadataList", _META
            items = [encoded(_partial(stored)) for stored in objects]
        else:
            items = [stored.item if kind in BUILT_IN else stored.body for stored in objects]
        head = encoded({"kind": name, "apiVersion": version, "metadata": metadata})[:-1]
        return head + b',"items":[' + b",".join(items) + b"]}"

    def _table(self, kind: Kind, objects: list[Stored], metadata: Json) -> Json:
        columns, cells = tables.TABLES[kind]
        rows = [{"cells": cells(stored.document, self.moment), "object": _partial(stored)} for stored in objects]
        head = {"kind": "Table", "apiVersion": _META, "metadata": metadata}
        return head | {"columnDefinitions": columns, "rows": rows}


def form_for(accept: str, kind: Kind, moment: datetime) -> Form:
    """Return the form that an ``Accept`` header asks for; kinds without a table of their own are shown whole."""
    if "as=PartialObjectMetadataList" in accept:
        return Form(Shape.METADATA_LIST, moment)
    if "as=PartialObjectMetadata" in accept:
        return Form(Shape.METADATA, moment)
    if "as=Table" in accept and kind in tables.TABLES:
        return Form(Shape.TABLE, moment)
    return Form(Shape.WHOLE, moment)


def _unfit(asked: Shape, found: str) -> ApiError:
    return not_acceptable(f"you requested {asked.value}, but the requested object {found}")


def _go_type(kind: Kind) -> str:
    """Return the type that the real server names in its refusals."""
    return f"{kind.group.partition('.')[0] or 'core'}.{kind.name}"


def _partial(stored: Stored) -> Json:
    return {"kind": "PartialObjectMetadata", "apiVersion": _META, "metadata": stored.document["metadata"]}
