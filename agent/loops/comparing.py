"""The full comparison: what would applying change, now that nobody's ownership says that anything has?

An apply that is not carried out goes through admission and validation as a real one does. Where it would change
nothing, the server keeps the time of our last apply; that is the whole answer, and nothing needs to be read.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from agent.loops.effects import Effects
from agent.loops.progress import Look, Progress
from agent.model.changes import Action, Change
from agent.model.errors import FieldConflict, ObjectRefused
from agent.model.objects import ObjectRef, Owned, Rendered
from agent.model.observed import Seen
from agent.planning.diff import Planned
from agent.planning.fields import text, without
from agent.planning.ownership import applied_at

_WHY = "its values differ from what was applied, although nobody took a field over"


async def compare(
    effects: Effects, progress: Progress, rendered: Sequence[Rendered], look: Look
) -> tuple[Planned, ...]:
    """The repairs that a full comparison asks for; writes nothing."""
    seen = effects.cluster.seen(progress.instance.id)
    return tuple([
        Planned(Change(one.ref, Action.REPAIR, _WHY), one)
        for one in rendered
        if look.compares(one.ref) and await _differs(effects, progress, one, seen)
    ])  # fmt: skip


async def _differs(effects: Effects, progress: Progress, one: Rendered, seen: Mapping[ObjectRef, Seen]) -> bool:
    owned, live = progress.lines.get(one.ref), seen.get(one.ref)
    if owned is None or live is None or live.terminating:
        return False  # the ordinary comparison has something to say about it already
    if owned.ceded and await _given_up(effects, one, owned):
        return True
    lean = without(one.manifest, (ceded.path for ceded in owned.ceded))
    try:
        would = await effects.verbs.apply(lean, dry_run=True)
    except (FieldConflict, ObjectRefused):
        return True  # applying in earnest judges the conflict, or tells the refusal
    return applied_at(would) != live.applied_at


async def _given_up(effects: Effects, one: Rendered, owned: Owned) -> bool:
    """Whether a field that was left to others is no longer held: who holds fields beside it shows nothing of that."""
    try:
        await effects.verbs.apply(one.manifest, dry_run=True)
    except FieldConflict as conflict:
        held = {field.field for field in conflict.fields}
        return any(text(ceded.path) not in held for ceded in owned.ceded)
    except ObjectRefused:
        pass
    return True
