"""Every instance that the accepted state or a record in the agent's namespace names, as it was found."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from itertools import islice

from agent.inspection.judgement import judged
from agent.inspection.kept import Kept, kept_state
from agent.inspection.sight import Sight
from agent.loops.passes import Policy
from agent.model.desired import Document, Refusal
from agent.model.errors import AgentError, Misconfigured, Terminal
from agent.model.lease import LeaseRecord
from agent.model.objects import Ceded, Inventory, Manifest, ObjectRef
from agent.model.observed import Seen
from agent.model.status import InstanceStatus
from agent.planning.diff import UNWATCHED
from agent.planning.health import View, status
from agent.rendering import AgentAccount
from agent.rendering.access import AGENT_BINDING

_NAMED = 8
_TRIED = 3
"""So many bindings are looked for: one may have been deleted by somebody."""


class UnknownName(Terminal):
    """Nothing here has that name or id."""


@dataclass(frozen=True, slots=True)
class Found:
    """One instance: what was accepted and recorded of it, and how it fares; some of that may be missing.

    ``view`` and ``status`` are None where no document is believed; ``refusal`` then says why, if there is one.
    ``ahead`` is a newer revision that is listed and not in force.
    """

    id: str
    inventory: Inventory
    seen: Mapping[ObjectRef, Seen]
    document: Document | None = None
    view: View | None = None
    status: InstanceStatus | None = None
    refusal: Refusal | None = None
    damage: AgentError | None = None
    ahead: int | None = None

    @property
    def name(self) -> str:
        """As the document says, or the record."""
        return self.document.instance.name if self.document is not None else self.inventory.name

    @property
    def namespace(self) -> str:
        """Where it lives, or shall live."""
        return self.inventory.namespace or (self.document.instance.namespace if self.document is not None else "")

    @property
    def ceded(self) -> tuple[tuple[ObjectRef, Ceded], ...]:
        """The fields that are left to others."""
        return tuple((owned.ref, ceded) for owned in self.inventory.owned for ceded in owned.ceded)

    @property
    def missing(self) -> tuple[ObjectRef, ...]:
        """Objects of the record that were looked for and are not there."""
        looked_for = (owned.ref for owned in self.inventory.owned if owned.ref.kind not in UNWATCHED)
        return tuple(ref for ref in looked_for if ref not in self.seen)


@dataclass(frozen=True, slots=True)
class Fleet:
    """What one look at an agent's instances found. ``policy`` is the agent's, as far as it is known by now."""

    kept: Kept
    lease: LeaseRecord | None
    found: tuple[Found, ...]
    policy: Policy


@dataclass(frozen=True, slots=True)
class Records:
    """What the agent's namespace says, before anybody looks at the instances."""

    kept: Kept
    inventories: Mapping[str, Inventory | AgentError] = field(default_factory=dict)

    def names(self) -> dict[str, str]:
        """The name of every instance by its id; empty where nobody knows it."""
        ids = {*self.inventories, *self.kept.documents, *self.kept.refusals, *self.kept.ahead}
        return {one: self._name(one) for one in sorted(ids)}

    def inventory(self, instance_id: str) -> Inventory:
        """The record of an instance; an empty one where there is none, or none that can be understood."""
        known = self.inventories.get(instance_id)
        return known if isinstance(known, Inventory) else Inventory(instance_id)

    def home(self, instance_id: str) -> str:
        """The namespace of an instance."""
        document = self.kept.documents.get(instance_id)
        return self.inventory(instance_id).namespace or (document.instance.namespace if document is not None else "")

    def _name(self, instance_id: str) -> str:
        document = self.kept.documents.get(instance_id)
        return document.instance.name if document is not None else self.inventory(instance_id).name


async def records(sight: Sight) -> Records:
    """Read them. Raises Misconfigured where no agent keeps anything."""
    found = Records(await kept_state(sight.state, sight.verifier), await sight.inventories.load_all())
    if found.kept.standing is None and not found.inventories and isinstance(sight.verifier, AgentError):
        raise Misconfigured(
            f"no agent keeps anything in namespace {sight.policy.agent_namespace} of {sight.server}",
            hint="name the agent's namespace with --namespace, or its cluster with --kubeconfig",
        )
    return found


async def informed(sight: Sight, known: Records) -> Sight:
    """The sight of somebody who knows to whom the agent binds its rights: from a binding that its records name."""
    bindings = (binding for each in known.inventories.values() if (binding := _binding(each)) is not None)
    live = None if sight.configured else await _first(sight, bindings)
    if live is None:
        return sight
    (subject, *_) = live["subjects"]
    account = AgentAccount(subject["namespace"], subject["name"])
    policy = replace(sight.policy, account=account, guarding=sight.policy.guarding.of(account))
    return replace(sight, policy=policy)


def _binding(inventory: Inventory | AgentError) -> ObjectRef | None:
    owned = inventory.owned if isinstance(inventory, Inventory) else ()
    return next((one.ref for one in owned if (one.ref.kind, one.ref.name) == ("RoleBinding", AGENT_BINDING)), None)


async def _first(sight: Sight, refs: Iterable[ObjectRef]) -> Manifest | None:
    """The first of these that is there, as somebody made it: with a subject."""
    for ref in islice(refs, _TRIED):
        live = await sight.cluster.read(ref)
        if live is not None and live.get("subjects"):
            return live
    return None


def chosen(names: Mapping[str, str], which: str) -> str:
    """The id of the instance that somebody means; raises UnknownName if there is none, or more than one."""
    if which in names:
        return which
    found = [instance_id for instance_id, name in names.items() if name == which]
    if not found:
        raise UnknownName(f"no instance has the name or id {which}", hint=f"there are: {_listed(names.values())}")
    if len(found) > 1:
        raise UnknownName(f"several instances are named {which}", hint=f"give the id: {_listed(found)}")
    return found[0]


async def fleet(sight: Sight, which: str = "") -> Fleet:
    """Look at one instance, or at all."""
    known = await records(sight)
    sight = await informed(sight, known)
    names = known.names()
    if which:
        only = chosen(names, which)
        await sight.cluster.look(instance_id=only, namespace=known.home(only))
        await survey(sight, only, known.home(only))
        names = {only: names[only]}
    else:
        await sight.cluster.look()
    lease = await sight.leases.read()
    found = [_found(sight, known, instance_id) for instance_id in names]
    return Fleet(known.kept, lease, tuple(sorted(found, key=lambda one: (one.name, one.id))), sight.policy)


async def survey(sight: Sight, instance_id: str, namespace: str) -> None:
    """Look at the kinds that cost a request for each instance."""
    if namespace:
        await sight.cluster.survey(instance_id, namespace)


def _found(sight: Sight, known: Records, instance_id: str) -> Found:
    kept, held = known.kept, known.inventories.get(instance_id)
    ahead = kept.ahead.get(instance_id)
    found = Found(
        instance_id,
        known.inventory(instance_id),
        sight.cluster.seen(instance_id),
        kept.documents.get(instance_id),
        refusal=kept.refusals.get(instance_id),
        damage=held if isinstance(held, AgentError) else None,
        ahead=ahead.revision if ahead is not None else None,
    )
    if found.document is None:
        return found
    if found.damage is not None:
        view = View(found.document, found.inventory, found.seen, error=found.damage)
    else:
        view = judged(sight, found.document, found.inventory)
    view = replace(view, unlisted=instance_id in kept.unlisted)
    return replace(found, view=view, status=status(view, sight.clock.now()))


def _listed(names: Iterable[str]) -> str:
    shown = sorted(name for name in names if name)
    more = f" and {len(shown) - _NAMED} more" if len(shown) > _NAMED else ""
    return ", ".join(shown[:_NAMED]) + more if shown else "none"
