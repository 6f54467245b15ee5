"""What the loops see of the world: clock, control plane, cluster, telemetry. Edges implement these; tests may too."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from agent.model.desired import Entry, Index, Standing
from agent.model.errors import AgentError
from agent.model.facts import Fact
from agent.model.guard import Guard
from agent.model.identity import Life
from agent.model.journal import Deed
from agent.model.lease import LeaseRecord
from agent.model.objects import MANAGER, Inventory, KnownSecret, Manifest, ObjectRef, Owned
from agent.model.observed import Seen
from agent.model.orders import OrderBook
from agent.model.secrets import FoundSecrets, SecretWant


class Clock(Protocol):
    """Time as the loops see it."""

    def now(self) -> datetime:
        """The present wall-clock time, in UTC."""
        ...

    def monotonic(self) -> float:
        """Seconds that never go back, for durations."""
        ...

    def boottime(self) -> float:
        """Seconds that never go back and go on while the machine sleeps: what a lease runs by."""
        ...

    async def wait(self, event: asyncio.Event, *, seconds: float) -> bool:
        """Wait until the event is set (True) or the seconds are over (False)."""
        ...

    def later(self, seconds: float, call: Callable[[], None]) -> asyncio.TimerHandle:
        """Call once after so many seconds, unless the handle is cancelled."""
        ...


class Loop(Protocol):
    """Something that works until it is told to stop."""

    name: str

    async def run(self, stop: asyncio.Event) -> None:
        """Work; return soon after ``stop`` is set."""
        ...


class Fence(Protocol):
    """What stands between us and every write."""

    def check(self) -> None:
        """Raise NotLeading if no write may start now; never waits."""
        ...


class Leases(Protocol):
    """The one Lease that the replicas of this agent compete for."""

    async def read(self) -> LeaseRecord | None:
        """The record as it stands; None: there is none."""
        ...

    async def write(self, record: LeaseRecord) -> LeaseRecord:
        """Create the record, or replace the one at its ``resource_version``; raises Conflict if it is not the one."""
        ...

    def changes(self, record: LeaseRecord | None) -> AsyncGenerator[LeaseRecord | None, None]:
        """What becomes of the record after this state of it, as it happens, until the server ends the watch."""
        ...


@dataclass(frozen=True, slots=True)
class IndexAnswer:
    """A new signed index as it came over the wire, and the tag to ask with next time."""

    envelope: bytes
    etag: str


class ControlPlane(Protocol):
    """The remote control plane, as seen through an outbound mTLS connection."""

    @property
    def skew_seconds(self) -> float | None:
        """How far our clock is ahead of the control plane's, by its last answer; None before the first."""
        ...

    async def poll(self, *, etag: str, wait_seconds: float) -> IndexAnswer | None:
        """Ask for the index; None: nothing newer than ``etag`` came within the wait.

        Raises Retryable (nobody answers) or NotAuthorised (our certificate is not accepted).
        """
        ...

    async def documents(self, entries: Sequence[Entry]) -> Mapping[str, bytes]:
        """The bytes of documents by digest. Never more bytes than each entry's size; digests are not judged here."""
        ...

    async def report(self, *, stream: str, sequence: int, body: bytes) -> None:
        """Deliver one batch of reports; sent again under the same stream and sequence it counts once."""
        ...


class Verifier(Protocol):
    """Judges what comes from the control plane before anybody acts on it."""

    def index(self, envelope: bytes, *, now: datetime | None, newest: Standing | None) -> Index:
        """The verified index. ``now`` None: freshness was judged when it was accepted, do not judge it again.

        Raises Refused: forged, expired, for another cluster, older than ``newest``, malformed.
        """
        ...


class Credentials(Protocol):
    """Who we are and whom we believe. What is new is got first, then kept by a ``Vault``, and used only after that."""

    @property
    def life(self) -> Life:
        """When our certificate begins and ends, and whether its authority still issues."""
        ...

    @property
    def trust(self) -> int:
        """The version of our trust bundle."""
        ...

    async def next_trust(self) -> Mapping[str, bytes] | None:
        """What to keep for the next step of trust; None: we know the newest bundle. Raises Refused or Retryable."""
        ...

    def believe(self, content: Mapping[str, bytes]) -> None:
        """Go by this trust from now on."""
        ...

    async def next_identity(self) -> Mapping[str, bytes]:
        """What to keep as our next identity. Raises NotAuthorised, Refused or Retryable."""
        ...

    def become(self, content: Mapping[str, bytes]) -> None:
        """Be this from now on; calls in flight finish as they began."""
        ...


class Vault(Protocol):
    """Where identity and trust are kept; each replacement raises Conflict if another one stands there by now."""

    async def identity(self) -> Mapping[str, bytes]:
        """The identity that is kept; raises Conflict if it was deleted."""
        ...

    async def trust(self) -> Mapping[str, bytes]:
        """The trust that is kept; raises Conflict if it was deleted."""
        ...

    async def keep_identity(self, content: Mapping[str, bytes]) -> None:
        """Keep it in place of the one before."""
        ...

    async def keep_trust(self, content: Mapping[str, bytes]) -> None:
        """Keep it in place of the one before."""
        ...


@dataclass(frozen=True, slots=True)
class KeptState:
    """What the cluster keeps of the accepted state, but for the documents; none of it is verified when it was loaded.

    ``index`` is the signed envelope, ``entries`` are those in force by instance id. ``floors``: the revision that was
    in force last, of instances that have no document any more.
    """

    index: bytes
    entries: Mapping[str, Entry]
    standing: Standing
    resource_version: str
    floors: Mapping[str, int] = field(default_factory=dict)


class StateStore(Protocol):
    """The accepted desired state, kept in the cluster so that a restart needs nobody."""

    async def load(self) -> KeptState | None:
        """What was accepted last; None before the first acceptance."""
        ...

    def documents(self) -> AsyncIterator[Mapping[str, bytes]]:
        """Every document that is kept, by digest, some at a time; to be read to the end after each ``load``."""
        ...

    def holds(self, digest: str) -> bool:
        """Whether that document is kept, as far as is known from ``documents`` and ``hold``."""
        ...

    async def hold(self, documents: Mapping[str, bytes]) -> None:
        """Keep these documents, by digest; they are in force only once ``swap`` says so."""
        ...

    async def swap(self, state: KeptState, *, index: Index) -> KeptState:
        """Replace the head, provided that it is still at ``state.resource_version``; raises Conflict if not.

        ``index`` is the verified one that the state follows.
        """
        ...

    async def sweep(self) -> None:
        """Delete the documents that the last ``load`` or ``swap`` does not refer to."""
        ...


class Inventories(Protocol):
    """The record of what was applied, per instance, kept in the cluster."""

    async def load_all(self) -> Mapping[str, Inventory | AgentError]:
        """Every inventory by instance id; in the place of one that cannot be understood, the error that says why."""
        ...

    async def load(self, instance_id: str) -> Inventory | AgentError | None:
        """That of one instance; None if there is none."""
        ...

    async def save(self, inventory: Inventory) -> Inventory:
        """Write it, provided that it is still at its ``resource_version``; raises Conflict if not."""
        ...

    async def forget(self, inventory: Inventory) -> None:
        """Delete it, with the same precondition."""
        ...


@dataclass(frozen=True, slots=True)
class KeyDemand:
    """A key that an instance needs: its name in the Secret, and how it looks (``fernet``, ``password``, ``token``).
    ``length`` None: what is usual for the form.
    """

    name: str
    form: str
    length: int | None = None


@dataclass(frozen=True, slots=True)
class KeyPlace:
    """Where an instance's keys belong: the Secret that its pods read, and the labels that it carries."""

    instance_id: str
    namespace: str
    secret: str
    labels: Mapping[str, str]

    @property
    def ref(self) -> ObjectRef:
        """What names the Secret."""
        return ObjectRef("v1", "Secret", self.namespace, self.secret)


@dataclass(frozen=True, slots=True)
class HeldKeys:
    """The keys of an instance, on their way to where the pods read them. Only checksums are ever told or kept."""

    checksums: Mapping[str, str]
    values: Mapping[str, bytes] = field(repr=False)


class Keys(Protocol):
    """Generated keys: made once in the cluster, with a second copy in the agent's namespace."""

    async def hold(
        self, place: KeyPlace, demands: Sequence[KeyDemand], *, known: Collection[str], fresh: bool
    ) -> HeldKeys:
        """Make or restore the second copy of the keys. ``fresh``: the instance's namespace is not there yet.

        Raises KeyLost where a ``known`` key (one that was made before) is left nowhere.
        """
        ...

    async def place(self, place: KeyPlace, held: HeldKeys, *, fresh: bool) -> Owned:
        """Put the keys where the pods read them; returns the Secret as the inventory shall remember it.

        Raises ObjectRefused where a Secret of that name is somebody else's.
        """
        ...

    async def forget(self, instance_id: str) -> None:
        """Delete the second copy: only on a tombstone that retains no keys."""
        ...


class SecretValues(Protocol):
    """The secret values that documents name: found where they are, and put where the instance's pods read them."""

    async def find(
        self, place: KeyPlace, wants: Sequence[SecretWant], *, known: Mapping[str, KnownSecret]
    ) -> FoundSecrets:
        """Read and open them. ``known``: what was known of them last.

        What is wrong with one value is its problem in the answer; what ails the server or our rights is raised.
        """
        ...

    async def place(self, place: KeyPlace, found: FoundSecrets, *, keep: Collection[str]) -> Owned:
        """Put them into the instance's Secret; the values of ``keep`` (paths) stay there as they are.

        Raises ObjectRefused where a Secret of that name is somebody else's, Missing where a value to keep is gone.
        """
        ...


class Cluster(Protocol):
    """The Kubernetes cluster as it is seen: a cache of what is there, and ways to look closer."""

    async def started(self) -> None:
        """Return when the first full listing of every watched kind is there, wherever it is allowed."""
        ...

    def blind(self, namespace: str) -> AgentError | None:
        """Why it is not known what is in a namespace, so that nothing may be judged absent there; None if it is."""
        ...

    def seen(self, instance_id: str) -> Mapping[ObjectRef, Seen]:
        """Every object labelled for the instance, as last seen or as our own last write left it."""
        ...

    async def survey(self, instance_id: str, namespace: str) -> None:
        """List the metadata of the instance's objects that no watch keeps up to date."""
        ...

    async def read(self, ref: ObjectRef) -> Manifest | None:
        """One whole object straight from the server; None if it does not exist."""
        ...

    def touched(self) -> AsyncIterator[str]:
        """Ids of instances of which an object changed, each soon after the change; never ends."""
        ...

    def requests(self) -> Mapping[str, int]:
        """How many requests were made since the start, by verb."""
        ...

    def failures(self) -> tuple[AgentError, ...]:
        """Why kinds cannot be watched at present; empty if all can."""
        ...


class Verbs(Protocol):
    """What may be done to the cluster. What is changed shows in ``Cluster.seen`` at once."""

    async def apply(
        self, manifest: Manifest, *, manager: str = MANAGER, force: bool = False, dry_run: bool = False
    ) -> Manifest:
        """Server-side apply; returns the live object, or with ``dry_run`` what it would become.

        A ``metadata.resourceVersion`` in the manifest is a precondition. Raises FieldConflict, ObjectRefused,
        NotAuthorised or Retryable.
        """
        ...

    async def scale(self, seen: Seen, replicas: int) -> None:
        """Set the replicas of a workload that is still as it was seen; raises Conflict if it is not."""
        ...

    async def grow(self, claim: Seen, size: str) -> None:
        """Ask for a larger volume; raises ObjectRefused where its storage class cannot."""
        ...

    async def delete(self, seen: Seen, *, orphan: bool = False) -> bool:
        """Delete that very incarnation (uid precondition); an object that is gone already is a success.

        ``orphan`` leaves alone what it owns. Returns whether it is gone; False: it waits for finalizers or its pods.
        """
        ...


class GuardRules(Protocol):
    """The customer's own rules, which no control plane can change."""

    async def read(self) -> Guard:
        """The rules as they are written now, or what holds where nothing is; raises Refused where they are broken."""
        ...


class Journal(Protocol):
    """What was done to an instance that cannot be undone by applying again: written before it is done."""

    async def append(self, instance_id: str, deeds: Sequence[Deed]) -> None:
        """Add to the instance's one history; raises Conflict where another agent wrote to it meanwhile."""
        ...

    async def read(self, instance_id: str) -> tuple[Deed, ...]:
        """The history that is kept, oldest first."""
        ...

    async def forget(self, instance_id: str) -> None:
        """Delete it: the instance is gone."""
        ...


class OrderJournal(Protocol):
    """Which orders were begun and how they ended: written before an effect begins, so that none happens twice."""

    async def load(self) -> OrderBook:
        """What is known; raises Misconfigured where it cannot be understood."""
        ...

    async def save(self, book: OrderBook) -> OrderBook:
        """Write it, provided that it is still at its ``resource_version``; raises Conflict if not."""
        ...


class Telemetry(Protocol):
    """Where facts go."""

    def emit(self, fact: Fact) -> None:
        """State a fact; never blocks, never raises."""
        ...
