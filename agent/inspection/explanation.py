"""Why an instance is as it is: since when, what it waits for, what is left to others, what was done and by whom."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from agent.inspection.fleet import Fleet, Found, UnknownName, fleet
from agent.inspection.proposal import Proposal, proposal
from agent.inspection.sight import Sight
from agent.model.conditions import Condition, Truth
from agent.model.instance import State
from agent.model.journal import Deed
from agent.model.objects import Manifest, ObjectRef, Owned, Rendered, Stage
from agent.model.observed import Home, Seen
from agent.planning.diff import diff
from agent.planning.fields import unpack
from agent.planning.health import pod_troubles
from agent.planning.ownership import digest_of, intact
from agent.planning.provenance import Holding, Lost, holdings, lost
from agent.rendering import render

_MOST_PODS = 100
"""So many pods are asked since when they are ready."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """``since`` is by the condition's type, where the cluster tells it. ``proposal`` is by ownership alone."""

    fleet: Fleet
    found: Found
    deeds: tuple[Deed, ...]
    since: Mapping[str, datetime] = field(default_factory=dict)
    troubles: tuple[str, ...] = ()
    blockers: tuple[str, ...] = ()
    proposal: Proposal | None = None


@dataclass(frozen=True, slots=True)
class ObjectAccount:
    """What is known of one object. ``wanted`` is the digest of the manifest that is rendered now, empty: it is not.

    ``verdict`` says in words how what is there stands to what was applied and is wanted.
    """

    ref: ObjectRef
    seen: Seen | None
    owned: Owned | None
    verdict: str
    stage: Stage | None = None
    wanted: str = ""
    holdings: tuple[Holding, ...] = ()
    lost: tuple[Lost, ...] = ()


async def explanation(sight: Sight, which: str) -> Explanation:
    """Look closely at one instance."""
    looked = await fleet(sight, which)
    (found,) = looked.found
    sight = replace(sight, policy=looked.policy)
    tried = None
    if found.document is not None and found.damage is None:
        tried = await proposal(sight, found.document, found.inventory, quick=True)
    return Explanation(
        looked,
        found,
        await sight.journal.read(found.id),
        await _since(sight, found),
        pod_troubles(found.seen),
        tuple(
            blocker for one in found.seen.values() if isinstance(one.detail, Home) for blocker in one.detail.blockers
        ),
        tried,
    )


async def account(sight: Sight, explained: Explanation, named: str) -> ObjectAccount:
    """Look closely at one object of the instance, named as Kind/name; raises UnknownName if it has none such."""
    found, sight = explained.found, replace(sight, policy=explained.fleet.policy)
    rendered = {one.ref: one for one in _rendered(sight, found)}
    ref = _named(named, {*rendered, *found.inventory.by_ref(), *found.seen})
    live = await sight.cluster.read(ref)
    wanted, owned = rendered.get(ref), found.inventory.by_ref().get(ref)
    return ObjectAccount(
        ref,
        found.seen.get(ref),
        owned,
        _verdict(found, ref, wanted),
        stage=wanted.stage if wanted is not None else None,
        wanted=digest_of(wanted.manifest) if wanted is not None else "",
        holdings=holdings(live) if live is not None else (),
        lost=lost(unpack(found.inventory.fields).get(ref, {}), live) if live is not None else (),
    )


def _rendered(sight: Sight, found: Found) -> tuple[Rendered, ...]:
    document = found.document
    if document is None or document.instance.state is State.DELETED:
        return ()
    return render(sight.policy.inputs(document.instance, found.inventory))


def _named(named: str, refs: Iterable[ObjectRef]) -> ObjectRef:
    kind, _, name = named.partition("/")
    known = sorted(refs)
    for ref in known:
        if (ref.kind.lower(), ref.name) == (kind.lower(), name):
            return ref
    near = [f"{ref.kind}/{ref.name}" for ref in known if kind.lower() in {ref.kind.lower(), ""} or name == ref.name]
    hint = f"it has {', '.join(near[:8])}" if near else "write it as Kind/name, as in Deployment/airflow-scheduler"
    raise UnknownName(f"the instance has no object {named}", hint=hint)


def _verdict(found: Found, ref: ObjectRef, wanted: Rendered | None) -> str:
    owned, seen = found.inventory.by_ref().get(ref), found.seen.get(ref)
    if wanted is not None:
        planned = diff([wanted], remembered=found.inventory.by_ref(), seen=found.seen)
        if planned:
            return f"{planned[0].change.action}: {planned[0].change.why}"
    if seen is None:
        return "it is not there"
    if seen.terminating:
        return "it is being deleted"
    if owned is None:
        return "it carries the instance's label and was not applied by us"
    if wanted is None and found.document is not None and ref.kind != "Secret":
        return "it is no longer part of the instance"
    return "as it was applied" if intact(owned, seen) else "not as it was applied"


async def _since(sight: Sight, found: Found) -> Mapping[str, datetime]:
    """Since when conditions are what they are, as far as pods and our own applies tell."""
    conditions = {one.type: one for one in found.status.conditions} if found.status is not None else {}
    pods = [ref for ref in found.seen if ref.kind == "Pod"][:_MOST_PODS]
    turned = [moment for ref in pods if (moment := _turned(await sight.cluster.read(ref), conditions)) is not None]
    applied = [datetime.fromisoformat(one.applied_at) for one in found.seen.values() if one.applied_at]
    since: dict[str, datetime] = {}
    if turned:
        since["Ready"] = max(turned) if conditions["Ready"].status is Truth.TRUE else min(turned)
    if applied and "Progressing" in conditions:
        since["Progressing"] = max([*applied, *turned] if conditions["Progressing"].status is Truth.FALSE else applied)
    return since


def _turned(pod: Manifest | None, conditions: Mapping[str, Condition]) -> datetime | None:
    """When a pod became ready, or ceased to be, whichever the instance's own condition is about."""
    if pod is None or "Ready" not in conditions:
        return None
    for one in (pod.get("status") or {}).get("conditions") or ():
        same = one.get("status") == ("True" if conditions["Ready"].status is Truth.TRUE else "False")
        if one.get("type") == "Ready" and same and one.get("lastTransitionTime"):
            return datetime.fromisoformat(one["lastTransitionTime"])
    return None
