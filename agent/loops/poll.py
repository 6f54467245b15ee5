"""When desired state is asked for: always, one long poll after the other; only what is verified is kept and published.

The order matters: verify the index, fetch what is not held, verify each document, keep all of it in the cluster,
and only then let anybody act on it. What did not change is not looked at again, and a document's bytes are not held in
memory once the cluster has them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Coroutine, Mapping, Sequence
from dataclasses import dataclass

from agent.loops.accepted import Accepted
from agent.loops.guarding import Guarding
from agent.loops.pace import Backoff, give_way
from agent.loops.statuses import Statuses
from agent.loops.trust import Trust
from agent.loops.unforeseen import unforeseen
from agent.model.conditions import Condition, Truth
from agent.model.desired import Desired, Document, Entry, Index, Refusal, Standing
from agent.model.errors import AgentError, Conflict, Refused, Retryable
from agent.model.facts import IndexAccepted, PollAnswered, PollFailed, RevisionAccepted, StateRefused
from agent.planning.acceptance import (
    Judged,
    Screen,
    accept,
    in_force,
    newest,
    news,
    reconsidered,
    remember,
    settle,
)
from agent.planning.clocks import clock_condition, judging_time
from agent.planning.health import refused_status
from agent.ports import Clock, ControlPlane, IndexAnswer, KeptState, StateStore, Telemetry, Verifier
from agent.wire.codec import parse_document
from agent.wire.index import refuse_mixed, signers
from agent.wire.strict import digest


@dataclass(frozen=True, slots=True)
class PollPorts:
    """What polling needs of the world."""

    control_plane: ControlPlane
    verifier: Verifier
    store: StateStore
    telemetry: Telemetry
    clock: Clock


@dataclass(frozen=True, slots=True)
class Learnt:
    """What polling finds out, for the other loops to read."""

    accepted: Accepted
    statuses: Statuses
    trust: Trust


@dataclass(frozen=True, slots=True)
class PollPace:
    """Seconds that a long poll may wait, and the bounds of the waits after failures."""

    wait_seconds: float
    least_backoff_seconds: float
    most_backoff_seconds: float


_JUDGED_AT_ONCE = 25
"""So many documents are judged before the others have a turn: some milliseconds."""
_FETCHED_AT_ONCE = 100
"""The bytes of so many documents are in memory at once."""


class PollLoop:
    """Asks the control plane, verifies, keeps, publishes."""

    name = "poll"

    def __init__(self, ports: PollPorts, learnt: Learnt, *, pace: PollPace, guarding: Guarding) -> None:
        self._ports = ports
        self._trust = learnt.trust
        self._accepted = learnt.accepted
        self._statuses = learnt.statuses
        self._pace = pace
        self._backoff = Backoff(pace.least_backoff_seconds, pace.most_backoff_seconds)
        self._kept: KeptState | None = None
        self._index: Index | None = None
        self._judged = Judged()
        self._etag = ""
        self._guarding = guarding
        self._screened_by = 0

    async def run(self, stop: asyncio.Event) -> None:
        """Restore what the cluster keeps, then poll until told to stop."""
        async with asyncio.TaskGroup() as group:
            polling = group.create_task(self._poll_for_ever(), name="poll-for-ever")
            await stop.wait()
            polling.cancel()  # a long poll that is cut loses nothing: the next one asks with the same tag

    async def _poll_for_ever(self) -> None:
        while not await self._tried(self._restore()):
            pass
        await self._guarding.known.wait()
        while True:
            self._claim_freshness()
            await self._tried(self._poll_once())

    async def _tried(self, step: Coroutine[None, None, None]) -> bool:
        """Take one step; after a failure, say so and wait."""
        try:
            await step
        except AgentError as error:
            self._claim_clock()
            await self._failed(error)
            return False
        except Exception as error:  # noqa: BLE001 - what nobody foresaw of an index must not stop what is in force
            await self._failed(unforeseen(error))
            return False
        self._backoff.reset()
        return True

    async def _failed(self, error: AgentError) -> None:
        self._say(error)
        self._trust.changed.clear()  # only what changes from here on is a reason to try again at once
        self._trust.about(error)
        wait = self._backoff.next()
        if isinstance(error, Retryable) and error.after_seconds is not None:
            wait = max(wait, error.after_seconds)
        await self._ports.clock.wait(self._trust.changed, seconds=wait)

    async def _restore(self) -> None:
        """Go on from what the cluster keeps, and from nothing else."""
        self._judged = Judged()
        await self._adopt()

    async def _adopt(self) -> None:
        """Take over what the cluster keeps: signatures are judged again, freshness was judged at acceptance.

        What is in force here and lost there, or older there, stays.
        """
        self._etag = ""
        self._kept = kept = await self._ports.store.load()
        try:
            if kept is not None and kept.index:
                self._index = self._ports.verifier.index(kept.index, now=None, newest=None)
        except Refused as refused:
            # The agent was enrolled anew, with a control plane that did not sign what is kept: that counts for nothing
            # any more, not even its age, but nothing is touched either until this control plane says what shall be.
            self._say(refused)
            self._kept, kept = KeptState(b"", {}, Standing(0, 0), kept.resource_version if kept else ""), None
        self._judged = newest(self._judged, await self._read(kept))
        if kept is not None:
            listed = (
                frozenset(entry.id for entry in self._index.entries) if kept.index and self._index else kept.entries
            )
            self._publish(kept.standing, self._judged, listed)

    async def _read(self, kept: KeptState | None) -> Judged:
        """The documents that are kept, judged again by what they say; without a state of ours, none of them counts."""
        entries = {entry.digest: entry for entry in kept.entries.values()} if kept is not None else {}
        judged = Judged(floors=kept.floors if kept is not None else {})
        async for page in self._ports.store.documents():
            judged = await self._judge([entries[one] for one in page if one in entries], page, before=judged)
        return remember(judged, entries.values())

    async def _judge(
        self,
        entries: Sequence[Entry],
        documents: Mapping[str, bytes],
        *,
        before: Judged,
        screen: Screen | None = None,
    ) -> Judged:
        """Judge these lines, some at a time: the first index of a large cluster must not hold up everybody else."""
        judged = before
        for begin in range(0, len(entries), _JUDGED_AT_ONCE):
            part = entries[begin : begin + _JUDGED_AT_ONCE]
            judged = accept(part, documents, before=judged, parse=parse_document, screen=screen)
            await give_way()
        return judged

    def _reconsider(self) -> None:
        """Where the customer's rules are others than before, have the whole index again and judge by these."""
        if self._screened_by != self._guarding.generation:
            self._screened_by = self._guarding.generation
            judged = reconsidered(self._judged)
            if judged is not self._judged:
                self._judged, self._etag = judged, ""

    async def _poll_once(self) -> None:
        self._reconsider()
        began = self._ports.clock.monotonic()
        answer = await self._ports.control_plane.poll(etag=self._etag, wait_seconds=self._pace.wait_seconds)
        took = self._ports.clock.monotonic() - began
        self._ports.telemetry.emit(PollAnswered(answer is not None, took))
        self._claim_clock()
        if answer is not None:
            await self._take(answer)
        self._claim("Connected", Truth.TRUE, "PollAnswered", "the control plane answers")

    async def _take(self, answer: IndexAnswer) -> None:
        standing = self._kept.standing if self._kept is not None else None
        now = judging_time(self._ports.clock.now(), self._ports.control_plane.skew_seconds)
        index = self._ports.verifier.index(answer.envelope, now=now, newest=standing)
        self._trust.named(index.trust)
        if self._index is not None:
            refuse_mixed(index, held=self._index)
        judged, missing = await self._fetched(index)
        listed = frozenset(entry.id for entry in index.entries)
        judged = settle(judged, listed=listed, finished=self._accepted.finished())
        before = self._judged
        await self._keep(index, judged)
        self._state_revisions(before)
        self._publish(index.standing, judged, listed)
        # Only here: what was restored was accepted long ago, and must not make an agent look in step that is not.
        self._ports.telemetry.emit(IndexAccepted(index.standing, len(judged.documents)))
        self._claim("DesiredStateAccepted", Truth.TRUE, "Verified", f"{index.standing.epoch}.{index.standing.version}")
        self._claim_unknown(index.unknown_fields)
        if missing:
            raise Retryable(f"the control plane lists documents that it does not have, of {', '.join(missing[:3])}")
        self._etag = answer.etag
        await self._ports.store.sweep()  # last, since nobody waits for it

    async def _fetched(self, index: Index) -> tuple[Judged, list[str]]:
        """What the index means for each instance, and those of which the control plane has no document.

        Documents are fetched, judged and kept by portions: their bytes are in memory no longer than that takes.
        """
        store, before = self._ports.store, self._judged
        fresh = news(index.entries, before=before)
        judged = await self._judge([entry for entry in fresh if in_force(entry, before)], {}, before=before)
        wanted = [entry for entry in fresh if not in_force(entry, before)]
        # What is in force and was lost from the cluster is fetched to be kept again.
        wanted += [entry for entry in index.entries if in_force(entry, before) and not store.holds(entry.digest)]
        missing: list[str] = []
        for begin in range(0, len(wanted), _FETCHED_AT_ONCE):
            portion = wanted[begin : begin + _FETCHED_AT_ONCE]
            fetched = await self._ports.control_plane.documents(portion)
            judged = await self._judge(portion, fetched, before=judged, screen=self._guarding.screen)
            kept = {entry.digest for entry in portion if in_force(entry, judged)}
            await store.hold({one: raw for one, raw in fetched.items() if one in kept and digest(raw) == one})
            missing += [entry.id for entry in portion if entry.digest not in fetched]
        return judged, missing

    async def _keep(self, index: Index, judged: Judged) -> None:
        """Move the head to what is in force, unless it says just that."""
        kept = self._kept or KeptState(b"", {}, Standing(0, 0), "")
        entries = {instance_id: document.entry for instance_id, document in judged.documents.items()}
        state = KeptState(kept.index, entries, index.standing, kept.resource_version, judged.floors)
        # Signed with other keys, it is kept anew: those of before may not be trusted for ever.
        if state != kept or signers(kept.index) != signers(index.raw):
            try:
                self._kept = await self._ports.store.swap(state, index=index)
            except Conflict:
                await self._adopt()  # another agent accepted meanwhile: the next answer is judged against that
                raise
        self._index, self._judged = index, judged

    def _state_revisions(self, before: Judged) -> None:
        """State which documents came into force; only now, since only now the cluster keeps them."""
        for instance_id, document in self._judged.documents.items():
            held = before.documents.get(instance_id)
            if held is None or held.entry != document.entry:
                self._ports.telemetry.emit(RevisionAccepted(document.entry))

    def _publish(self, standing: Standing, judged: Judged, listed: Collection[str]) -> None:
        before = self._accepted.desired
        for instance_id, refusal in judged.refusals.items():
            if before.refusals.get(instance_id) is not refusal:
                self._refuse(refusal, judged.documents)
        for instance_id in before.refusals.keys() - judged.refusals.keys() - judged.documents.keys():
            self._statuses.forget(instance_id)
        unlisted = frozenset(judged.documents).difference(listed)
        orders = self._index.orders if self._index is not None else ()
        self._accepted.publish(Desired(standing, judged.documents, judged.refusals, unlisted, orders))

    def _refuse(self, refusal: Refusal, documents: Mapping[str, Document]) -> None:
        instance_id = refusal.entry.id
        self._ports.telemetry.emit(StateRefused(instance_id, refusal.reason, refusal.message))
        if instance_id not in documents:
            self._statuses.put(refused_status(refusal, self._ports.clock.now()))

    def _say(self, error: AgentError) -> None:
        if isinstance(error, Refused):
            self._ports.telemetry.emit(StateRefused("index", error.reason, error.explain()))
            self._claim("DesiredStateAccepted", Truth.FALSE, error.reason, error.explain())
            return
        self._ports.telemetry.emit(PollFailed(error.reason, error.explain()))
        self._claim("Connected", Truth.FALSE, error.reason, error.explain())

    def _claim_clock(self) -> None:
        skew = self._ports.control_plane.skew_seconds
        if skew is not None:
            self._statuses.claim(clock_condition(skew, at=self._ports.clock.now()))

    def _claim_unknown(self, names: tuple[str, ...]) -> None:
        if names:
            message = f"this agent does not know: {', '.join(names)}"
            self._claim("UnknownFields", Truth.TRUE, "NewerThanAgent", message)
        else:
            self._claim("UnknownFields", Truth.FALSE, "AllKnown", "")

    def _claim_freshness(self) -> None:
        """Say whether anybody still vouches for what is in force; it stays in force all the same."""
        if self._index is None:
            return
        ends = self._index.expires_at
        until = ends.isoformat(timespec="seconds")
        if judging_time(self._ports.clock.now(), self._ports.control_plane.skew_seconds) < ends:
            self._claim("DesiredStateStale", Truth.FALSE, "Fresh", f"what is in force holds until {until}")
        else:
            message = f"what is in force was to hold until {until}; it is kept so until something newer comes"
            self._claim("DesiredStateStale", Truth.TRUE, "IndexExpired", message)

    def _claim(self, claim: str, status: Truth, reason: str, message: str) -> None:
        self._statuses.claim(Condition(claim, status, reason, message, self._ports.clock.now()))
