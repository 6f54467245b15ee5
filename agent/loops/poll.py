"""When desired state is asked for: always, one long poll after the other; only what is verified is kept and published.

The order matters: verify the index, fetch what is not held, verify each document, keep all of it in the cluster,
and only then let anybody act on it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass, replace

from agent.loops.accepted import Accepted
from agent.loops.pace import Backoff
from agent.loops.statuses import Statuses
from agent.loops.unforeseen import unforeseen
from agent.model.conditions import Condition, Truth
from agent.model.desired import Desired, Document, Entry, Index, Refusal, Standing
from agent.model.errors import AgentError, Conflict, Refused, Retryable
from agent.model.facts import IndexAccepted, PollAnswered, PollFailed, StateRefused
from agent.planning.acceptance import Judged, accept
from agent.planning.health import refused_status
from agent.ports import Clock, ControlPlane, IndexAnswer, KeptState, StateStore, Telemetry, Verifier
from agent.wire.codec import parse_document
from agent.wire.index import refuse_mixed


@dataclass(frozen=True, slots=True)
class PollPorts:
    """What polling needs of the world."""

    control_plane: ControlPlane
    verifier: Verifier
    store: StateStore
    telemetry: Telemetry
    clock: Clock


@dataclass(frozen=True, slots=True)
class PollPace:
    """Seconds that a long poll may wait, and the bounds of the waits after failures."""

    wait_seconds: float
    least_backoff_seconds: float
    most_backoff_seconds: float


class PollLoop:
    """Asks the control plane, verifies, keeps, publishes."""

    name = "poll"

    def __init__(self, ports: PollPorts, accepted: Accepted, statuses: Statuses, *, pace: PollPace) -> None:
        self._ports = ports
        self._accepted = accepted
        self._statuses = statuses
        self._pace = pace
        self._backoff = Backoff(pace.least_backoff_seconds, pace.most_backoff_seconds)
        self._kept: KeptState | None = None
        self._index: Index | None = None
        self._etag = ""

    async def run(self, stop: asyncio.Event) -> None:
        """Restore what the cluster keeps, then poll until told to stop."""
        async with asyncio.TaskGroup() as group:
            polling = group.create_task(self._poll_for_ever(), name="poll-for-ever")
            await stop.wait()
            polling.cancel()  # a long poll that is cut loses nothing: the next one asks with the same tag

    async def _poll_for_ever(self) -> None:
        while not await self._tried(self._restore()):
            pass
        while True:
            await self._tried(self._poll_once())

    async def _tried(self, step: Coroutine[None, None, None]) -> bool:
        """Take one step; after a failure, say so and wait."""
        try:
            await step
        except AgentError as error:
            await self._failed(error)
            return False
        except Exception as error:  # noqa: BLE001 - what nobody foresaw of an index must not stop what is in force
            await self._failed(unforeseen(error))
            return False
        self._backoff.reset()
        return True

    async def _failed(self, error: AgentError) -> None:
        self._say(error)
        wait = self._backoff.next()
        if isinstance(error, Retryable) and error.after_seconds is not None:
            wait = max(wait, error.after_seconds)
        await self._ports.clock.wait(asyncio.Event(), seconds=wait)

    async def _restore(self) -> None:
        """Go on from what the cluster keeps: signatures are judged again, freshness was judged at acceptance."""
        self._kept = await self._ports.store.load()
        if self._kept is None:
            return
        if self._kept.index:
            try:
                self._index = self._ports.verifier.index(self._kept.index, now=None, newest=None)
            except Refused as refused:
                self._disown(self._kept, refused)
                return
        held = [entry for entry in self._kept.entries.values() if entry.digest in self._kept.documents]
        judged = accept(held, self._kept.documents, before={}, parse=parse_document)
        listed = {entry.id for entry in self._index.entries} if self._index is not None else set(self._kept.entries)
        self._publish(self._kept.standing, judged, listed)

    def _disown(self, kept: KeptState, refused: Refused) -> None:
        """The agent was enrolled anew, with a control plane that did not sign what is kept: that counts for nothing
        any more, not even its age, but nothing is touched either until this control plane says what shall be.
        """
        self._say(refused)
        self._kept = KeptState(b"", {}, {}, Standing(0, 0), kept.resource_version)

    async def _poll_once(self) -> None:
        began = self._ports.clock.monotonic()
        answer = await self._ports.control_plane.poll(etag=self._etag, wait_seconds=self._pace.wait_seconds)
        took = self._ports.clock.monotonic() - began
        self._ports.telemetry.emit(PollAnswered(answer is not None, took))
        if answer is not None:
            await self._take(answer)
        self._claim("Connected", Truth.TRUE, "PollAnswered", "the control plane answers")

    async def _take(self, answer: IndexAnswer) -> None:
        newest = self._kept.standing if self._kept is not None else None
        index = self._ports.verifier.index(answer.envelope, now=self._ports.clock.now(), newest=newest)
        if self._index is not None:
            refuse_mixed(index, held=self._index)
        before = self._accepted.desired.documents
        kept = self._kept.documents if self._kept is not None else {}
        wanted = [entry for entry in index.entries if entry.digest not in kept or not _held(entry, before)]
        fetched = await self._ports.control_plane.documents(wanted)
        judged = accept(index.entries, fetched, before=before, parse=parse_document)
        await self._keep(index, judged, fetched)
        self._publish(index.standing, judged, {entry.id for entry in index.entries})
        # Only here: what was restored was accepted long ago, and must not make an agent look in step that is not.
        self._ports.telemetry.emit(IndexAccepted(index.standing, len(judged.documents)))
        self._claim("DesiredStateAccepted", Truth.TRUE, "Verified", f"{index.standing.epoch}.{index.standing.version}")
        self._claim_unknown(index.unknown_fields)
        missing = [entry.id for entry in wanted if entry.digest not in fetched]
        if missing:
            raise Retryable(f"the control plane lists documents that it does not have, of {', '.join(missing[:3])}")
        self._etag = answer.etag
        await self._ports.store.sweep()  # last, since nobody waits for it

    async def _keep(self, index: Index, judged: Judged, fetched: Mapping[str, bytes]) -> None:
        """Keep what is in force, unless the cluster keeps just that: what somebody deleted there is written again."""
        kept = self._kept or KeptState(b"", {}, {}, Standing(0, 0), "")
        held = {**kept.documents, **fetched}
        entries = {document.entry.id: document.entry for document in judged.documents.values()}
        # A document that is no longer listed and was lost from the cluster stays in force in memory alone.
        documents = {entry.digest: held[entry.digest] for entry in entries.values() if entry.digest in held}
        same = kept.standing == index.standing and kept.entries == entries and kept.documents.keys() >= documents.keys()
        if not same or not kept.index:
            state = KeptState(index.raw, documents, entries, index.standing, kept.resource_version)
            try:
                self._kept = await self._ports.store.swap(state)
            except Conflict:
                self._kept = await self._ports.store.load()  # another agent accepted meanwhile: judge against that
                raise
        self._index = index

    def _publish(self, standing: Standing, judged: Judged, listed: set[str]) -> None:
        for refusal in judged.refusals.values():
            self._refuse(refusal, judged.documents)
        unlisted = frozenset(judged.documents) - listed
        self._accepted.publish(Desired(standing, judged.documents, judged.refusals, unlisted))

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

    def _claim_unknown(self, names: tuple[str, ...]) -> None:
        if names:
            message = f"this agent does not know: {', '.join(names)}"
            self._claim("UnknownFields", Truth.TRUE, "NewerThanAgent", message)
        else:
            self._claim("UnknownFields", Truth.FALSE, "AllKnown", "")

    def _claim(self, claim: str, status: Truth, reason: str, message: str) -> None:
        self._statuses.claim(Condition(claim, status, reason, message, self._ports.clock.now()))


def _held(entry: Entry, documents: Mapping[str, Document]) -> bool:
    document = documents.get(entry.id)
    return document is not None and document.entry == replace(entry, revision=document.entry.revision)
