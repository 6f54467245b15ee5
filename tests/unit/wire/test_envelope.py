"""Signed envelopes: what passes, and everything that must not."""

from __future__ import annotations

import json
from typing import Any

import pytest

from agent.model.errors import Refused
from agent.wire.envelope import INDEX_TYPE, TRUST_TYPE, Role, SigningKey, pae, sign, verify
from agent.wire.limits import MAX_SIGNATURES
from agent.wire.refusals import Reason
from agent.wire.scalars import encode_base64
from agent.wire.strict import canonical, digest
from tests.support.wire import INDEX, ROOT, SECOND_ROOT, STRANGER

PAYLOAD = b'{"any": "bytes"}'
ONE = Role("index", 1, {INDEX.keyid: INDEX.public})
BOTH = Role("root", 2, {ROOT.keyid: ROOT.public, SECOND_ROOT.keyid: SECOND_ROOT.public})


def refused(envelope: bytes, role: Role = ONE, *, limit: int = 10_000) -> Refused:
    with pytest.raises(Refused) as caught:
        verify(envelope, INDEX_TYPE, role=role, limit=limit)
    return caught.value


def changed(envelope: bytes, **fields: Any) -> bytes:
    return canonical({**json.loads(envelope), **fields})


def signed(*keys: SigningKey, payload_type: str = INDEX_TYPE) -> bytes:
    return sign(PAYLOAD, payload_type, keys=keys)


def test_pre_authentication_encoding_is_that_of_the_dsse_specification() -> None:
    expected = b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
    assert pae(b"hello world", "http://example.com/HelloWorld") == expected
    assert pae("é".encode(), "é") == b"DSSEv1 2 \xc3\xa9 2 \xc3\xa9"


def test_a_key_is_named_by_the_digest_of_its_raw_public_key() -> None:
    assert INDEX.keyid == digest(INDEX.public)
    assert len(INDEX.public) == 32


def test_the_payload_comes_back_byte_for_byte() -> None:
    assert verify(signed(INDEX), INDEX_TYPE, role=ONE) == PAYLOAD
    assert verify(signed(ROOT, SECOND_ROOT), INDEX_TYPE, role=BOTH) == PAYLOAD


def test_fields_that_dsse_does_not_know_are_ignored() -> None:
    envelope = json.loads(changed(signed(INDEX), extension={"kind": "later"}))
    envelope["signatures"][0]["extension"] = 1
    assert verify(canonical(envelope), INDEX_TYPE, role=ONE) == PAYLOAD


def test_another_payload_under_the_same_signature_is_refused() -> None:
    error = refused(changed(signed(INDEX), payload=encode_base64(b'{"any": "other"}')))
    assert (error.reason, error.path) == (Reason.BAD_SIGNATURE, "signatures")


def test_a_signature_of_a_stranger_is_refused_whatever_key_it_names() -> None:
    forged = json.loads(signed(STRANGER))
    assert refused(canonical(forged)).reason == Reason.BAD_SIGNATURE
    forged["signatures"][0]["keyid"] = INDEX.keyid
    assert refused(canonical(forged)).reason == Reason.BAD_SIGNATURE


def test_a_payload_of_one_kind_never_passes_as_another() -> None:
    relabelled = changed(signed(INDEX, payload_type=TRUST_TYPE), payloadType=INDEX_TYPE)
    assert refused(relabelled).reason == Reason.BAD_SIGNATURE
    error = refused(signed(INDEX, payload_type=TRUST_TYPE))
    assert (error.reason, error.path) == (Reason.WRONG_TYPE, "payloadType")
    assert TRUST_TYPE in str(error)


def test_the_threshold_counts_keys_and_not_signatures() -> None:
    once = json.loads(signed(ROOT))
    twice = canonical({**once, "signatures": once["signatures"] * 2})
    error = refused(twice, BOTH)
    assert error.reason == Reason.BAD_SIGNATURE
    assert '1 of the 2 needed signatures of the role "root" are valid' in str(error)


def test_an_invalid_signature_beside_enough_valid_ones_does_no_harm() -> None:
    envelope = json.loads(signed(STRANGER, INDEX))
    envelope["signatures"][0]["keyid"] = INDEX.keyid
    assert verify(canonical(envelope), INDEX_TYPE, role=ONE) == PAYLOAD


@pytest.mark.parametrize(
    ("fields", "path", "says"),
    [
        ({"payload": 1}, "payload", "must be a text"),
        ({"payload": "ab=c"}, "payload", "must be base64"),
        ({"payload": "YWJj\n"}, "payload", "must be base64"),
        ({"payload": "YWJ"}, "payload", "must be base64"),
        ({"payload": "YR=="}, "payload", "must be base64"),  # spare bits set: a second spelling of "YQ=="
        ({"payload": "_-8="}, "payload", "must be base64"),  # the URL-safe alphabet: a second spelling of "/+8="
        ({"payload": "é"}, "payload", "must be base64"),
        ({"payloadType": "x" * 201}, "payloadType", "must have at most 200"),
        ({"signatures": []}, "signatures", "at least 1"),
        ({"signatures": {}}, "signatures", "must be an array"),
        ({"signatures": [1]}, "signatures[0]", "must be an object"),
        ({"signatures": [{"keyid": "a" * 64}]}, "signatures[0].sig", "is missing"),
        ({"signatures": [{"sig": "YQ=="}]}, "signatures[0].keyid", "is missing"),
        ({"signatures": [{"sig": "YQ==", "keyid": "A" * 64}]}, "signatures[0].keyid", "SHA-256"),
        ({"signatures": [{"sig": "YQ==", "keyid": "a" * 64}] * (MAX_SIGNATURES + 1)}, "signatures", "at most 16"),
    ],
)
def test_a_malformed_envelope_is_refused_with_the_path(fields: dict[str, Any], path: str, says: str) -> None:
    error = refused(changed(signed(INDEX), **fields))
    assert (error.reason, error.path) == (Reason.MALFORMED, path)
    assert says in str(error)


def test_a_signature_of_another_length_is_a_bad_signature() -> None:
    short = changed(signed(INDEX), signatures=[{"keyid": INDEX.keyid, "sig": "YQ=="}])
    assert refused(short).reason == Reason.BAD_SIGNATURE


def test_an_endless_envelope_is_refused_unread() -> None:
    error = refused(signed(INDEX) + b" " * 10_000)
    assert (error.reason, error.path) == (Reason.TOO_LARGE, "envelope")
