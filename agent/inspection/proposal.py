"""What the agent would change now, object by object, with fields and reasons: its own passes, tried without effect."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from agent.inspection.sight import Sight
from agent.inspection.trial import (
    Notes,
    Originals,
    Silence,
    TrialCluster,
    TrialInventories,
    TrialJournal,
    TrialKeys,
    TrialSecrets,
    TrialVerbs,
)
from agent.loops.effects import Effects, Records
from agent.loops.passes import KeepPass
from agent.loops.progress import Look
from agent.loops.removal import RemovePass
from agent.loops.rolls import Rolls
from agent.model.changes import Action, Change
from agent.model.desired import Document
from agent.model.errors import AgentError
from agent.model.instance import Instance, State
from agent.model.objects import Inventory, ObjectRef, Rendered, Stage
from agent.planning import scaling
from agent.planning.contrast import FieldChange, birth, contrast
from agent.planning.fields import text, unpack
from agent.planning.health import View
from agent.planning.removal import kept_volumes
from agent.planning.stages import expected, order
from agent.rendering import render

_REPLICAS = "spec.replicas"
_MOST_STEPS = 10
"""A tombstone is carried out in fewer steps."""


@dataclass(frozen=True, slots=True)
class Contested:
    """A field that somebody else holds: left to them, or taken back since they took it from us."""

    field: str
    manager: str
    left: bool


@dataclass(frozen=True, slots=True)
class Proposed:
    """One change. ``way``: how it reaches the object, where not in place. ``held``: why it is not made now."""

    change: Change
    stage: Stage | None = None
    fields: tuple[FieldChange, ...] = ()
    contested: tuple[Contested, ...] = ()
    way: str = ""
    held: str = ""


@dataclass(frozen=True, slots=True)
class Proposal:
    """Everything that would change of one instance. ``errors``: what stands in the way; ``stays``: what outlives it."""

    document: Document
    inventory: Inventory
    changes: tuple[Proposed, ...] = ()
    errors: tuple[AgentError, ...] = ()
    notes: tuple[str, ...] = ()
    stays: tuple[str, ...] = ()


async def proposal(sight: Sight, document: Document, inventory: Inventory, *, quick: bool) -> Proposal:
    """Try it. ``quick``: by ownership alone, without asking the server what would become of each object."""
    if document.instance.state is State.DELETED:
        return await _removal(sight, document, inventory)
    trial = _Trial(sight, document.instance, inventory, quick=quick)
    view = await trial.keep(document)
    if not view.deferred:
        return trial.told(view, made={change.ref for change in view.changes})
    made = {change.ref for change in view.changes}
    open_now = replace(document, instance=replace(document.instance, maintenance=()))
    later = _Trial(sight, document.instance, inventory, quick=quick)
    full = await later.keep(open_now)
    told = later.told(replace(full, deferred=view.deferred), made=made)
    return replace(told, document=document)


async def _removal(sight: Sight, document: Document, inventory: Inventory) -> Proposal:
    trial = _Trial(sight, document.instance, inventory, quick=True)
    changes: list[Change] = []
    left, view = inventory, None
    removing = RemovePass(trial.effects, sight.policy)
    for _ in range(_MOST_STEPS):
        view = await removing.run(document, left)
        changes += view.changes
        if view.gone or view.error is not None or not view.changes:
            break
    assert view is not None
    kept = kept_volumes(view.seen, document.instance.retain)
    errors = (view.error,) if view.error is not None else ()
    waits = (f"waits for {view.waits_for}",) if view.waits_for and not view.gone else ()
    stays = (*(str(one.ref) for one in kept), *(one.value for one in sorted(document.instance.retain)))
    return Proposal(document, inventory, tuple(Proposed(change) for change in changes), errors, waits, stays)


class _Trial:
    """One pass over one instance, tried."""

    def __init__(self, sight: Sight, instance: Instance, inventory: Inventory, *, quick: bool) -> None:
        self._sight = sight
        self._quick = quick
        self._inventory = inventory
        self._notes = Notes(unpack(inventory.fields), _awaited(self._rendered(instance), instance, inventory))
        originals = Originals(sight)
        self._cluster = TrialCluster(sight, self._notes, originals)
        verbs = TrialVerbs(sight, self._notes, originals, quick=quick)
        keys = TrialKeys(self._notes, self._cluster)
        values = TrialSecrets(self._notes, self._cluster)
        records = Records(TrialInventories(sight.inventories), keys, values, TrialJournal(sight.journal))
        self.effects = Effects(self._cluster, verbs, records, Silence(), sight.clock)

    async def keep(self, document: Document) -> View:
        """The pass, with as many prunes and rolls as it takes."""
        policy = replace(self._sight.policy, prune_limit=sys.maxsize)
        keep = KeepPass(self.effects, policy, Rolls(sys.maxsize))
        return await keep.run(document, self._inventory, look=Look(survey=True, compare=not self._quick))

    def told(self, view: View, *, made: set[ObjectRef]) -> Proposal:
        """What it came to. ``made``: the objects that are not held back."""
        merged = _merged((*self._notes.keys, *view.changes))
        places = self._places(view, merged)
        proposed = [
            self._proposed(change, view, stage=places.get(change.ref, (0, None))[1], now=change.ref in made)
            for change in sorted(merged.values(), key=lambda one: _place(one, places))
        ]
        errors = (*((view.error,) if view.error is not None else ()), *view.blocked)
        remarks = tuple(_remarks(view, self._notes))
        return Proposal(view.document, self._inventory, self._within_limit(proposed, places), errors, remarks)

    def _places(self, view: View, changes: Iterable[ObjectRef]) -> Mapping[ObjectRef, tuple[int, Stage | None]]:
        """Each object's place in the order of work; a volume has that of its set."""
        stages = order(view.document.instance.state)
        rendered = self._rendered(view.document.instance, view.inventory)
        ordered = sorted(rendered, key=lambda one: stages.index(one.stage))
        places: dict[ObjectRef, tuple[int, Stage | None]] = {
            one.ref: (place, one.stage) for place, one in enumerate(ordered)
        }
        sets = {f"-{ref.name}-": place for ref, place in places.items() if ref.kind == "StatefulSet"}
        claims = [ref for ref in changes if ref.kind == "PersistentVolumeClaim"]
        return places | {claim: place for claim in claims for name, place in sets.items() if name in claim.name}

    def _rendered(self, instance: Instance, known: Inventory | None = None) -> tuple[Rendered, ...]:
        """What is wanted; nothing, where the pass itself will say what is wrong with it."""
        record = known or self._inventory
        try:
            return render(self._sight.policy.inputs(instance, record))
        except AgentError:
            return ()

    def _proposed(self, change: Change, view: View, *, stage: Stage | None, now: bool) -> Proposed:
        ref = change.ref
        owned = view.inventory.by_ref().get(ref)
        left = {text(one.path) for one in owned.ceded} if owned is not None else set()
        contested = self._notes.contested.get(ref, {})
        orphan = self._notes.deleted.get(ref)
        way = "" if orphan is None or ref not in self._notes.tried else "remake" if orphan else "replace"
        return Proposed(
            change,
            stage,
            self._fields(ref),
            tuple(Contested(name, manager, name in left) for name, manager in sorted(contested.items())),
            way,
            "" if now or change in self._notes.keys else view.deferred,
        )

    def _fields(self, ref: ObjectRef) -> tuple[FieldChange, ...]:
        tried = self._notes.tried.get(ref)
        if tried is None:
            return ()
        if tried.before is None:
            return birth(tried.sent)
        if tried.after is None:
            found = contrast(tried.before, tried.sent, partial=True)
        else:
            found = contrast(tried.before, tried.after)
        ours = ref not in self._notes.handed_over
        return tuple(change for change in found if ours or change.path != _REPLICAS)

    def _within_limit(
        self, proposed: Sequence[Proposed], places: Mapping[ObjectRef, tuple[int, Stage | None]]
    ) -> tuple[Proposed, ...]:
        limit = self._sight.policy.prune_limit
        pruned = [one for one in proposed if one.change.action is Action.DELETE and one.change.ref not in places]
        if len(pruned) <= limit:
            return tuple(proposed)
        held = f"{len(pruned)} objects are no longer wanted, more than the {limit} that one pass may delete"
        return tuple(replace(one, held=held) if one in pruned else one for one in proposed)


def _awaited(rendered: Sequence[Rendered], instance: Instance, inventory: Inventory) -> Mapping[ObjectRef, int]:
    awaited = scaling.awaited(instance.state, expected(rendered), inventory.by_ref())
    return {one.ref: one.replicas for one in awaited if one.replicas is not None}


def _merged(changes: Sequence[Change]) -> dict[ObjectRef, Change]:
    """One change for each object: what is deleted to be made again counts as the update that it is."""
    merged: dict[ObjectRef, Change] = {}
    for change in changes:
        before = merged.get(change.ref)
        again = before is not None and before.action is Action.DELETE and change.action is Action.CREATE
        merged[change.ref] = replace(change, action=Action.UPDATE) if again else change
    return merged


def _place(change: Change, places: Mapping[ObjectRef, tuple[int, Stage | None]]) -> tuple[int, str]:
    """Deletions of what is no longer wanted come last."""
    return places.get(change.ref, (len(places), None))[0], str(change.ref)


def _remarks(view: View, notes: Notes) -> Iterator[str]:
    if view.document.instance.paused:
        yield "the document says paused: none of this is done until it no longer does"
    if view.deferred:
        yield view.deferred
    if view.pending is not None:
        yield f"what comes after cannot be told yet: {view.pending[1].message}"
    if view.blocked:
        yield "nothing is deleted as long as something is in the way"
    if any(change.action is Action.CREATE for change in notes.keys):
        yield "its keys are made then, and the name of its migration follows from them"
