"""Signed envelopes: DSSE v1 (github.com/secure-systems-lab/dsse) with Ed25519. Bytes in, verified payload out.

The signature is over the exact bytes of the payload and over its type, so nothing needs canonical JSON and an index can
never pass for a trust bundle. Our profile is narrower than DSSE in two points: base64 is the standard alphabet with
padding, and each signature names its key. So there is one way to write an envelope and no changed byte is overlooked.

Here: who signed what. Not here: what the payload means, and which keys a role has (trust).
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Final, Protocol

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from pydantic import Field

from agent.model.errors import Refused
from agent.wire.arrays import AtMost
from agent.wire.frames import Frame, receive
from agent.wire.limits import MAX_INDEX_BYTES, MAX_SIGNATURES
from agent.wire.refusals import Reason, shown
from agent.wire.scalars import Base64, Digest, decode_base64, encode_base64
from agent.wire.strict import canonical, digest, parse_object

TRUST_TYPE: Final = "application/vnd.perigee.trust.v1+json"
INDEX_TYPE: Final = "application/vnd.perigee.index.v1+json"
_PLAIN: Final = "payloadText"


class SignatureV1(Frame):
    """One signature and the key that made it: ``keyid`` is the hex SHA-256 of the raw public key."""

    keyid: Digest
    sig: Base64


class EnvelopeV1(Frame):
    """A payload, its type and its signatures, as they travel; nothing in it is trusted before ``verify``."""

    payload: Base64
    payload_type: str = Field(max_length=200)
    signatures: Annotated[tuple[SignatureV1, ...], Field(min_length=1), AtMost(MAX_SIGNATURES)]


@dataclass(frozen=True, slots=True)
class Role:
    """Who may sign a kind of payload: raw public keys by key id, and how many of them must agree."""

    name: str
    threshold: int
    keys: Mapping[str, bytes]


class Signer(Protocol):
    """A private key that signs envelopes."""

    @property
    def keyid(self) -> str:
        """The name that its signatures carry."""
        ...

    def sign(self, message: bytes) -> bytes:
        """The signature of the message."""
        ...


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A private key with the name that its signatures carry."""

    private: Ed25519PrivateKey

    @property
    def public(self) -> bytes:
        """The 32 raw bytes of the public key."""
        return self.private.public_key().public_bytes_raw()

    @property
    def keyid(self) -> str:
        """The hex SHA-256 of the raw public key."""
        return digest(self.public)

    def sign(self, message: bytes) -> bytes:
        """The signature of the message: Ed25519."""
        return self.private.sign(message)


def pae(payload: bytes, payload_type: str) -> bytes:
    """What is really signed: DSSE's pre-authentication encoding, in which no part can be mistaken for another."""
    kind = payload_type.encode("utf-8")
    return b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(payload), payload)


def sign(payload: bytes, payload_type: str, *, keys: Sequence[Signer]) -> bytes:
    """The canonical bytes of an envelope around the payload, signed with each of the keys."""
    message = pae(payload, payload_type)
    return EnvelopeV1(
        payload=encode_base64(payload),
        payload_type=payload_type,
        signatures=tuple(SignatureV1(keyid=key.keyid, sig=encode_base64(key.sign(message))) for key in keys),
    ).to_bytes()


def verify(envelope: bytes, payload_type: str, *, role: Role, limit: int = MAX_INDEX_BYTES) -> bytes:
    """The payload, once enough keys of the role have signed these very bytes as this very type.

    Raises Refused: TooLarge, Malformed, WrongType, BadSignature.
    """
    opened = open_envelope(envelope, payload_type, limit=limit)
    payload = decode_base64(opened.payload)
    message = pae(payload, payload_type)
    signers = {one.keyid for one in opened.signatures if _holds(one, message, role=role)}
    if len(signers) < role.threshold:
        raise Refused(
            f"{len(signers)} of the {role.threshold} needed signatures of the role {shown(role.name)} are valid",
            path="signatures",
            reason=Reason.BAD_SIGNATURE,
            hint="it was changed on the way, or signed with keys that the trust bundle does not name",
        )
    return payload


def open_envelope(envelope: bytes, payload_type: str, *, limit: int) -> EnvelopeV1:
    """An envelope of the right type, parsed and NOT verified."""
    data = parse_object(envelope, limit=limit, what="envelope")
    opened, _ = receive(EnvelopeV1, data, what="envelope")  # DSSE: consumers ignore fields that they do not know
    if opened.payload_type != payload_type:
        raise Refused(
            f"is {shown(opened.payload_type)} where {payload_type} was expected",
            path="payloadType",
            reason=Reason.WRONG_TYPE,
        )
    return opened


def pack(envelope: bytes) -> bytes:
    """The envelope in a form that compresses well: its payload as text instead of base64, where ``unpack`` makes the
    very same bytes of it; the envelope as it is where not.
    """
    try:
        data = json.loads(envelope)
        data[_PLAIN] = base64.b64decode(data.pop("payload")).decode("utf-8")
        packed = canonical(data)
    except (ValueError, LookupError, TypeError, AttributeError):
        return envelope
    return packed if unpack(packed) == envelope else envelope


def unpack(packed: bytes) -> bytes:
    """The envelope that was packed, byte for byte; bytes that ``pack`` did not change are themselves."""
    try:
        data = json.loads(packed)
        payload = data.pop(_PLAIN).encode("utf-8")
    except (ValueError, LookupError, TypeError, AttributeError):
        return packed
    return canonical({**data, "payload": encode_base64(payload)})


def _holds(signature: SignatureV1, message: bytes, *, role: Role) -> bool:
    public = role.keys.get(signature.keyid)
    if public is None:
        return False
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(decode_base64(signature.sig), message)
    except (InvalidSignature, ValueError):
        return False
    return True
