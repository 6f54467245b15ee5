"""How many instances a newer renderer may roll at once: a few, so that what it breaks it breaks for few.

An instance keeps its turn until it is ready again; one that does not become ready therefore stops the others.
"""

from __future__ import annotations


class Rolls:
    """Turns, at most ``limit`` at a time. Bounded by the number of instances."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._rolling: dict[str, None] = {}
        self._waiting: dict[str, None] = {}

    def ask(self, instance_id: str) -> str:
        """Take a turn; empty if it was given, else why not."""
        if instance_id in self._rolling or len(self._rolling) < self._limit:
            self._waiting.pop(instance_id, None)
            self._rolling[instance_id] = None
            return ""
        self._waiting[instance_id] = None
        return f"{len(self._rolling)} of at most {self._limit} instances are being rolled"

    def release(self, instance_id: str) -> tuple[str, ...]:
        """The instance is ready (or gone): returns those who may ask again."""
        self._waiting.pop(instance_id, None)
        if self._rolling.pop(instance_id, "none") == "none":
            return ()
        free = self._limit - len(self._rolling)
        return tuple(self._waiting)[:free]
