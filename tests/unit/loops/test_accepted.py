"""Who is woken by a new accepted state, and what is known of tombstones that were carried out."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from agent.loops.accepted import Accepted
from agent.model.desired import Desired, Document, Refusal, Standing
from tests.support.builders import a_document, an_entry

ONE, OTHER = a_document(), a_document("5b1c1f5e-2f8e-4f0c-8a8e-0d5f2f1c9b22")
FIRST = Standing(1, 1)


def desired(*documents: Document, unlisted: frozenset[str] = frozenset()) -> Desired:
    return Desired(FIRST, {document.entry.id: document for document in documents}, {}, unlisted)


async def woken(accepted: Accepted) -> frozenset[str]:
    """Who was woken since the last look; empty if nobody was."""
    try:
        async with asyncio.timeout(0):
            return await accepted.changed()
    except TimeoutError:
        return frozenset()


async def test_only_what_differs_is_woken() -> None:
    accepted = Accepted()
    accepted.publish(desired(ONE, OTHER))
    assert await woken(accepted) == {ONE.entry.id, OTHER.entry.id}
    accepted.publish(desired(ONE, replace(OTHER, entry=replace(OTHER.entry, revision=2))))
    assert await woken(accepted) == {OTHER.entry.id}
    accepted.publish(desired(replace(ONE), replace(OTHER, entry=replace(OTHER.entry, revision=2))))
    assert await woken(accepted) == frozenset()


async def test_who_goes_or_is_unlisted_or_refused_is_woken() -> None:
    accepted = Accepted()
    accepted.publish(desired(ONE, OTHER))
    await woken(accepted)
    accepted.publish(desired(ONE, unlisted=frozenset({ONE.entry.id})))
    assert await woken(accepted) == {ONE.entry.id, OTHER.entry.id}
    refusal = Refusal(an_entry(b"bad"), "Malformed", "")
    accepted.publish(replace(desired(ONE), refusals={ONE.entry.id: refusal}))
    assert await woken(accepted) == {ONE.entry.id}
    accepted.publish(desired(ONE))
    assert await woken(accepted) == {ONE.entry.id}


def test_only_the_document_in_force_can_be_carried_out_and_a_newer_one_is_not() -> None:
    accepted = Accepted()
    accepted.publish(desired(ONE, OTHER))
    accepted.carried_out(replace(ONE))
    assert accepted.finished() == frozenset()
    accepted.carried_out(ONE)
    accepted.carried_out(OTHER)
    accepted.publish(desired(ONE, replace(OTHER)))
    assert accepted.finished() == {ONE.entry.id}
    accepted.publish(desired(OTHER))
    assert accepted.finished() == frozenset()
