"""What holds for the wire whatever the bytes are: round trips, and that nothing but Refused ever comes of bad ones."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from hypothesis import given
from hypothesis import strategies as st

from agent.model.changes import Action, Change
from agent.model.conditions import Condition, Truth
from agent.model.desired import Standing
from agent.model.errors import Refused
from agent.model.objects import ObjectRef
from agent.model.status import AgentStatus, ComponentStatus, InstanceStatus
from agent.wire.codec import parse_document, read_document
from agent.wire.documents import decode_answer, decode_request
from agent.wire.enrolment import decode_enrol_request, decode_enrol_response
from agent.wire.envelope import INDEX_TYPE, TRUST_TYPE, Role, pack, pae, sign, unpack, verify
from agent.wire.index import IndexVerifier
from agent.wire.limits import MAX_DEPTH
from agent.wire.problems import read_problem
from agent.wire.refusals import Reason
from agent.wire.scalars import decode_base64, encode_base64
from agent.wire.strict import canonical, parse
from agent.wire.telling import decode_report
from agent.wire.trust import fingerprint, verify_first
from tests.support.enrolment import IDENTITY, a_csr, a_request, csr_pem
from tests.support.told import a_report_of
from tests.support.wire import (
    CLUSTER,
    INDEX,
    NOW,
    ROOT,
    SECOND_ROOT,
    a_listed_document,
    a_trust_bundle,
    a_trust_envelope,
    an_index_envelope,
    some_document_data,
    some_index_data,
    some_trust_data,
)

# Every text that JSON can carry between two parties: lone surrogates are no text.
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
scalars = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False)
values = st.recursive(
    scalars | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=20,
)

envelopes = st.one_of(
    st.binary(max_size=200),
    values.map(canonical),
    st.builds(lambda payload: sign(payload, INDEX_TYPE, keys=[INDEX]), st.binary(max_size=200) | values.map(canonical)),
)

CSR = x509.load_pem_x509_csr(a_csr(IDENTITY).encode()).public_bytes(serialization.Encoding.DER)
PINNED = fingerprint(ROOT.public)
VERIFIER = IndexVerifier(a_trust_bundle(), CLUSTER)
TAKERS: dict[str, Callable[[bytes], object]] = {
    "json": lambda raw: parse(raw, limit=100_000, what="x"),
    "trust": lambda raw: verify_first(raw, root_fingerprint=PINNED),
    "trust payload": lambda raw: verify_first(sign(raw, TRUST_TYPE, keys=[ROOT]), root_fingerprint=PINNED),
    "index": lambda raw: VERIFIER.index(raw, now=NOW, newest=None),
    "index payload": lambda raw: VERIFIER.index(sign(raw, INDEX_TYPE, keys=[INDEX]), now=NOW, newest=None),
    "document": read_document,
    "report": decode_report,
    "enrol request": decode_enrol_request,
    "enrol response": decode_enrol_response,
    "documents request": decode_request,
    "documents answer": decode_answer,
}


def takes_or_refuses(take: Callable[[bytes], object], raw: bytes) -> None:
    """Whatever comes, it is taken, or refused with a known reason, a path and a message of bounded length."""
    error: Refused | None = None
    try:
        take(raw)
    except Refused as caught:
        error = caught
    if error is not None:
        assert error.reason in set(Reason)
        assert error.path
        assert len(error.explain()) < 2000


@pytest.mark.parametrize("kind", TAKERS)
@given(raw=st.binary(max_size=300) | st.text(max_size=200).map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_arbitrary_bytes_are_refused_and_nothing_else(kind: str, raw: bytes) -> None:
    takes_or_refuses(TAKERS[kind], raw)


@pytest.mark.parametrize("kind", TAKERS)
@given(value=values)
def test_arbitrary_data_are_taken_or_refused(kind: str, value: object) -> None:
    takes_or_refuses(TAKERS[kind], canonical(value))


def places(value: object, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """Every place in plain data."""
    inner: list[tuple[str | int, object]] = []
    if isinstance(value, dict):
        inner = list(value.items())
    elif isinstance(value, list):
        inner = list(enumerate(value))
    return [path, *(place for key, part in inner for place in places(part, (*path, key)))]


def replaced(value: Any, path: tuple[str | int, ...], new: object) -> Any:
    """The same data with another value at one place."""
    if not path:
        return new
    copy: Any = dict(value) if isinstance(value, dict) else list(value)
    copy[path[0]] = replaced(value[path[0]], path[1:], new)
    return copy


RICH = some_document_data(
    isolation={"quota": {"pods": "10"}},
    airflow={"version": "3.3.2", "config": {"core": {"a": 1}}, "env": {"A": "b"}, "pullSecrets": ["x"]},
    components={"workers": {"queues": [{"name": "a", "resources": {"requests": {"cpu": "1"}}}]}},
    database={"embedded": {"storage": "1Gi"}},
)
WHOLE: dict[str, dict[str, Any]] = {
    "document": RICH,
    "index payload": some_index_data(),
    "trust payload": some_trust_data(),
    "trust": json.loads(a_trust_envelope()),
}


@pytest.mark.parametrize("kind", WHOLE)
@given(data=st.data())
def test_valid_data_with_one_value_replaced_are_taken_or_refused(kind: str, data: st.DataObject) -> None:
    place = data.draw(st.sampled_from(places(WHOLE[kind])))
    takes_or_refuses(TAKERS[kind], canonical(replaced(WHOLE[kind], place, data.draw(values))))


@given(value=values)
def test_canonical_bytes_are_stable(value: object) -> None:
    raw = canonical(value)
    assert canonical(json.loads(raw)) == raw
    assert canonical(parse(raw, limit=100_000, what="x")) == raw


@given(pairs=st.lists(st.tuples(texts, scalars), max_size=6, unique_by=lambda pair: pair[0]), data=st.data())
def test_the_order_of_keys_does_not_matter(pairs: list[tuple[str, object]], data: st.DataObject) -> None:
    shuffled = data.draw(st.permutations(pairs))
    assert canonical(dict(pairs)) == canonical(dict(shuffled))


@given(payload=st.binary(max_size=200), payload_type=st.text(st.characters(codec="ascii"), max_size=30))
def test_what_was_signed_is_what_is_verified(payload: bytes, payload_type: str) -> None:
    role = Role("both", 2, {key.keyid: key.public for key in (ROOT, SECOND_ROOT)})
    assert verify(sign(payload, payload_type, keys=[ROOT, SECOND_ROOT]), payload_type, role=role) == payload


@given(one=st.tuples(st.binary(max_size=8), texts), other=st.tuples(st.binary(max_size=8), texts))
def test_no_two_messages_have_one_encoding(one: tuple[bytes, str], other: tuple[bytes, str]) -> None:
    assert (pae(*one) == pae(*other)) == (one == other)


@given(raw=st.binary(max_size=60))
def test_base64_has_one_spelling(raw: bytes) -> None:
    assert decode_base64(encode_base64(raw)) == raw


def test_any_one_changed_byte_of_an_envelope_is_refused() -> None:
    """Every byte of a whole envelope, changed to several others: none passes, not even in the unsigned parts."""
    envelope = an_index_envelope(some_index_data(instances=[]))
    for position, byte in enumerate(envelope):
        for other in {byte ^ 0x01, byte ^ 0x20, byte ^ 0x80, 0x20, 0x22, 0x41} - {byte}:
            changed = envelope[:position] + bytes([other]) + envelope[position + 1 :]
            with pytest.raises(Refused):
                VERIFIER.index(changed, now=NOW, newest=None)


@given(position=st.integers(0, 10_000), other=st.integers(1, 255))
def test_any_one_changed_byte_of_a_trust_bundle_is_refused(position: int, other: int) -> None:
    envelope = bytearray(a_trust_envelope())
    envelope[position % len(envelope)] ^= other
    with pytest.raises(Refused):
        verify_first(bytes(envelope), root_fingerprint=PINNED)


@given(position=st.integers(0, 10_000), other=st.integers(1, 255))
def test_any_one_changed_byte_of_a_document_is_refused(position: int, other: int) -> None:
    listed = a_listed_document()
    raw = bytearray(listed.raw)
    raw[position % len(raw)] ^= other
    with pytest.raises(Refused) as caught:
        parse_document(listed.entry, bytes(raw))
    assert caught.value.reason == Reason.DIGEST_MISMATCH


@given(position=st.integers(0, 10_000), other=st.integers(1, 255))
def test_any_one_changed_byte_of_a_signing_request_is_judged(position: int, other: int) -> None:
    der = bytearray(CSR)
    der[position % len(der)] ^= other
    takes_or_refuses(decode_enrol_request, a_request(csr=csr_pem(bytes(der))))


@given(cut=st.integers(0, 10_000))
def test_a_cut_envelope_is_refused(cut: int) -> None:
    envelope = an_index_envelope()
    with pytest.raises(Refused):
        VERIFIER.index(envelope[: cut % len(envelope)], now=NOW, newest=None)


words = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
counts = st.integers(0, 2**53 - 1)
moments = st.datetimes(timezones=st.just(UTC))
conditions = st.lists(st.builds(Condition, words, st.sampled_from(Truth), words, words, moments), max_size=3).map(tuple)
changes = st.lists(
    st.builds(Change, st.builds(ObjectRef, words, words, words, words), st.sampled_from(Action), words), max_size=3
).map(tuple)
agents = st.builds(
    AgentStatus,
    version=words,
    cluster=words,
    standing=st.builds(Standing, counts, counts),
    conditions=conditions,
    requests=st.dictionaries(words, counts, max_size=3),
    observed_at=moments,
    trust=counts,
)
instances = st.builds(
    InstanceStatus,
    id=words,
    name=words,
    namespace=words,
    revision=counts,
    state=words,
    conditions=conditions,
    components=st.lists(st.builds(ComponentStatus, words, counts, counts), max_size=3).map(tuple),
    changes=changes,
    observed_at=moments,
)


@given(agent=agents, told=st.lists(instances, max_size=3))
def test_a_report_says_what_the_statuses_said(agent: AgentStatus, told: list[InstanceStatus]) -> None:
    report = decode_report(a_report_of(agent, told))
    assert report.to_bytes() == a_report_of(agent, told)
    assert (report.agent.version, report.agent.requests) == (agent.version, dict(agent.requests))
    assert (report.agent.observed_at, report.agent.trust_version) == (agent.observed_at, agent.trust)
    for wire, status in zip(report.instances, told, strict=True):
        assert (wire.id, wire.revision, wire.state) == (status.id, status.revision, status.state)
        assert wire.observed_at == status.observed_at
        for came, sent in zip(wire.conditions, status.conditions, strict=True):
            assert Condition(came.type, Truth(came.status), came.reason, came.message, came.since) == sent
        for change, made in zip(wire.changes, status.changes, strict=True):
            named = change.object
            assert ObjectRef(named.api_version, named.kind, named.namespace, named.name) == made.ref
            assert (change.action, change.why) == (made.action, made.why)


@given(raw=st.binary(max_size=200))
def test_an_error_answer_is_read_or_not_but_never_fails(raw: bytes) -> None:
    assert read_problem(raw) is None or read_problem(raw)


@given(envelopes)
def test_an_envelope_comes_out_of_its_packing_byte_for_byte(envelope: bytes) -> None:
    assert unpack(pack(envelope)) == envelope


@given(st.text('[]{}"\\a,:', max_size=40), st.integers(0, 70))
def test_how_deep_brackets_nest_is_judged_as_a_reader_counts_them(text: str, levels: int) -> None:
    raw = b"[" * levels + canonical(text) + b"]" * levels
    if levels <= MAX_DEPTH:
        assert parse(raw, limit=10_000, what="it") is not None
    else:
        with pytest.raises(Refused, match="nests deeper"):
            parse(raw, limit=10_000, what="it")
