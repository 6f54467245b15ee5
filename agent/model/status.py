"""What is told upward: how an instance fares and how the agent itself does."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from agent.model.changes import Change
from agent.model.conditions import Condition
from agent.model.desired import Standing
from agent.model.spool import SpoolStanding


@dataclass(frozen=True, slots=True)
class ComponentStatus:
    """How many pods of a component there shall be and how many are ready."""

    name: str
    desired: int
    ready: int


@dataclass(frozen=True, slots=True)
class InstanceStatus:
    """How one instance fares. ``revision`` was applied last; ``changes`` are those of the last pass that made any."""

    id: str
    name: str
    namespace: str
    revision: int
    state: str
    conditions: tuple[Condition, ...]
    components: tuple[ComponentStatus, ...]
    changes: tuple[Change, ...]
    observed_at: datetime


@dataclass(frozen=True, slots=True)
class AgentStatus:
    """How the agent does: what it accepted last, its conditions, and how many requests it made by verb.

    ``trust``: the version of the trust bundle that it goes by, 0 before it is known.
    """

    version: str
    cluster: str
    standing: Standing
    conditions: tuple[Condition, ...]
    requests: Mapping[str, int]
    observed_at: datetime
    outbox: SpoolStanding = field(default_factory=SpoolStanding)
    trust: int = 0
