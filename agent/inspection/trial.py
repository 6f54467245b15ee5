"""The ports of a pass over one instance, tried without effect: what it would do is noted down and shown as done.

So the agent's own passes say what they would change now, by the very code that would change it. Applies are tried at
the API server (``dryRun``), where they meet validation, admission and other managers' fields; what cannot be tried,
since something before it does not exist yet, is imagined. Everything that starts is shown as ready, so that a pass does
not stop at its first stage.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

from agent.inspection.sight import Sight
from agent.model.changes import Action, Change
from agent.model.errors import AgentError, FieldConflict, OwnedField
from agent.model.facts import Fact
from agent.model.journal import Deed
from agent.model.objects import MANAGER, SCALE_MANAGER, Inventory, KnownSecret, Manifest, ObjectRef, Owned
from agent.model.observed import Seen, Work, Workload
from agent.model.secrets import FoundSecrets, SecretWant
from agent.planning.fields import Fields, without
from agent.planning.observing import observed
from agent.planning.ownership import digest_of
from agent.planning.provenance import lost
from agent.ports import HeldKeys, Inventories, Journal, KeyDemand, KeyPlace

_REPLICAS = ".spec.replicas"


@dataclass(frozen=True, slots=True)
class Tried:
    """One object as it was sent. ``before`` None: it does not exist. ``after`` None: the server was not asked."""

    sent: Manifest
    before: Manifest | None
    after: Manifest | None


@dataclass(slots=True)
class Notes:
    """What a pass would have done, by object. ``recorded``: the fields of each that were ours after the last apply;
    ``awaited``: how many pods of it are waited for, where that is not as many as it says itself.
    """

    recorded: Mapping[ObjectRef, Fields] = field(default_factory=dict)
    awaited: Mapping[ObjectRef, int] = field(default_factory=dict)
    tried: dict[ObjectRef, Tried] = field(default_factory=dict)
    deleted: dict[ObjectRef, bool] = field(default_factory=dict)
    """With whether what it owns would be left alone."""
    contested: dict[ObjectRef, dict[str, str]] = field(default_factory=dict)
    """Fields that others hold, with the manager that does."""
    handed_over: set[ObjectRef] = field(default_factory=set)
    """Workloads of which only the manager of ``replicas`` would change."""
    keys: list[Change] = field(default_factory=list)
    shown: dict[ObjectRef, Seen] = field(default_factory=dict)


class Originals:
    """Objects as they really are, as they were read last."""

    def __init__(self, sight: Sight) -> None:
        self._real = sight.cluster
        self._known: dict[ObjectRef, Manifest | None] = {}

    async def read(self, ref: ObjectRef) -> Manifest | None:
        """The object as it is now; None if it does not exist."""
        self._known[ref] = await self._real.read(ref)
        return self._known[ref]

    async def known(self, ref: ObjectRef) -> Manifest | None:
        """The object as it was read last, or now for the first time."""
        return self._known[ref] if ref in self._known else await self.read(ref)


class TrialCluster:
    """Implements ``ports.Cluster``: what was seen, with what would have been done laid over it."""

    def __init__(self, sight: Sight, notes: Notes, originals: Originals) -> None:
        self._real = sight.cluster
        self._notes = notes
        self._originals = originals

    async def started(self) -> None:
        """It was looked at already."""

    def blind(self, namespace: str) -> AgentError | None:
        """As it really is."""
        return self._real.blind(namespace)

    def seen(self, instance_id: str) -> Mapping[ObjectRef, Seen]:
        """Every object but pods: their ends and beginnings are not waited for."""
        there = {ref: one for ref, one in self._real.seen(instance_id).items() if ref.kind != "Pod"}
        laid_over = {**there, **self._notes.shown}
        return {ref: self._ready(one) for ref, one in laid_over.items() if self._is_there(ref)}

    async def survey(self, instance_id: str, namespace: str) -> None:
        """Look closer, once."""
        if not self._real.surveyed(instance_id):
            await self._real.survey(instance_id, namespace)

    async def read(self, ref: ObjectRef) -> Manifest | None:
        """The object as it would be by now."""
        tried = self._notes.tried.get(ref)
        if tried is not None:
            return tried.after or _imagined(tried.sent, tried.before)
        return None if ref in self._notes.deleted else await self._originals.read(ref)

    def touched(self) -> AsyncIterator[str]:
        """Nothing is watched."""
        raise NotImplementedError("a trial watches nothing")

    def requests(self) -> Mapping[str, int]:
        """As it really is."""
        return self._real.requests()

    def failures(self) -> tuple[AgentError, ...]:
        """Nothing is watched."""
        return ()

    def _ready(self, one: Seen) -> Seen:
        """The object with all that is waited for: of pods as many as are wanted, whatever it says itself."""
        if isinstance(one.detail, Work):
            return replace(one, detail=Work(complete=True))
        if not isinstance(one.detail, Workload):
            return one
        others = _REPLICAS in self._notes.contested.get(one.ref, {})
        pods = None if others else self._notes.awaited.get(one.ref)
        pods = one.detail.wanted if pods is None else pods
        return replace(one, detail=Workload(one.detail.wanted, current=True, total=pods, ready=pods, updated=pods))

    def _is_there(self, ref: ObjectRef) -> bool:
        return ref in self._notes.tried or ref not in self._notes.deleted


class TrialVerbs:
    """Implements ``ports.Verbs``: nothing is done, and everything is noted. ``quick``: the server is not asked."""

    def __init__(self, sight: Sight, notes: Notes, originals: Originals, *, quick: bool) -> None:
        self._real = sight.verbs
        self._notes = notes
        self._originals = originals
        self._quick = quick

    async def apply(
        self, manifest: Manifest, *, manager: str = MANAGER, force: bool = False, dry_run: bool = False
    ) -> Manifest:
        """What the object would become; raises what a real apply would raise."""
        ref = ObjectRef.of(manifest)
        tried = self._notes.tried.get(ref)
        if manager == SCALE_MANAGER:
            self._notes.handed_over.add(ref)
        if manager == SCALE_MANAGER and tried is None:
            return manifest
        if tried is not None:
            if dry_run:
                self._refuse_left(ref, manifest, tried)
            return tried.after or _imagined(tried.sent, tried.before)
        if dry_run:
            return await self._real.apply(manifest, dry_run=True)
        before = await self._originals.known(ref)
        if self._quick and before is not None and not force:
            self._refuse_taken(ref, manifest, before)
        after = await self._asked(ref, manifest, force=force) if self._can_be_asked(ref) else None
        self._notes.tried[ref] = Tried(manifest, before, after)
        self._notes.shown[ref] = observed(after or _imagined(manifest, before))
        return after or _imagined(manifest, before)

    async def scale(self, seen: Seen, replicas: int) -> None:
        """The workload would have so many replicas."""
        if isinstance(seen.detail, Workload):
            self._notes.shown[seen.ref] = replace(seen, detail=replace(seen.detail, wanted=replicas))

    async def grow(self, claim: Seen, size: str) -> None:
        """The pass itself tells of it."""

    async def delete(self, seen: Seen, *, orphan: bool = False) -> bool:
        """It would be gone at once."""
        self._notes.deleted[seen.ref] = orphan
        return True

    async def _asked(self, ref: ObjectRef, manifest: Manifest, *, force: bool) -> Manifest:
        try:
            return await self._real.apply(manifest, force=force, dry_run=True)
        except FieldConflict as conflict:
            self._notes.contested.setdefault(ref, {}).update({one.field: one.manager for one in conflict.fields})
            raise

    def _refuse_taken(self, ref: ObjectRef, manifest: Manifest, before: Manifest) -> None:
        """Raise the conflict that a server would tell of, as far as ownership shows it: what was ours, others hold."""
        recorded = self._notes.recorded.get(ref, {})
        held = [one for one in lost(recorded, before) if one.to and without(manifest, [one.path]) != manifest]
        if held:
            self._notes.contested[ref] = {one.field: one.to for one in held}
            raise _conflict(ref, self._notes.contested[ref])

    def _refuse_left(self, ref: ObjectRef, manifest: Manifest, tried: Tried) -> None:
        """Raise the conflict again that made the pass leave fields out."""
        contested = self._notes.contested.get(ref)
        if contested and _bare(manifest) != _bare(tried.sent):
            raise _conflict(ref, contested)

    def _can_be_asked(self, ref: ObjectRef) -> bool:
        """Whether the server could try it: its namespace is there, and nothing that would be deleted is in the way."""
        home = self._notes.tried.get(ObjectRef("v1", "Namespace", "", ref.namespace))
        homeless = bool(ref.namespace) and home is not None and home.before is None
        return not self._quick and not homeless and ref not in self._notes.deleted


class TrialKeys:
    """Implements ``ports.Keys``: no key is made, read or placed."""

    def __init__(self, notes: Notes, cluster: TrialCluster) -> None:
        self._notes = notes
        self._cluster = cluster

    async def hold(
        self, place: KeyPlace, demands: Sequence[KeyDemand], *, known: Collection[str], fresh: bool
    ) -> HeldKeys:
        """Those that were never made get a stand-in; of the others the record knows the checksums."""
        del place, fresh
        return HeldKeys({demand.name: digest_of(demand.name) for demand in demands if demand.name not in known}, {})

    async def place(self, place: KeyPlace, held: HeldKeys, *, fresh: bool) -> Owned:
        """They would be put there, made or restored."""
        live = None if fresh else self._cluster.seen(place.instance_id).get(place.ref)
        made = f"its keys are made: {', '.join(sorted(held.checksums))}" if held.checksums else ""
        action = Action.CREATE if live is None and made else Action.REPAIR
        self._notes.keys.append(Change(place.ref, action, made or "its keys are restored from their second copy"))
        return Owned(place.ref, live.uid if live is not None else "not-made-yet")

    async def forget(self, instance_id: str) -> None:
        """The pass itself tells of it."""


class TrialSecrets:
    """Implements ``ports.SecretValues``: no value is read, opened or placed."""

    def __init__(self, notes: Notes, cluster: TrialCluster) -> None:
        self._notes = notes
        self._cluster = cluster

    async def find(
        self, place: KeyPlace, wants: Sequence[SecretWant], *, known: Mapping[str, KnownSecret]
    ) -> FoundSecrets:
        """Of those that come from where they came from, what is known; of others a stand-in."""
        del place
        return FoundSecrets(
            {
                want.path: known[want.path]
                if want.path in known and known[want.path].source == want.source
                else KnownSecret(want.source, digest_of(want.path)[:32])
                for want in wants
            }
        )

    async def place(self, place: KeyPlace, found: FoundSecrets, *, keep: Collection[str]) -> Owned:
        """They would be put there."""
        del keep
        live = self._cluster.seen(place.instance_id).get(place.ref)
        action = Action.CREATE if live is None else Action.UPDATE
        paths = ", ".join(sorted(found.known))
        self._notes.keys.append(Change(place.ref, action, f"the secret values that the document names: {paths}"))
        return Owned(place.ref, live.uid if live is not None else "not-made-yet")


class TrialInventories:
    """Implements ``ports.Inventories``: read, and never written."""

    def __init__(self, real: Inventories) -> None:
        self._real = real

    async def load_all(self) -> Mapping[str, Inventory | AgentError]:
        """As it really is."""
        return await self._real.load_all()

    async def load(self, instance_id: str) -> Inventory | AgentError | None:
        """As it really is."""
        return await self._real.load(instance_id)

    async def save(self, inventory: Inventory) -> Inventory:
        """As if it had been written."""
        return inventory

    async def forget(self, inventory: Inventory) -> None:
        """As if it were gone."""


class TrialJournal:
    """Implements ``ports.Journal``: read, and never written."""

    def __init__(self, real: Journal) -> None:
        self._real = real

    async def append(self, instance_id: str, deeds: Sequence[Deed]) -> None:
        """The pass itself tells of them."""

    async def read(self, instance_id: str) -> tuple[Deed, ...]:
        """As it really is."""
        return await self._real.read(instance_id)

    async def forget(self, instance_id: str) -> None:
        """As if it were gone."""


class Silence:
    """Implements ``ports.Telemetry``: nothing happened."""

    def emit(self, fact: Fact) -> None:
        """Say nothing."""


def _conflict(ref: ObjectRef, contested: Mapping[str, str]) -> FieldConflict:
    fields = tuple(OwnedField(manager, name) for name, manager in contested.items())
    return FieldConflict(f"{ref} has fields that others hold", fields=fields)


def _bare(manifest: Manifest) -> Manifest:
    """Without the precondition."""
    metadata = {key: value for key, value in manifest["metadata"].items() if key != "resourceVersion"}
    return {**manifest, "metadata": metadata}


def _imagined(manifest: Manifest, before: Manifest | None) -> Manifest:
    """What was sent, with what a server would add for the next steps to go by."""
    known = before["metadata"] if before is not None else {}
    kept = {"uid": "not-made-yet", "resourceVersion": "0", "managedFields": []} | {
        key: known[key] for key in ("uid", "resourceVersion", "managedFields") if key in known
    }
    return {**manifest, "metadata": {**manifest["metadata"], **kept}}
