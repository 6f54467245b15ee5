"""Rows to values: every table has a frozen dataclass with the same names, and this is where one becomes the other."""

from __future__ import annotations

from typing import Any, TypeVar

from sqlalchemy import Select
from sqlalchemy.ext.asyncio import AsyncConnection

T = TypeVar("T")


async def one(connection: AsyncConnection, query: Select[Any], kind: type[T]) -> T | None:
    """The one row that the query finds, or None."""
    row = (await connection.execute(query)).mappings().one_or_none()
    return None if row is None else kind(**row)


async def many(connection: AsyncConnection, query: Select[Any], kind: type[T]) -> list[T]:
    """Every row that the query finds."""
    result = await connection.execute(query)
    names = tuple(result.keys())  # once, not with every row: an index has thousands
    return [kind(**dict(zip(names, row, strict=True))) for row in result]
