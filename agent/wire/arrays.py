"""How long an array of the wire may be, judged before anything in it is.

Pydantic looks at every item before it looks at their number, and keeps each fault that it finds: a thousand bytes for
three that came. Whoever sends a megabyte of empty items would take the receiver's memory, signed or not.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema, PydanticCustomError, core_schema


@dataclass(frozen=True, slots=True)
class AtMost:
    """An array of at most so many items; the JSON Schema tells it too."""

    items: int

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """How pydantic checks it: the number first, then the items."""
        bounded: Any = {**handler(source), "max_length": self.items}
        return core_schema.no_info_before_validator_function(self.counted, bounded)

    def counted(self, value: Any) -> Any:
        """The value itself; raises pydantic's error if it is too long an array."""
        if isinstance(value, list | tuple) and len(value) > self.items:
            message = f"must have at most {self.items} items, and has {len(value)}"
            raise PydanticCustomError("array_too_long", "{message}", {"message": message})
        return value
