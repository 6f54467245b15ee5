"""Conditions: claims about an instance or the agent, with a reason for machines and a message for people."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum


class Truth(StrEnum):
    """Kubernetes' three values of a condition."""

    TRUE = "True"
    FALSE = "False"
    UNKNOWN = "Unknown"


@dataclass(frozen=True, slots=True)
class Condition:
    """A claim (``type``, CamelCase). ``since`` is when its truth last changed, not when it was last seen."""

    type: str
    status: Truth
    reason: str
    message: str
    since: datetime


def carried_over(new: Iterable[Condition], old: Iterable[Condition]) -> tuple[Condition, ...]:
    """The new conditions, each keeping its old ``since`` while its status is unchanged."""
    before = {condition.type: condition for condition in old}
    return tuple(
        replace(condition, since=before[condition.type].since)
        if condition.type in before and before[condition.type].status == condition.status
        else condition
        for condition in new
    )
