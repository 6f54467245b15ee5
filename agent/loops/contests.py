"""Fields that go to and fro: how often an object was taken back lately, so that no fight goes on for ever."""

from __future__ import annotations

from collections import deque

from agent.model.objects import ObjectRef

_WITHIN_SECONDS = 3600.0
_ENOUGH = 3
_REMEMBERED = 10_000


class Contests:
    """Counts, per object, how often something was forced back within the hour. Bounded: the oldest are forgotten."""

    def __init__(self) -> None:
        self._times: dict[tuple[str, ObjectRef], deque[float]] = {}

    def count(self, instance_id: str, ref: ObjectRef, now: float) -> None:
        """Something of the object was taken back."""
        times = self._times.pop((instance_id, ref), None) or deque[float](maxlen=_ENOUGH)
        times.append(now)
        self._times[instance_id, ref] = times
        if len(self._times) > _REMEMBERED:
            del self._times[next(iter(self._times))]

    def endless(self, instance_id: str, ref: ObjectRef, now: float) -> bool:
        """Whether it was taken back so often that the other side will not give in either."""
        times = self._times.get((instance_id, ref))
        return times is not None and len(times) == _ENOUGH and now - times[0] < _WITHIN_SECONDS

    def forget(self, instance_id: str) -> None:
        """The instance is gone."""
        for key in [key for key in self._times if key[0] == instance_id]:
            del self._times[key]
