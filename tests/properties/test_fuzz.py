"""Thousands of indexes and documents that nobody would write: no crash, nothing unverified, no more memory than bytes.

A few hundred of each in every run; ``pytest tests/properties/test_fuzz.py --hypothesis-profile=fuzz`` tries 10,000.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from agent.model.desired import Entry, Index
from agent.model.errors import Refused
from agent.model.instance import Instance
from agent.planning.acceptance import Judged, accept
from agent.rendering import render
from agent.wire.codec import parse_document, read_document
from agent.wire.document import AirflowInstanceV1
from agent.wire.envelope import INDEX_TYPE, sign
from agent.wire.frames import Frame
from agent.wire.index import IndexV1, IndexVerifier
from agent.wire.refusals import Reason
from agent.wire.strict import canonical, digest
from tests.support.fuzz import around, fitting, mangled, peak_bytes, spoilt
from tests.support.instances import inputs
from tests.support.wire import (
    CLUSTER,
    INDEX,
    NOW,
    STRANGER,
    a_listed_document,
    a_trust_bundle,
    an_index_envelope,
    some_document_data,
    some_index_data,
)

pytestmark = pytest.mark.timeout(1800)  # thousands of examples take minutes; some hundred, seconds

TRUST = a_trust_bundle()
VERIFIER = IndexVerifier(TRUST, CLUSTER)
GENUINE = an_index_envelope()
LISTED = a_listed_document()
A_LIFE_BYTES, TIMES = 1024 * 1024, 128
"""What judging may hold at once: this much whatever came (tables that are filled on the way), and so many times it."""

many = settings(
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
)


def after(kind: type[Frame], whole: dict[str, Any]) -> st.SearchStrategy[Any]:
    """Data after the schema of this kind, by itself or around a whole and valid one; all of it may be spoilt."""
    schema = kind.model_json_schema(by_alias=True)
    made = fitting(schema, schema.get("$defs", {}))
    return spoilt(made | made.map(lambda drawn: around(whole, drawn)) | st.just(whole))


def judged(take: Callable[[bytes], Any], raw: bytes) -> Any:
    """What was taken, or the refusal; anything else that is raised fails, and so does a waste of memory."""
    found: list[Any] = []

    def judge() -> None:
        try:
            found.append(take(raw))
        except Refused as refused:
            found.append(refused)

    peak = peak_bytes(judge)
    assert peak < A_LIFE_BYTES + TIMES * len(raw), f"{peak} bytes for {len(raw)}"
    if isinstance(found[0], Refused):
        assert found[0].reason in set(Reason)
        assert found[0].path
        assert len(found[0].explain()) < 2000
    return found[0]


def taken(take: Callable[[bytes], Any], raw: bytes) -> Any:
    """What was taken, or None; counted for the statistics."""
    found = judged(take, raw)
    refused = isinstance(found, Refused)
    event(f"refused: {found.reason}" if refused else "taken")
    return None if refused else found


def the_index(envelope: bytes) -> Index:
    return VERIFIER.index(envelope, now=NOW, newest=None)


@many
@given(after(IndexV1, some_index_data()))
def test_a_signed_index_of_any_content_is_refused_or_in_order(data: Any) -> None:
    index = taken(the_index, sign(canonical(data), INDEX_TYPE, keys=[INDEX]))
    if index is not None:
        assert index.cluster == CLUSTER
        assert index.standing.epoch <= TRUST.epoch
        assert index.issued_at < index.expires_at
        assert index.expires_at > NOW
        assert len({entry.id for entry in index.entries}) == len(index.entries)


@many
@given(after(IndexV1, some_index_data()))
def test_no_index_of_a_stranger_is_taken(data: Any) -> None:
    assert taken(the_index, sign(canonical(data), INDEX_TYPE, keys=[STRANGER])) is None


@many
@given(mangled(GENUINE))
def test_a_mangled_index_is_refused_or_says_the_very_same(envelope: bytes) -> None:
    index = taken(the_index, envelope)
    if index is not None:
        genuine = the_index(GENUINE)
        assert (index.standing, index.entries, index.expires_at) == (
            genuine.standing,
            genuine.entries,
            genuine.expires_at,
        )


@many
@given(after(AirflowInstanceV1, some_document_data()))
def test_a_document_of_any_content_is_refused_or_can_be_rendered(data: Any) -> None:
    found = taken(read_document, canonical(data))
    if found is not None:
        rendered(found[0])


@many
@given(mangled(LISTED.raw))
def test_a_mangled_document_never_comes_into_force(raw: bytes) -> None:
    """Under the genuine line of the index it is not itself; under one of its own it is judged like any other."""
    before = accept([LISTED.entry], {LISTED.entry.digest: LISTED.raw}, before=Judged(), parse=parse_document)
    newer = Entry(LISTED.entry.id, LISTED.entry.revision + 1, "0" * 64, len(raw))
    for_it = Entry(newer.id, newer.revision, digest(raw), len(raw))

    def exchanged(came: bytes) -> Judged:
        return accept([newer], {newer.digest: came}, before=before, parse=parse_document)

    assert taken(exchanged, raw).documents == before.documents
    after_it = accept([for_it], {for_it.digest: raw}, before=before, parse=parse_document)
    if after_it.documents != before.documents:
        rendered(after_it.documents[newer.id].instance)


def rendered(instance: Instance) -> None:
    """Render what was accepted, which may be refused and nothing else; all of it stays in its own namespace."""
    try:
        objects = render(inputs(instance))
    except Refused:
        return
    assert {one.ref.namespace for one in objects} <= {"", instance.namespace}


FLOODS: dict[str, tuple[Callable[[bytes], Any], bytes]] = {
    "signatures": (the_index, GENUINE.replace(b'"signatures":[', b'"signatures":[' + b"{}," * 20_000)),
    "instances": (the_index, an_index_envelope(some_index_data(instances=[{}] * 20_000))),
    "fields": (the_index, an_index_envelope(some_index_data(**{f"{one:x}": 0 for one in range(5_000)}))),
    "queues": (
        read_document,
        canonical(some_document_data(components={"workers": {"queues": [{}] * 20_000}})),
    ),
}


@pytest.mark.parametrize("of", FLOODS)
def test_a_flood_of_faults_is_not_gathered(of: str) -> None:
    take, raw = FLOODS[of]
    assert isinstance(judged(take, raw), Refused | Index)
