"""The accepted state as the cluster keeps it, verified as an agent does when it starts: what fails counts for nothing.

Here: signature of the index, digest and content of each document. Not here: freshness, which was judged at acceptance.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from agent.model.desired import Document, Entry, Index, Refusal, Standing
from agent.model.errors import AgentError, Refused
from agent.planning.acceptance import Judged, accept
from agent.ports import KeptState, StateStore, Verifier
from agent.wire.codec import parse_document

_LOST = "its document was deleted from the cluster, or altered there: nothing is known that could be believed"


@dataclass(frozen=True, slots=True)
class Kept:
    """What is in force. ``problem``: why none of it can be believed; ``refusals``: documents that cannot, by id.

    ``ahead``: lines of the index that are not in force, since their documents were refused or did not come yet.
    """

    standing: Standing | None = None
    index: Index | None = None
    documents: Mapping[str, Document] = field(default_factory=dict)
    refusals: Mapping[str, Refusal] = field(default_factory=dict)
    unlisted: frozenset[str] = frozenset()
    ahead: Mapping[str, Entry] = field(default_factory=dict)
    problem: AgentError | None = None


async def kept_state(store: StateStore, verifier: Verifier | AgentError) -> Kept:
    """Read and verify it. Raises Misconfigured where it cannot be understood at all."""
    state = await store.load()
    if state is None:
        return Kept()
    if isinstance(verifier, AgentError):
        return Kept(state.standing, problem=verifier)
    try:
        index = verifier.index(state.index, now=None, newest=None) if state.index else None
    except Refused as refused:
        return Kept(state.standing, problem=refused)
    judged = await _judged(store, state)
    in_force = {key: document.entry for key, document in judged.documents.items()}
    listed = {entry.id: entry for entry in index.entries} if index is not None else state.entries
    return Kept(
        state.standing,
        index,
        judged.documents,
        judged.refusals,
        frozenset(in_force.keys() - listed.keys()),
        {key: entry for key, entry in listed.items() if key not in judged.refusals and entry != in_force.get(key)},
    )


async def _judged(store: StateStore, state: KeptState) -> Judged:
    entries = {entry.digest: entry for entry in state.entries.values()}
    judged = Judged(floors=state.floors)
    async for page in store.documents():
        judged = accept([entries[one] for one in page if one in entries], page, before=judged, parse=parse_document)
    lost = {
        entry.id: Refusal(entry, "Lost", _LOST)
        for entry in entries.values()
        if entry.id not in judged.documents and entry.id not in judged.refusals
    }
    return Judged(judged.documents, {**judged.refusals, **lost}, judged.floors)
