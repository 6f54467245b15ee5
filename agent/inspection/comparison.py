"""What would change of which instances: those in force, or documents that somebody gives instead."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from agent.inspection.fleet import Records, UnknownName, chosen, informed, records
from agent.inspection.proposal import Proposal, proposal
from agent.inspection.sight import Sight
from agent.model.desired import Document, Entry, Refusal
from agent.model.errors import AgentError, NotAuthorised, Retryable
from agent.model.instance import Instance


@dataclass(frozen=True, slots=True)
class Given:
    """A document that was not accepted; ``unknown`` are fields that this version does not know."""

    instance: Instance
    unknown: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Comparison:
    """What was compared. ``refusals``: by id, documents that are not believed; ``damages``: records beyond reading."""

    records: Records
    proposals: tuple[Proposal, ...] = ()
    refusals: Mapping[str, Refusal] = field(default_factory=dict)
    damages: Mapping[str, AgentError] = field(default_factory=dict)


async def comparison(sight: Sight, which: str, given: Sequence[Given], *, quick: bool) -> Comparison:
    """Compare one instance, or all; where documents are ``given``, theirs."""
    known = await records(sight)
    sight = await informed(sight, known)
    only = {chosen(known.names(), which)} if which else set(known.names())
    documents = _given(known, given, only, named=which) if given else _in_force(known, only)
    refused = {} if given else {key: one for key, one in known.kept.refusals.items() if key in only}
    damages = {
        one.entry.id: damage
        for one in documents
        if isinstance(damage := known.inventories.get(one.entry.id), AgentError)
    }
    sound = [one for one in documents if one.entry.id not in damages]
    await _look(sight, known, sound)
    proposals = [
        _answered(await proposal(sight, one, known.inventory(one.entry.id), quick=quick), quick=quick) for one in sound
    ]
    return Comparison(known, tuple(proposals), refused, damages)


def _in_force(known: Records, only: set[str]) -> list[Document]:
    found = [document for key, document in known.kept.documents.items() if key in only]
    return sorted(found, key=lambda one: (one.instance.name, one.entry.id))


def _given(known: Records, given: Sequence[Given], only: set[str], *, named: str) -> list[Document]:
    """The given documents, as if they were accepted now; those of other instances than the named one are a mistake."""
    strangers = [one.instance for one in given if named and one.instance.id not in only]
    if strangers:
        raise UnknownName(
            f"the given document is of {strangers[0].name} ({strangers[0].id}), not of {named}",
            hint="leave the name out, or give its document",
        )
    return [Document(_unsigned(known, one.instance.id), one.instance, one.unknown) for one in given]


def _unsigned(known: Records, instance_id: str) -> Entry:
    """A line that no index has; the revision would be the next."""
    document = known.kept.documents.get(instance_id)
    accepted = document.entry.revision if document is not None else 0
    return Entry(instance_id, max(accepted, known.inventory(instance_id).revision) + 1, "", 0)


async def _look(sight: Sight, known: Records, documents: Sequence[Document]) -> None:
    if len(documents) != 1:
        await sight.cluster.look()
        return
    (one,) = documents
    home = known.home(one.entry.id) or one.instance.namespace
    await sight.cluster.look(instance_id=one.entry.id, namespace=home)


def _answered(proposed: Proposal, *, quick: bool) -> Proposal:
    """The proposal, if it is one: a cluster that does not answer, or not to us, leaves nothing to compare with."""
    for error in proposed.errors:
        if isinstance(error, NotAuthorised) and not quick:
            raise NotAuthorised(str(error), hint="grant this right, or compare by ownership alone with --quick")
        if isinstance(error, NotAuthorised | Retryable):
            raise error
    return proposed
