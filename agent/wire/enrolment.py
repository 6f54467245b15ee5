"""Enrolment: what a new agent sends once, and what it gets back.

The private keys stay with the agent. It sends a CSR for its identity key and its public sealing key (X25519), to which
secret values will be sealed; the identity key signs the sealing key, so that nobody can put another in its place.

Here: the frames and that signature. Not here: making keys, judging tokens, issuing certificates.
"""

from __future__ import annotations

from typing import Final, Literal

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.x509 import CertificateSigningRequest, InvalidVersion, load_pem_x509_csr
from pydantic import Field

from agent.model.errors import Refused
from agent.wire.envelope import EnvelopeV1, pae
from agent.wire.frames import Frame, expect_schema, receive
from agent.wire.identitykeys import IdentityKey, holds, signature
from agent.wire.limits import MAX_ENROLMENT_BYTES
from agent.wire.refusals import Reason
from agent.wire.scalars import Base64, DnsLabel, LabelKey, LabelValue, Token, Word, decode_base64, encode_base64
from agent.wire.strict import parse_object

ENROL_SCHEMA: Final = "perigee.dev/enrol/v1"
ENROLLED_SCHEMA: Final = "perigee.dev/enrolled/v1"
SEALING_KEY_TYPE: Final = "application/vnd.perigee.sealing-key.v1"
_X25519_BYTES: Final = 32
_NAMES: Final = {"csr": "CSR"}


class EnrolRequestV1(Frame):
    """What a new agent sends. ``cluster``: the name that it expects; the token is bound to one and decides."""

    schema_id: Literal["perigee.dev/enrol/v1"] = Field(default=ENROL_SCHEMA, alias="schema")
    token: Token = Field(repr=False)
    csr: str = Field(max_length=16384)
    sealing_key: Base64
    sealing_key_signature: Base64
    cluster: DnsLabel | None = None
    labels: dict[LabelKey, LabelValue] = Field(default={}, max_length=32)
    agent_version: Word | None = None


class EnrolResponseV1(Frame):
    """What it gets: its name, its certificate followed by the intermediates (PEM), and the signed trust bundle."""

    schema_id: Literal["perigee.dev/enrolled/v1"] = Field(default=ENROLLED_SCHEMA, alias="schema")
    cluster: DnsLabel
    certificate_chain: str = Field(max_length=65536)
    trust: EnvelopeV1


def sealing_key_signature(identity: IdentityKey, sealing_public: bytes) -> str:
    """The identity key's signature over the raw X25519 public key, in base64: Ed25519, or ECDSA with SHA-256 (DER)."""
    return encode_base64(signature(identity, pae(sealing_public, SEALING_KEY_TYPE)))


def decode_enrol_request(raw: bytes) -> EnrolRequestV1:
    """The request, with both of its signatures verified: the CSR's own and that of the sealing key. Raises Refused."""
    data = parse_object(raw, limit=MAX_ENROLMENT_BYTES, what="request")
    expect_schema(data, ENROL_SCHEMA)
    request, _ = receive(EnrolRequestV1, data, what="request")
    _verify_sealing_key(request, load_csr(request.csr))
    return request


def decode_enrol_response(raw: bytes) -> EnrolResponseV1:
    """The answer; its trust bundle is NOT verified here (``trust.verify_first``). Raises Refused."""
    data = parse_object(raw, limit=MAX_ENROLMENT_BYTES, what="answer")
    expect_schema(data, ENROLLED_SCHEMA)
    return receive(EnrolResponseV1, data, what="answer")[0]


def load_csr(pem: str) -> CertificateSigningRequest:
    """A certificate signing request that proves possession of its key. Raises Refused (Malformed, BadSignature)."""
    try:
        csr = load_pem_x509_csr(pem.encode("utf-8"))
        csr.public_key()  # raises here, if ever, for a key of a kind that nobody knows
        proven = csr.is_signature_valid
    except (ValueError, InvalidVersion, UnsupportedAlgorithm) as error:
        raise Refused("is not a certificate signing request in PEM", path="csr", reason=Reason.MALFORMED) from error
    if not proven:
        raise Refused("is not signed with its own key", path="csr", reason=Reason.BAD_SIGNATURE)
    return csr


def _verify_sealing_key(request: EnrolRequestV1, csr: CertificateSigningRequest) -> None:
    sealing = decode_base64(request.sealing_key)
    if len(sealing) != _X25519_BYTES:
        raise Refused("must be the 32 raw bytes of an X25519 key", path="sealingKey", reason=Reason.MALFORMED)
    verify_sealing_key(csr.public_key(), sealing, request.sealing_key_signature, holder="CSR")


def verify_sealing_key(identity: object, sealing_public: bytes, signature: str, *, holder: str) -> None:
    """Refuse a sealing key that this identity key has not signed; ``holder`` is where the identity key came from.

    Raises Refused (BadSignature, Malformed).
    """
    if not isinstance(identity, Ed25519PublicKey | ec.EllipticCurvePublicKey):
        raise Refused("must be for an ECDSA or Ed25519 key", path=holder.lower(), reason=Reason.MALFORMED)
    if not holds(identity, decode_base64(signature), pae(sealing_public, SEALING_KEY_TYPE)):
        path = "sealingKeySignature"
        raise Refused(f"is not by the key of the {holder}", path=path, reason=Reason.BAD_SIGNATURE)
