"""Signatures by an agent's identity key, whichever of the kinds that are certified it is: Ed25519, or ECDSA with
SHA-256.

Here: signing, verifying and naming such keys. Not here: what is signed (enrolment, renewal), nor the signing roles of
the control plane, whose keys are Ed25519 always (envelope).
"""

from __future__ import annotations

from dataclasses import dataclass, field

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from agent.wire.strict import digest

IdentityKey = Ed25519PrivateKey | ec.EllipticCurvePrivateKey
IdentityPublicKey = Ed25519PublicKey | ec.EllipticCurvePublicKey


def signature(identity: IdentityKey, message: bytes) -> bytes:
    """The identity key's signature: Ed25519, or ECDSA with SHA-256 in DER."""
    if isinstance(identity, Ed25519PrivateKey):
        return identity.sign(message)
    return identity.sign(message, ec.ECDSA(SHA256()))


def holds(public: IdentityPublicKey, signed: bytes, message: bytes) -> bool:
    """Whether this is that key's signature of the message."""
    try:
        if isinstance(public, Ed25519PublicKey):
            public.verify(signed, message)
        else:
            public.verify(signed, message, ec.ECDSA(SHA256()))
    except InvalidSignature:
        return False
    return True


def key_id(public: IdentityPublicKey) -> str:
    """The name of an identity key: the hex SHA-256 of its SubjectPublicKeyInfo in DER."""
    return digest(public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))


@dataclass(frozen=True, slots=True)
class IdentitySigner:
    """Implements ``envelope.Signer`` with an identity key."""

    private: IdentityKey = field(repr=False)

    @property
    def keyid(self) -> str:
        """The name that its signatures carry."""
        return key_id(self.private.public_key())

    def sign(self, message: bytes) -> bytes:
        """The signature of the message."""
        return signature(self.private, message)
