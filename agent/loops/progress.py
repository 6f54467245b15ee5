"""What one pass over one instance has done so far, and what the record shall say of it at the next save."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from agent.model.changes import Change
from agent.model.desired import Document
from agent.model.errors import AgentError
from agent.model.instance import Instance, State
from agent.model.objects import Inventory, Manifest, ObjectRef, Owned
from agent.planning.fields import Fields, members, pack, text, unpack
from agent.planning.rounds import share_of


@dataclass(frozen=True, slots=True)
class Look:
    """How closely a pass looks. ``again``: what failed is tried anew. ``survey``: also kinds that no watch covers.
    ``compare``: every object is compared in full, by an apply that is not carried out; ``shares``: only these shares
    of them are (``planning.rounds``). ``secrets``: secret values are read again where they come from.
    ``restarts``: components to be started anew, with the moment.
    """

    again: bool = False
    survey: bool = False
    compare: bool = False
    shares: frozenset[int] = frozenset()
    secrets: bool = False
    restarts: Mapping[str, str] = field(default_factory=dict)

    def __or__(self, other: Look) -> Look:
        return Look(
            self.again or other.again,
            self.survey or other.survey,
            self.compare or other.compare,
            self.shares | other.shares,
            self.secrets or other.secrets,
            latest(self.restarts, other.restarts),
        )

    @property
    def comparing(self) -> bool:
        """Whether anything is compared in full."""
        return self.compare or bool(self.shares)

    def compares(self, ref: ObjectRef) -> bool:
        """Whether this object is."""
        return self.compare or share_of(str(ref)) in self.shares


@dataclass(slots=True)
class Progress:
    """Grows during a pass. ``saved`` is the record as the cluster holds it; ``lines`` what it shall hold, by object.

    ``fresh``: the namespace was made by this very pass, so that nobody else's object can be in it. ``starts`` are the
    numbers that workloads of somebody else's scaling begin with. ``former`` are the objects as they were rendered from
    the document before, where that is still known, and ``changing`` the lines of those that are about to change, as
    they were. ``deferred`` says what the pass left for later. ``unsupplied``: why secret values cannot be had, by the
    path of their field; ``unknown`` are those of which no value is there to go on with.
    """

    document: Document
    inventory: Inventory
    saved: Inventory
    lines: dict[ObjectRef, Owned]
    fields: dict[ObjectRef, Fields] = field(default_factory=dict)
    changes: list[Change] = field(default_factory=list)
    blocked: dict[ObjectRef, AgentError] = field(default_factory=dict)
    starts: dict[ObjectRef, int] = field(default_factory=dict)
    former: dict[ObjectRef, Manifest] = field(default_factory=dict)
    changing: dict[ObjectRef, Owned] = field(default_factory=dict)
    fresh: bool = False
    deferred: str = ""
    leftover: AgentError | None = None
    unsupplied: dict[str, AgentError] = field(default_factory=dict)
    unknown: frozenset[str] = frozenset()

    @classmethod
    def begun(cls, document: Document, inventory: Inventory, *, restarts: Mapping[str, str]) -> Progress:
        """Nothing was done yet."""
        name, namespace = document.instance.name, document.instance.namespace
        wanted = latest(inventory.restarts, restarts)
        named = replace(inventory, name=name, namespace=namespace, restarts=wanted)
        return cls(document, named, inventory, inventory.by_ref())

    @property
    def instance(self) -> Instance:
        """What is wanted."""
        return self.document.instance

    @property
    def lacking(self) -> str:
        """What keeps pods from being started with all that they want, in words; empty if nothing does."""
        if not self.unknown or self.instance.state is not State.RUNNING:
            return ""
        return f"there is no value yet of {', '.join(sorted(self.unknown))}"

    def remember(self, owned: Owned, fields: Fields | None = None) -> None:
        """Keep what was applied, and the fields that it made ours."""
        self.lines[owned.ref] = owned
        if fields is not None:
            self.fields[owned.ref] = fields

    def forget(self, ref: ObjectRef) -> None:
        """Drop what was deleted."""
        self.lines.pop(ref, None)

    def once_ours(self, ref: ObjectRef) -> frozenset[str]:
        """The fields that were ours after the last apply, as the API server writes them."""
        known = self.fields.get(ref) or unpack(self.saved.fields).get(ref) or {}
        return frozenset(text(path) for path in members(known))

    def record(self) -> Inventory:
        """The record as it shall be saved."""
        packed = self.inventory.fields
        if self.fields:
            known = unpack(packed) | self.fields
            packed = pack({ref: fields for ref, fields in known.items() if ref in self.lines})
        return replace(self.inventory, owned=tuple(self.lines.values()), fields=packed)


def latest(some: Mapping[str, str], others: Mapping[str, str]) -> dict[str, str]:
    """The later moment of each component: an order that is carried out once more moves none back."""
    return {name: max(some.get(name, ""), others.get(name, "")) for name in {**some, **others}}
