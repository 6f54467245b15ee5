"""Enrolment: the signatures that tie the keys together, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from agent.model.errors import Refused
from agent.wire.enrolment import (
    EnrolResponseV1,
    decode_enrol_request,
    decode_enrol_response,
    sealing_key_signature,
)
from agent.wire.envelope import EnvelopeV1
from agent.wire.frames import receive
from agent.wire.identitykeys import IdentityKey
from agent.wire.refusals import Reason
from agent.wire.scalars import encode_base64
from agent.wire.strict import canonical, parse_object
from agent.wire.trust import fingerprint, verify_first
from tests.support.enrolment import IDENTITY, SEALING, TOKEN, a_csr, a_request, csr_pem
from tests.support.wire import CLUSTER, ROOT, a_certificate, a_trust_envelope


def refused(raw: bytes) -> Refused:
    with pytest.raises(Refused) as caught:
        decode_enrol_request(raw)
    return caught.value


@pytest.mark.parametrize("identity", [IDENTITY, ec.generate_private_key(ec.SECP384R1()), Ed25519PrivateKey.generate()])
def test_a_request_whose_keys_vouch_for_each_other_is_taken(identity: IdentityKey) -> None:
    request = decode_enrol_request(a_request(identity))
    assert (request.token, request.cluster, request.labels) == (TOKEN, CLUSTER, {"region": "eu"})
    assert request.sealing_key == encode_base64(SEALING)


def test_the_token_does_not_show_when_a_request_is_printed() -> None:
    assert TOKEN not in repr(decode_enrol_request(a_request()))


def test_another_sealing_key_cannot_take_the_place_of_the_signed_one() -> None:
    other = X25519PrivateKey.generate().public_key().public_bytes_raw()
    error = refused(a_request(sealingKey=encode_base64(other)))
    assert (error.reason, error.path) == (Reason.BAD_SIGNATURE, "sealingKeySignature")


def test_a_sealing_key_signed_by_another_identity_is_refused() -> None:
    for stranger in (ec.generate_private_key(ec.SECP256R1()), Ed25519PrivateKey.generate()):
        error = refused(a_request(sealingKeySignature=sealing_key_signature(stranger, SEALING)))
        assert (error.reason, error.path) == (Reason.BAD_SIGNATURE, "sealingKeySignature")


def test_a_csr_that_does_not_prove_its_key_is_refused() -> None:
    broken = bytearray(x509.load_pem_x509_csr(a_csr(IDENTITY).encode()).public_bytes(serialization.Encoding.DER))
    broken[-1] ^= 1
    error = refused(a_request(csr=csr_pem(bytes(broken))))
    assert (error.reason, error.path) == (Reason.BAD_SIGNATURE, "csr")


def test_a_csr_of_another_version_is_refused() -> None:
    der = x509.load_pem_x509_csr(a_csr(IDENTITY).encode()).public_bytes(serialization.Encoding.DER)
    version_zero = bytes.fromhex("020100")
    assert version_zero in der
    error = refused(a_request(csr=csr_pem(der.replace(version_zero, bytes.fromhex("020105"), 1))))
    assert (error.reason, error.path) == (Reason.MALFORMED, "csr")


@pytest.mark.parametrize(
    ("changes", "path", "says"),
    [
        ({"csr": "no PEM"}, "csr", "signing request in PEM"),
        ({"csr": a_certificate()}, "csr", "signing request in PEM"),
        ({"csr": a_csr(rsa.generate_private_key(65537, 2048))}, "csr", "ECDSA or Ed25519"),
        ({"csr": "x" * 16385}, "csr", "at most 16384"),
        ({"sealingKey": encode_base64(b"short")}, "sealingKey", "32 raw bytes"),
        ({"sealingKey": "?"}, "sealingKey", "base64"),
        ({"sealingKeySignature": None}, "sealingKeySignature", "must be a text"),
        ({"token": "short"}, "token", "16 or more printable"),
        ({"token": "with a space in it"}, "token", "16 or more printable"),
        ({"cluster": "A"}, "cluster", "RFC 1123"),
        ({"labels": {"a b": "c"}}, 'labels["a b"]', "label key"),
        ({"schema": "perigee.dev/enrolled/v1"}, "schema", "perigee.dev/enrol/v1"),
    ],
)
def test_a_malformed_request_is_refused_with_the_path(changes: dict[str, Any], path: str, says: str) -> None:
    error = refused(a_request(**changes))
    assert (error.reason, error.path) == (Reason.MALFORMED, path)
    assert says in str(error)


@pytest.mark.parametrize("token", ["secret", "a secret with spaces in it"])
def test_a_token_never_shows_in_a_refusal(token: str) -> None:
    assert token not in refused(a_request(token=token)).explain()


def test_the_answer_carries_a_bundle_that_can_be_verified() -> None:
    data = parse_object(a_trust_envelope(), limit=100_000, what="envelope")
    trust, _ = receive(EnvelopeV1, data, what="envelope")
    answer = EnrolResponseV1(cluster=CLUSTER, certificate_chain=a_certificate(), trust=trust)
    came = decode_enrol_response(answer.to_bytes())
    assert (came.cluster, came.certificate_chain) == (CLUSTER, a_certificate())
    assert verify_first(came.trust.to_bytes(), root_fingerprint=fingerprint(ROOT.public)).version == 1


def test_an_answer_of_another_major_is_refused() -> None:
    with pytest.raises(Refused) as caught:
        decode_enrol_response(canonical({"schema": "perigee.dev/enrolled/v2"}))
    assert (caught.value.reason, caught.value.path) == (Reason.UNKNOWN_MAJOR, "schema")
