"""Desired state after verification: what was accepted, per instance, and what was refused and why."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from agent.model.instance import Instance
from agent.model.orders import Order


@dataclass(frozen=True, slots=True, order=True)
class Standing:
    """How new an index is: epochs grow when a control plane was restored, versions with every change."""

    epoch: int
    version: int


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a signed index: which document an instance has. ``digest`` is the hex SHA-256 of its bytes."""

    id: str
    revision: int
    digest: str
    size: int


@dataclass(frozen=True, slots=True)
class Index:
    """A verified index. ``raw`` are the signed envelope's exact bytes, kept so that a restart can verify it again.

    ``trust`` is the version of the newest trust bundle, 0 where it is not said. ``unknown_fields`` are those that
    this version of the agent does not know and therefore ignores.
    """

    cluster: str
    standing: Standing
    issued_at: datetime
    expires_at: datetime
    entries: tuple[Entry, ...]
    raw: bytes = b""
    trust: int = 0
    unknown_fields: tuple[str, ...] = ()
    orders: tuple[Order, ...] = ()


@dataclass(frozen=True, slots=True)
class Document:
    """One verified document: the parsed instance, and the fields that this version of the agent does not know."""

    entry: Entry
    instance: Instance
    unknown_fields: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Refusal:
    """A document or index that was not accepted: the instance goes on as it was."""

    entry: Entry
    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Desired:
    """The whole accepted state: what each instance shall be, what was refused, what is no longer listed, and orders.

    An unlisted instance keeps its last document: absence is not a delete order.
    """

    standing: Standing
    documents: Mapping[str, Document] = field(default_factory=dict)
    refusals: Mapping[str, Refusal] = field(default_factory=dict)
    unlisted: frozenset[str] = frozenset()
    orders: tuple[Order, ...] = ()
