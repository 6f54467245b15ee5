"""What is kept of a live object: only what some decision needs, so that thousands of instances fit into memory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from agent.model.objects import ObjectRef


@dataclass(frozen=True, slots=True)
class Workload:
    """A Deployment or StatefulSet in numbers of pods. ``current``: its controller has seen its newest spec.

    ``wanted`` is what the object asks for now, whoever said so; ``total`` counts every pod that is still there.
    """

    wanted: int
    current: bool
    total: int = 0
    ready: int = 0
    updated: int = 0


@dataclass(frozen=True, slots=True)
class Work:
    """A Job: whether it completed, and what its controller said if it failed for good."""

    complete: bool = False
    failed: str = ""


@dataclass(frozen=True, slots=True)
class Life:
    """A pod: why it does not run, in Kubernetes' own words; empty if nothing is wrong with it."""

    trouble: str = ""


@dataclass(frozen=True, slots=True)
class Home:
    """A namespace: what keeps it from ending, in the words of its controller."""

    blockers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Claim:
    """A volume claim: the size that it asks for, as Kubernetes writes it."""

    size: str = ""


Detail: TypeAlias = Workload | Work | Life | Home | Claim | None


@dataclass(frozen=True, slots=True)
class Seen:
    """One object as the cluster showed it last.

    ``uid`` is the server's name for this very incarnation, ``version`` its resource version. ``labels`` are only those
    of our own domain. ``ownership`` is the digest of the fields that the server records as applied by us, empty if it
    records none; ``applied_at`` is when an apply of ours last changed something, in the server's words; ``holders`` are
    the other managers that hold fields of it, the latest first, status writers left out.
    """

    ref: ObjectRef
    uid: str = ""
    version: int = 0
    labels: Mapping[str, str] = field(default_factory=dict)
    terminating: bool = False
    ownership: str = ""
    applied_at: str = ""
    holders: tuple[str, ...] = ()
    detail: Detail = None
