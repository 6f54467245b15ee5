"""What shall be done to the cluster, each change with its reason for the person who reads the report."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from agent.model.objects import ObjectRef


class Action(StrEnum):
    """What happens to one object."""

    CREATE = "create"
    UPDATE = "update"
    REPAIR = "repair"
    SCALE = "scale"
    DELETE = "delete"


@dataclass(frozen=True, slots=True)
class Change:
    """One change of one object and why it is made."""

    ref: ObjectRef
    action: Action
    why: str
