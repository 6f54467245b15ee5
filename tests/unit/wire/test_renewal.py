"""A request to renew proves that one holder has both keys; any changed byte is noticed."""

from __future__ import annotations

from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding

from agent.model.errors import Refused
from agent.wire.envelope import INDEX_TYPE, sign
from agent.wire.identitykeys import IdentityKey, IdentitySigner
from agent.wire.limits import MAX_ENROLMENT_BYTES
from agent.wire.refusals import Reason
from agent.wire.renewal import RENEW_TYPE, RenewRequestV1, decode_renew_request, renew_request
from agent.wire.strict import canonical
from tests.support.enrolment import IDENTITY, a_csr
from tests.support.pki import Authority, pem
from tests.support.wire import STRANGER

NEW = ec.generate_private_key(ec.SECP256R1())
CA = Authority()


def a_certificate_of(key: IdentityKey) -> str:
    return pem(CA.client(key.public_key(), name="prod-1")).decode()


def a_request(key: IdentityKey = IDENTITY, **changes: Any) -> RenewRequestV1:
    fields: dict[str, Any] = {"csr": a_csr(NEW), "certificate": a_certificate_of(key)}
    return RenewRequestV1(**{**fields, **changes})


def refused(raw: bytes) -> tuple[str, str]:
    with pytest.raises(Refused) as caught:
        decode_renew_request(raw)
    return caught.value.reason, caught.value.path


@pytest.mark.parametrize("old", [IDENTITY, ec.generate_private_key(ec.SECP384R1()), Ed25519PrivateKey.generate()])
def test_whoever_holds_the_old_key_may_ask_for_a_new_one(old: IdentityKey) -> None:
    request = a_request(old)
    renewal = decode_renew_request(renew_request(request, identity=old))
    assert renewal.csr == request.csr
    assert renewal.certificate.public_bytes(Encoding.PEM).decode() == request.certificate


def test_somebody_elses_signature_is_not_enough() -> None:
    assert refused(renew_request(a_request(), identity=NEW)) == (Reason.BAD_SIGNATURE, "signatures")


def test_a_role_of_the_control_plane_cannot_sign_for_an_agent() -> None:
    raw = sign(a_request().to_bytes(), RENEW_TYPE, keys=[STRANGER])
    assert refused(raw) == (Reason.BAD_SIGNATURE, "signatures")


def test_what_was_signed_as_something_else_is_no_request() -> None:
    raw = sign(a_request().to_bytes(), INDEX_TYPE, keys=[IdentitySigner(IDENTITY)])
    assert refused(raw) == (Reason.WRONG_TYPE, "payloadType")


def test_the_same_key_again_is_no_renewal() -> None:
    raw = renew_request(a_request(csr=a_csr(IDENTITY)), identity=IDENTITY)
    assert refused(raw) == (Reason.MALFORMED, "csr")


@pytest.mark.parametrize("field", ["csr", "certificate"])
def test_what_is_no_pem_is_named(field: str) -> None:
    broken: dict[str, Any] = {field: "nonsense"}
    raw = renew_request(a_request(**broken), identity=IDENTITY)
    assert refused(raw) == (Reason.MALFORMED, field)


def test_another_major_version_is_refused() -> None:
    data = {**a_request().to_data(), "schema": "perigee.dev/renew/v2"}
    raw = sign(canonical(data), RENEW_TYPE, keys=[IdentitySigner(IDENTITY)])
    assert refused(raw) == (Reason.UNKNOWN_MAJOR, "schema")


def test_endless_data_is_not_read() -> None:
    assert refused(b" " * (MAX_ENROLMENT_BYTES + 1))[0] == Reason.TOO_LARGE


def test_no_changed_byte_goes_unnoticed() -> None:
    raw = renew_request(a_request(), identity=IDENTITY)
    for place in range(0, len(raw), 7):
        changed = bytearray(raw)
        changed[place] ^= 1
        with pytest.raises(Refused):
            decode_renew_request(bytes(changed))
