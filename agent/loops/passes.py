"""One pass over one instance that shall exist: look, decide, apply stage by stage, remember. May stop anywhere.

Here: the order of effects. Not here: how one change is carried out (applying), the decisions (planning), what objects
look like (rendering), when (reconcile).
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from agent.loops.applying import Applier
from agent.loops.comparing import compare
from agent.loops.effects import Effects
from agent.loops.founding import Founding
from agent.loops.guarding import Guarding
from agent.loops.homes import Homes
from agent.loops.progress import Look, Progress
from agent.loops.renderings import Rendering, Renderings
from agent.loops.rolls import Rolls
from agent.loops.surveys import Surveys
from agent.model.changes import Action, Change
from agent.model.desired import Document
from agent.model.errors import AgentError, FieldConflict, ImmutableField, ObjectRefused, Refused, TooMuchToPrune
from agent.model.instance import Instance
from agent.model.objects import Inventory, ObjectRef, Rendered, Stage
from agent.model.observed import Seen
from agent.planning import guard, pool, scaling, windows
from agent.planning.diff import UNWATCHED, Planned, diff, renewed, settled, superseded
from agent.planning.health import View
from agent.planning.stages import BINDING, SUPPLIED, Expected, Gate, Readiness, failed, gate, order, standing
from agent.rendering import RENDERER_VERSION, AgentAccount, RenderInputs

_PARALLEL_APPLIES = 8
_ROLLING = frozenset({"Deployment", "StatefulSet"})
Pending = tuple[Stage, Gate]


@dataclass(frozen=True, slots=True)
class Policy:
    """The agent's own rules: where it lives, as whom it works, how much one pass may prune, and which renderer's
    version stands for what it renders; and the customer's rules. ``pool``: the only namespaces that it may work in;
    empty: it makes them itself.
    """

    agent_namespace: str
    account: AgentAccount | None
    prune_limit: int
    renderer: str = RENDERER_VERSION
    guarding: Guarding = field(kw_only=True)
    pool: frozenset[str] = frozenset()

    def inputs(self, instance: Instance, known: Inventory) -> RenderInputs:
        """What an instance is rendered from under these rules, and by its record."""
        secrets, restarts = known.secret_checksums, known.restarts
        return RenderInputs(instance, known.keys, self.account, secrets, restarts, given=bool(self.pool))


class KeepPass:
    """Makes the cluster show what a document wants, as far as it can be done now."""

    def __init__(self, effects: Effects, policy: Policy, rolls: Rolls) -> None:
        self._effects = effects
        self._policy = policy
        self.rolls = rolls
        self._applier = Applier(effects)
        self.homes = Homes()
        self._renderings = Renderings(policy.inputs, given=bool(policy.pool))
        self._surveys = Surveys(effects.cluster)
        self._founding = Founding(effects, self._renderings, self._surveys)

    async def run(self, document: Document, inventory: Inventory, *, look: Look) -> View:
        """One pass; never raises AgentError, but tells it in the view, beside what was done before it."""
        progress = Progress.begun(document, inventory, restarts=look.restarts)
        pending: Pending | None = None
        error: AgentError | None = None
        try:
            self._judge_place(progress)
            self._judge(progress)
            pending = await self._pass(progress, look)
            await self._save(progress)
        except AgentError as failure:
            error = await self._rescued(progress, failure)
        return View(
            document=document,
            inventory=progress.saved,
            seen=self._effects.cluster.seen(document.instance.id),
            changes=tuple(progress.changes),
            pending=pending,
            error=error,
            blocked=tuple(progress.blocked.values()),
            leftover=progress.leftover,
            deferred=progress.deferred,
            unsupplied=tuple(progress.unsupplied.values()),
        )

    @property
    def policy(self) -> Policy:
        """The agent's own rules, and the customer's."""
        return self._policy

    def _judge_place(self, progress: Progress) -> None:
        instance, inventory = progress.instance, progress.saved
        guard.judge(instance, inventory=inventory, agent_namespace=self._policy.agent_namespace)
        if self._policy.pool:
            pool.judge(instance, self._policy.pool, inventory=inventory)
            pool.judge_holder(instance, self.homes.settle(instance.namespace, instance.id))
            if (blind := self._effects.cluster.blind(instance.namespace)) is not None:
                raise blind

    def observe(self, document: Document, inventory: Inventory, *, frozen: str = "") -> View:
        """How an instance fares that nobody may work on; ``frozen`` is why, where not the document says so."""
        seen = self._effects.cluster.seen(document.instance.id)
        judged = standing([owned.ref for owned in inventory.owned], seen)
        pending = None if judged.readiness is Readiness.READY else (Stage.COMPONENTS, judged)
        return View(document, inventory, seen, pending=pending, frozen=frozen)

    def forget(self, instance_id: str) -> None:
        """The instance is gone: nothing about it needs to be remembered."""
        self._renderings.forget(instance_id)
        self._surveys.forget(instance_id)
        self._policy.guarding.forget(instance_id)
        self._founding.supply.forget(instance_id)
        self._applier.forget(instance_id)
        self.rolls.release(instance_id)

    def _judge(self, progress: Progress) -> None:
        """Raise Refused before anything is done if the customer's rules do not let the instance have its objects.

        Where no good rules are known, what was carried out already may be kept as it is.
        """
        rendering, guarding = self._renderings.of(progress), self._policy.guarding
        if guarding.blind and self._carried_out(progress, rendering):
            return
        try:
            guarding.check(progress.instance, lambda: rendering.objects or self._renderings.whole(progress).objects)
        except Refused:
            self._renderings.forget(progress.instance.id)  # it never was "the document before"
            raise

    def _carried_out(self, progress: Progress, rendering: Rendering) -> bool:
        known = progress.saved
        return known.renderer == self._policy.renderer and known.inputs == rendering.key

    async def _pass(self, progress: Progress, look: Look) -> Pending | None:
        if look.survey and progress.saved.namespace:
            await self._founding.survey(progress, self._applier)
        rendering = self._renderings.of(progress)
        supplied = not self._founding.supply.due(progress, look)
        if supplied and self._finished(progress, rendering) and not look.comparing:
            pending = self._gates(progress, rendering)
            if pending is None:
                # A revision that shows in no object is carried out all the same.
                progress.inventory = replace(progress.inventory, revision=progress.document.entry.revision)
            if pending is None or not look.again or pending[1].readiness is not Readiness.FAILED:
                return pending
        rendering, pending = await self._founding.lay(progress, self._applier)
        if pending is not None:
            return pending
        return await self._build(progress, rendering, look)

    async def _build(self, progress: Progress, rendering: Rendering, look: Look) -> Pending | None:
        rendered = rendering.objects
        if look.again:
            await self._clear_failed(progress, rendering)
        held_back = self._held_back(progress, rendered)
        stages = order(progress.instance.state)
        pending = await self._walk(progress, rendering, stages, held_back)
        walked = pending is None or pending[0] is stages[-1]
        if look.comparing and walked and not held_back:
            # Also where the last stage is not ready: what differs may be why.
            await self._apply(progress, await compare(self._effects, progress, rendered, look))
        if not progress.blocked and walked:
            await self._prune(progress, rendered)
            if not held_back and progress.leftover is None:
                self._conclude(progress, rendering)
        return pending

    def _finished(self, progress: Progress, rendering: Rendering) -> bool:
        known, instance_id = progress.saved, progress.instance.id
        return (
            self._carried_out(progress, rendering)
            and known.name == progress.instance.name
            and settled(known, self._seen(progress), surveyed=self._surveys.made(instance_id))
            and not scaling.due(
                progress.instance.state, known.owned, starts=rendering.starts, seen=self._seen(progress)
            )
        )

    def _held_back(self, progress: Progress, rendered: Sequence[Rendered]) -> frozenset[ObjectRef]:
        """What must not change yet: pods of an instance that only a newer renderer wants to roll."""
        known, instance = progress.saved, progress.instance
        if known.renderer in {"", self._policy.renderer} or known.revision != progress.document.entry.revision:
            return frozenset()
        changed = renewed(rendered, known)
        if not any(ref.kind in _ROLLING for ref in changed):
            return frozenset()
        now = self._effects.clock.now()
        if not windows.open_at(instance.maintenance, now):
            opening = windows.next_opening(instance.maintenance, now)
            when = f"opens at {opening:%Y-%m-%d %H:%M} UTC" if opening else "never opens"
            progress.deferred = f"a newer agent changes its pods; its maintenance window {when}"
        else:
            waits = self.rolls.ask(instance.id)
            progress.deferred = f"a newer agent changes its pods, and {waits}" if waits else ""
        return changed if progress.deferred else frozenset()

    async def _walk(
        self, progress: Progress, rendering: Rendering, stages: Sequence[Stage], held_back: frozenset[ObjectRef]
    ) -> Pending | None:
        for stage in stages:
            if stage in SUPPLIED and progress.lacking:
                return stage, Gate(Readiness.WAITING, None, progress.lacking)
            wanted = [one for one in rendering.objects if one.stage is stage]
            planned = diff(wanted, remembered=progress.lines, seen=self._seen(progress))
            await self._scale(progress, rendering, wanted)
            await self._apply(progress, [one for one in planned if _allowed(one, held_back)])
            await self._scale(progress, rendering, wanted)  # an apply may have found who else holds the replicas
            awaited = [one for one in self._awaited(progress, rendering) if one.stage is stage]
            if stage not in BINDING:
                # What is wrong with one object is no reason to hold up what can do without it.
                awaited = [one for one in awaited if one.ref not in progress.blocked]
            judged = gate(stage, awaited, self._seen(progress))
            if judged.readiness is not Readiness.READY:
                return stage, judged
        return None

    def _gates(self, progress: Progress, rendering: Rendering) -> Pending | None:
        seen = self._seen(progress)
        # What no watch covers need not have been looked at yet.
        awaited = [one for one in self._awaited(progress, rendering) if one.ref.kind not in UNWATCHED]
        for stage in order(progress.instance.state):
            judged = gate(stage, awaited, seen)
            if judged.readiness is not Readiness.READY:
                return stage, judged
        return None

    def _awaited(self, progress: Progress, rendering: Rendering) -> tuple[Expected, ...]:
        return scaling.awaited(progress.instance.state, rendering.awaited, progress.lines)

    def _seen(self, progress: Progress) -> Mapping[ObjectRef, Seen]:
        return self._effects.cluster.seen(progress.instance.id)

    async def _apply(self, progress: Progress, planned: Sequence[Planned]) -> None:
        slots = asyncio.Semaphore(_PARALLEL_APPLIES)
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self._apply_one(progress, one, slots)) for one in planned]
        # What is wrong with one object is no reason to leave the others as they are; what ails the server is.
        for task in tasks:
            failure = task.result()
            if failure is not None:
                raise failure

    async def _apply_one(self, progress: Progress, planned: Planned, slots: asyncio.Semaphore) -> AgentError | None:
        try:
            async with slots:
                await self._applier.carry_out(progress, planned)
        except (FieldConflict, ObjectRefused, ImmutableField) as error:
            progress.blocked[planned.change.ref] = error
        except AgentError as error:
            return error
        return None

    async def _scale(self, progress: Progress, rendering: Rendering, wanted: Sequence[Rendered]) -> None:
        """Carry out what sleep and waking ask of workloads that somebody else scales."""
        lines = [progress.lines[one.ref] for one in wanted if one.ref in progress.lines]
        due = scaling.due(progress.instance.state, lines, starts=rendering.starts, seen=self._seen(progress))
        if not due:
            return
        parked = [one for one in due if one.parked is not None]
        for one in parked:
            progress.remember(replace(progress.lines[one.live.ref], parked=one.parked))
        if parked:
            await self._save(progress)  # what they had is known nowhere else once they are at zero
        await self._effects.write_down(progress.instance.id, [(one.live, one.change) for one in due])
        for one in due:
            await self._set(progress, one)

    async def _set(self, progress: Progress, one: scaling.Scaling) -> None:
        began = self._effects.clock.monotonic()
        if one.replicas != getattr(one.live.detail, "wanted", None):
            await self._effects.verbs.scale(one.live, one.replicas)
            progress.changes.append(one.change)
            self._effects.done(progress.instance.id, one.change, since=began)
        progress.remember(replace(progress.lines[one.live.ref], parked=one.parked))

    async def _clear_failed(self, progress: Progress, rendering: Rendering) -> None:
        """A Job's pod template cannot change and a failed Job never runs again: it makes room for its next try."""
        seen = self._seen(progress)
        spent = [
            seen[one.ref]
            for one in rendering.awaited
            if one.ref.kind == "Job"
            and one.ref in seen
            and not seen[one.ref].terminating
            and failed(one, seen[one.ref])
        ]
        await self._delete(progress, spent, "it failed and is tried again")

    async def _prune(self, progress: Progress, rendered: Sequence[Rendered]) -> None:
        """Delete what was replaced, never while its replacement is blocked; forget lines that stand for nothing."""
        seen = self._seen(progress)
        wanted = {*self._founding.secrets(progress.instance), *(one.ref for one in rendered)}
        going = superseded(wanted, owned=tuple(progress.lines.values()), seen=seen)
        if len(going) > self._policy.prune_limit:
            progress.leftover = TooMuchToPrune(
                f"the document no longer wants {len(going)} objects, more than the {self._policy.prune_limit} that"
                f" one pass may delete: {', '.join(str(one.ref) for one in going[:3])} …",
                hint="remove them in smaller steps, or raise reconcile.pruneLimit",
            )
            return
        await self._delete(progress, going, "it is no longer part of the instance")
        for ref in [ref for ref in progress.lines if ref not in wanted and ref not in seen]:
            progress.forget(ref)

    async def _delete(self, progress: Progress, going: Sequence[Seen], why: str) -> None:
        deeds = [(live, Change(live.ref, Action.DELETE, why)) for live in going]
        if deeds:
            await self._effects.write_down(progress.instance.id, deeds)
        for live, change in deeds:
            await self._effects.delete(progress.instance.id, live, change)
            progress.forget(live.ref)
            progress.changes.append(change)

    def _conclude(self, progress: Progress, rendering: Rendering) -> None:
        """Everything was applied: from now on equal inputs need no rendering."""
        progress.inventory = replace(
            progress.inventory,
            inputs=rendering.key,
            renderer=self._policy.renderer,
            revision=progress.document.entry.revision,
        )

    async def _save(self, progress: Progress) -> None:
        await self._founding.save(progress)

    async def _rescued(self, progress: Progress, failure: AgentError) -> AgentError:
        """Keep the record of what was applied before the failure; what cannot be saved is applied again harmlessly."""
        if not progress.changes:
            return failure
        try:
            await self._save(progress)
        except AgentError as error:
            return error
        return failure


def _allowed(planned: Planned, held_back: frozenset[ObjectRef]) -> bool:
    # Drift is repaired at any time, also where the repair brings the newer form with it.
    return planned.change.ref not in held_back or planned.change.action is not Action.UPDATE
