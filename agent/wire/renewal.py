"""Renewal: how an agent gets its next certificate, by proving that it holds the key of the last one.

The request travels in a DSSE envelope of its own type, signed with the old identity key, and carries the old
certificate; so it can be made without a client certificate, which TLS would refuse once it has expired. Whoever
repeats a request that he saw gets a certificate for a key that he does not have.

Here: the frames, and that a request is proven. Not here: whether the certificate is one of ours (the control plane),
and making keys (the uplink).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.x509 import Certificate, InvalidVersion, load_pem_x509_certificate
from pydantic import Field

from agent.model.errors import Refused
from agent.wire.enrolment import load_csr
from agent.wire.envelope import open_envelope, pae, sign
from agent.wire.frames import Frame, expect_schema, receive
from agent.wire.identitykeys import IdentityKey, IdentityPublicKey, IdentitySigner, holds, key_id
from agent.wire.limits import MAX_ENROLMENT_BYTES
from agent.wire.refusals import Reason
from agent.wire.scalars import DnsLabel, Word, decode_base64
from agent.wire.strict import parse_object

RENEW_TYPE: Final = "application/vnd.perigee.renew.v1+json"
RENEW_SCHEMA: Final = "perigee.dev/renew/v1"
RENEWED_SCHEMA: Final = "perigee.dev/renewed/v1"


class RenewRequestV1(Frame):
    """What is signed with the old key: a CSR for a new key, and the certificate of the old one (PEM)."""

    schema_id: Literal["perigee.dev/renew/v1"] = Field(default=RENEW_SCHEMA, alias="schema")
    csr: str = Field(max_length=16384)
    certificate: str = Field(max_length=16384)
    agent_version: Word | None = None


class RenewResponseV1(Frame):
    """What comes back: the name, which never changes by a renewal, and the new certificate with intermediates (PEM)."""

    schema_id: Literal["perigee.dev/renewed/v1"] = Field(default=RENEWED_SCHEMA, alias="schema")
    cluster: DnsLabel
    certificate_chain: str = Field(max_length=65536)


@dataclass(frozen=True, slots=True)
class Renewal:
    """A request of which it is proven that one holder has both keys: ``csr`` in PEM, ``certificate`` the old one."""

    csr: str
    certificate: Certificate


def renew_request(request: RenewRequestV1, *, identity: IdentityKey) -> bytes:
    """The envelope of a request, signed with the old key."""
    return sign(request.to_bytes(), RENEW_TYPE, keys=[IdentitySigner(identity)])


def decode_renew_request(raw: bytes) -> Renewal:
    """The request, proven: signed with the key of the certificate in it, and the CSR with its own, another one.

    Whose certificate it is, is NOT judged here. Raises Refused.
    """
    opened = open_envelope(raw, RENEW_TYPE, limit=MAX_ENROLMENT_BYTES)
    payload = decode_base64(opened.payload)
    data = parse_object(payload, limit=MAX_ENROLMENT_BYTES, what="request")
    expect_schema(data, RENEW_SCHEMA)
    request, _ = receive(RenewRequestV1, data, what="request")
    certificate, public = _certificate(request.certificate)
    keyid, message = key_id(public), pae(payload, RENEW_TYPE)
    if not any(one.keyid == keyid and holds(public, decode_base64(one.sig), message) for one in opened.signatures):
        raise Refused("is not by the key of the certificate", path="signatures", reason=Reason.BAD_SIGNATURE)
    if load_csr(request.csr).public_key() == public:
        raise Refused("must be for a new key", path="csr", reason=Reason.MALFORMED)
    return Renewal(request.csr, certificate)


def decode_renew_response(raw: bytes) -> RenewResponseV1:
    """The answer. Raises Refused."""
    data = parse_object(raw, limit=MAX_ENROLMENT_BYTES, what="answer")
    expect_schema(data, RENEWED_SCHEMA)
    return receive(RenewResponseV1, data, what="answer")[0]


def _certificate(pem: str) -> tuple[Certificate, IdentityPublicKey]:
    try:
        certificate = load_pem_x509_certificate(pem.encode("utf-8"))
        public = certificate.public_key()
    except (ValueError, InvalidVersion) as error:
        raise Refused("is not a certificate in PEM", path="certificate", reason=Reason.MALFORMED) from error
    if not isinstance(public, Ed25519PublicKey | ec.EllipticCurvePublicKey):
        raise Refused("must be for an ECDSA or Ed25519 key", path="certificate", reason=Reason.MALFORMED)
    return certificate, public
