"""What holds of acceptance whatever is listed, carried out, lost and restarted: no revision ever goes back."""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from agent.cluster import heads
from agent.model.desired import Entry, Standing
from agent.model.instance import State
from agent.planning.acceptance import Judged, accept, in_force, news, remember, settle
from agent.ports import KeptState
from agent.wire.codec import parse_document
from tests.support.builders import an_entry, document_bytes
from tests.support.wire import an_index, some_entries

IDS = [entry.id for entry in some_entries(3)]
Listed = dict[str, tuple[int, bool]]
"""What an index says of each instance: its revision, and whether it is a tombstone."""
indexes = st.dictionaries(st.sampled_from(IDS), st.tuples(st.integers(1, 6), st.booleans()), max_size=3)


def a_line(instance_id: str, revision: int, *, dead: bool) -> tuple[Entry, bytes]:
    raw = document_bytes(instance_id, state="deleted" if dead else "running", team=f"r{revision}")
    return an_entry(raw, instance_id, revision=revision), raw


class Acceptance(RuleBasedStateMachine):
    """An agent's accepted state through indexes, work, lost documents and restarts."""

    def __init__(self) -> None:
        super().__init__()
        self.judged = Judged()
        self.highest: dict[str, int] = {}
        self.finished: set[str] = set()
        self.version = 0
        self.head: dict[str, bytes] = {}
        self.documents: dict[str, bytes] = {}

    @rule(listed=indexes)
    def index_comes(self, listed: Listed) -> None:
        lines = [a_line(one, revision, dead=dead) for one, (revision, dead) in sorted(listed.items())]
        entries = [entry for entry, _ in lines]
        fetched = {entry.digest: raw for entry, raw in lines}
        fresh = news(entries, before=self.judged)
        assert all(
            in_force(entry, self.judged) or entry.id in self.judged.refusals for entry in entries if entry not in fresh
        )
        judged = accept(fresh, fetched, before=self.judged, parse=parse_document)
        finished = {one for one in self.finished if judged.documents.get(one) is self.judged.documents.get(one)}
        self.judged = settle(judged, listed=listed.keys(), finished=finished)
        self.finished = finished & self.judged.documents.keys()
        self.documents |= fetched
        self.version += 1
        in_head = {one: document.entry for one, document in self.judged.documents.items()}
        state = KeptState(b"", in_head, Standing(3, self.version), "", self.judged.floors)
        self.head = heads.write(state, index=an_index(self.version, *entries))

    @rule(instance_id=st.sampled_from(IDS))
    def tombstone_is_carried_out(self, instance_id: str) -> None:
        document = self.judged.documents.get(instance_id)
        if document is not None and document.instance.state is State.DELETED:
            self.finished.add(instance_id)

    @rule(instance_id=st.sampled_from(IDS))
    def document_is_lost(self, instance_id: str) -> None:
        document = self.judged.documents.get(instance_id)
        if document is not None:
            self.documents.pop(document.entry.digest, None)

    @rule()
    def agent_restarts(self) -> None:
        self.finished = set()
        self.judged = Judged()
        if self.head:
            head = heads.read(self.head)
            found = [entry for entry in head.entries.values() if entry.digest in self.documents]
            judged = accept(found, self.documents, before=Judged(floors=head.floors), parse=parse_document)
            self.judged = remember(judged, head.entries.values())

    @invariant()
    def no_revision_goes_back(self) -> None:
        for instance_id, document in self.judged.documents.items():
            revision = document.entry.revision
            assert revision >= self.highest.get(instance_id, 0)
            self.highest[instance_id] = revision

    @invariant()
    def nothing_that_was_in_force_goes_without_a_floor(self) -> None:
        for instance_id, highest in self.highest.items():
            document = self.judged.documents.get(instance_id)
            assert document is not None or self.judged.floors[instance_id] >= highest


TestAcceptance = Acceptance.TestCase
