"""How one planned change is carried out: read what is there, judge what can be done about it, apply.

Here: strangers' objects, immutable fields, contested fields, the hand-over of replicas. Not here: which changes are
needed and in which order (passes), or the judgements themselves (planning).
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from agent.loops.contests import Contests
from agent.loops.effects import Effects
from agent.loops.progress import Progress
from agent.model.changes import Action, Change
from agent.model.errors import AgentError, Conflict, FieldConflict, ImmutableField
from agent.model.objects import SCALE_MANAGER, Ceded, Manifest, ObjectRef
from agent.model.observed import Seen
from agent.planning import adoption
from agent.planning.conflict import Verdict, judge
from agent.planning.diff import Planned, explained
from agent.planning.fields import members, text, without
from agent.planning.immutable import Passage, Way, passage
from agent.planning.observing import observed
from agent.planning.ownership import digest_of, fields_of, intact, owned_as
from agent.planning.scaling import REPLICAS

_TRIES = 4
"""An object whose status is being written changes under our hands; after so many tries the pass comes again."""


@dataclass(frozen=True, slots=True)
class _Target:
    """One object on its way: what is wanted, the change that leads there, and what the server shows now."""

    manifest: Manifest
    change: Change
    live: Manifest | None

    @property
    def ref(self) -> ObjectRef:
        """What names it."""
        return self.change.ref


class Applier:
    """Carries planned changes out."""

    def __init__(self, effects: Effects) -> None:
        self._effects = effects
        self._contests = Contests()

    def forget(self, instance_id: str) -> None:
        """The instance is gone."""
        self._contests.forget(instance_id)

    async def carry_out(self, progress: Progress, planned: Planned) -> None:
        """Make one change; raises what stands in its way."""
        began = self._effects.clock.monotonic()
        target = self._familiar(progress, planned) or await self._looked_at(progress, planned)
        change = await self._apply(progress, target)
        progress.changes.append(change)
        self._effects.done(progress.instance.id, change, since=began)

    def _familiar(self, progress: Progress, planned: Planned) -> _Target | None:
        """The target without a look, where we know what is there: just what we applied, and it changes in place."""
        ref, manifest = planned.change.ref, planned.rendered.manifest
        former, owned = progress.former.get(ref), progress.changing.get(ref)
        if former is None or owned is None or owned.ceded or ref in progress.starts:
            return None
        as_applied = intact(owned, self._effects.cluster.seen(progress.instance.id).get(ref))
        if not as_applied or owned.rendered != digest_of(former) or passage(manifest, former).way is not Way.IN_PLACE:
            return None
        return _Target(manifest, explained(planned.change, manifest, former), None)

    async def _looked_at(self, progress: Progress, planned: Planned) -> _Target:
        """The target after a look at what is there, with the way cleared."""
        # In a namespace that was made a moment ago there is nothing to look at.
        live = None if progress.fresh else await self._effects.cluster.read(planned.change.ref)
        target = _Target(planned.rendered.manifest, planned.change, live)
        if live is None:
            return target
        adoption.judge(live, progress.instance)
        return await self._passable(progress, replace(target, change=explained(target.change, target.manifest, live)))

    async def _passable(self, progress: Progress, target: _Target) -> _Target:
        """Clear the way where the object cannot change in place."""
        assert target.live is not None
        way = passage(target.manifest, target.live)
        if way.way is Way.REFUSE:
            raise ImmutableField(f"{target.ref}: {way.why}", hint="go back to what it was, or make a new instance")
        if way.way is Way.IN_PLACE:
            return target
        await self._grow(progress, target.ref, way)
        why = f"{way.why}: it is made again"
        live, change = observed(target.live), Change(target.ref, Action.DELETE, why)
        await self._effects.write_down(progress.instance.id, [(live, change)])
        orphan = way.way is Way.REMAKE
        gone = await self._effects.delete(progress.instance.id, live, change, orphan=orphan)
        progress.changes.append(change)
        if not gone and await self._effects.cluster.read(target.ref) is not None:
            raise Conflict(f"{target.ref} is still being deleted, to be made again")
        return replace(target, live=None, change=Change(target.ref, Action.CREATE, why))

    async def _grow(self, progress: Progress, ref: ObjectRef, way: Passage) -> None:
        """Volumes grow before anything is deleted: where the storage class cannot, nothing else has happened."""
        for name, claim in self._claims(progress, ref, way):
            change = Change(claim.ref, Action.UPDATE, f"its size grows to {way.growth[name]}")
            await self._effects.verbs.grow(claim, way.growth[name])
            progress.changes.append(change)

    def _claims(self, progress: Progress, ref: ObjectRef, way: Passage) -> list[tuple[str, Seen]]:
        seen = self._effects.cluster.seen(progress.instance.id).values()
        return [
            (name, one)
            for name in way.growth
            for one in seen
            if one.ref.kind == "PersistentVolumeClaim" and one.ref.name.startswith(f"{name}-{ref.name}-")
        ]

    async def _apply(self, progress: Progress, target: _Target) -> Change:
        if target.ref in progress.starts:
            return await self._apply_scaled(progress, target)
        return await self._send(progress, target)

    async def _apply_scaled(self, progress: Progress, target: _Target) -> Change:
        """A sole owner that stops sending ``replicas`` scales to one: so the field gets its other owner first."""
        present = progress.starts[target.ref]
        if target.live is None:
            spec = {**target.manifest["spec"], "replicas": present}
            await self._effects.verbs.apply({**target.manifest, "spec": spec}, force=False)
        elif REPLICAS in set(members(fields_of(target.live) or {})):
            present = target.live["spec"].get("replicas") or present  # zero is how we put it to sleep
        else:
            return await self._send(progress, target)
        number = _only_replicas(target.manifest, present)
        if target.live is not None and not target.live["spec"].get("replicas", 1):
            await self._effects.verbs.apply(_as_of(target.live, number), manager=SCALE_MANAGER, force=True)
        else:
            with suppress(FieldConflict):  # somebody scaled it this very moment: then the field has an owner already
                await self._effects.verbs.apply(number, manager=SCALE_MANAGER)
        return await self._send(progress, replace(target, live=await self._effects.cluster.read(target.ref)))

    async def _send(self, progress: Progress, target: _Target) -> Change:
        try:
            live = await self._effects.verbs.apply(target.manifest)
        except FieldConflict:
            return await self._contest(progress, target)
        _remember(progress, target, live)
        return target.change

    async def _contest(self, progress: Progress, target: _Target) -> Change:
        """Take back what was ours, leave the rest to who holds it; nothing but what was judged is forced."""
        last: AgentError = Conflict(f"{target.ref} keeps changing while it is applied")
        for _ in range(_TRIES):
            live = await self._effects.cluster.read(target.ref)
            if live is None:
                raise Conflict(f"{target.ref} went while it was applied")
            try:
                return await self._judged(progress, target, live)
            except (Conflict, FieldConflict) as error:
                last = error
        raise last

    async def _judged(self, progress: Progress, target: _Target, live: Manifest) -> Change:
        adoption.judge(live, progress.instance)  # in a new namespace nobody looked before
        # What others took since the first try must be judged like the rest: so the conflict is asked for again, in the
        # very state to which force is then applied.
        verdict = Verdict((), ())
        try:
            after = await self._effects.verbs.apply(_as_of(live, target.manifest))
        except FieldConflict as conflict:
            verdict = judge(conflict.fields, live, ours=self._ours(progress, target))
            lean = without(target.manifest, (ceded.path for ceded in verdict.left))
            force = bool(verdict.forced) and not verdict.unclear
            after = await self._effects.verbs.apply(_as_of(live, lean), force=force)
        _remember(progress, target, after, left=verdict.left)
        if verdict.forced:
            self._contests.count(progress.instance.id, target.ref, self._effects.clock.monotonic())
        return _told(target.change, verdict.left)

    def _ours(self, progress: Progress, target: _Target) -> frozenset[str] | None:
        if self._contests.endless(progress.instance.id, target.ref, self._effects.clock.monotonic()):
            return frozenset()
        known = progress.lines.get(target.ref)
        if (known is None or not known.uid) and adoption.handed_over(target.ref, progress.instance):
            return None
        ours = progress.once_ours(target.ref)
        ceded = known.ceded if known is not None else ()
        return ours - {text(one.path) for one in ceded}


def _remember(progress: Progress, target: _Target, after: Manifest, *, left: tuple[Ceded, ...] = ()) -> None:
    known = progress.lines.get(target.ref)
    owned = owned_as(target.manifest, after, ceded=left)
    # What a sleeper had before it slept is known nowhere else.
    progress.remember(replace(owned, parked=known.parked if known is not None else None), fields_of(after))


def _as_of(live: Manifest, manifest: Manifest) -> Manifest:
    """The manifest, to be applied only while the object is as it was read."""
    metadata = {**manifest["metadata"], "resourceVersion": live["metadata"]["resourceVersion"]}
    return {**manifest, "metadata": metadata}


def _only_replicas(manifest: Manifest, replicas: int) -> Manifest:
    metadata = manifest["metadata"]
    return {
        "apiVersion": manifest["apiVersion"],
        "kind": manifest["kind"],
        "metadata": {"name": metadata["name"], "namespace": metadata["namespace"]},
        "spec": {"replicas": replicas},
    }


def _told(change: Change, left: Sequence[Ceded]) -> Change:
    if not left:
        return change
    fields = ", ".join(f"{text(one.path)} (held by {one.manager})" for one in left)
    return replace(change, why=f"{change.why}; left out: {fields}")
