"""Sealing: a secret value closed to one agent's key, for one field of one instance in one cluster (RFC 9180, HPKE).

The text is ``v1.<key>.<base64>``: the hex SHA-256 of the public key that it is sealed to, then HPKE's encapsulated key
and ciphertext. Base mode, DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-256-GCM. What it is sealed for (cluster,
instance, field) goes into HPKE's ``info``, from which the key is derived: elsewhere it does not open. Nobody but the
agent can open it, and it does not say who closed it: that a document is the control plane's is told by its signature.

Here: closing, opening, and the words of a sealing key. Not here: keeping the private key.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite

from agent.model.errors import Refused
from agent.wire.refusals import Reason
from agent.wire.scalars import decode_base64, encode_base64
from agent.wire.strict import digest

VERSION: Final = "v1"
MAX_VALUE_BYTES: Final = 32768
X25519_BYTES: Final = 32
_CONTEXT: Final = "perigee.dev/sealed/v1"
_PARTS: Final = 3
_SUITE: Final = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)


@dataclass(frozen=True, slots=True)
class SealedFor:
    """The one place where a sealed value opens: a cluster by its name, an instance by its id, a field by its path."""

    cluster: str
    instance: str
    path: str

    @property
    def info(self) -> bytes:
        """HPKE's ``info``. Names of clusters and ids have no line breaks, so no two places give the same bytes."""
        return f"{_CONTEXT}\n{self.cluster}\n{self.instance}\n{self.path}".encode()


def keyid(public: bytes) -> str:
    """What names a sealing key: the hex SHA-256 of its 32 raw bytes; people write ``sha256:`` before it."""
    return digest(public)


def seal(value: bytes, public: bytes, place: SealedFor) -> str:
    """The sealed text of a value. Each call gives another one. Raises Refused for what is no such key or no value."""
    refuse_unusable(value, path=place.path)
    if len(public) != X25519_BYTES:
        raise Refused("must be the 32 raw bytes of an X25519 key", path="sealingKey", reason=Reason.MALFORMED)
    try:
        sealed = _SUITE.encrypt(value, X25519PublicKey.from_public_bytes(public), place.info)
    except ValueError:
        raise Refused("is no usable X25519 key", path="sealingKey", reason=Reason.MALFORMED) from None
    return f"{VERSION}.{keyid(public)}.{encode_base64(sealed)}"


def open_sealed(text: str, private: X25519PrivateKey, place: SealedFor) -> bytes:
    """The value. Raises Refused: SealedForAnotherKey, SealedForAnotherPlace, or Malformed; with the field's path."""
    version, named, sealed = _parts(text, path=place.path)
    ours = keyid(private.public_key().public_bytes_raw())
    if version != VERSION:
        raise Refused(
            f"is sealed in the form {version}, and this version of the agent knows {VERSION}",
            path=place.path,
            reason=Reason.UNKNOWN_MAJOR,
            hint="upgrade the agent, or seal it in the older form",
        )
    if named != ours:
        raise Refused(
            f"is sealed to the key sha256:{named}, and this agent has sha256:{ours}",
            path=place.path,
            reason=Reason.SEALED_FOR_ANOTHER_KEY,
            hint="seal it again with perigee seal, which asks for the present key",
        )
    try:
        return _SUITE.decrypt(sealed, private, place.info)
    except (InvalidTag, ValueError):
        # Raised outside the block: an error of the library has nothing to add, and what it holds is not for messages.
        pass
    raise Refused(
        f"does not open as {place.path} of instance {place.instance} in cluster {place.cluster}: it was sealed for"
        " another field, instance or cluster, or altered",
        path=place.path,
        reason=Reason.SEALED_FOR_ANOTHER_PLACE,
        hint="seal it again with perigee seal, for this very field",
    )


def refuse_unusable(value: bytes, *, path: str) -> None:
    """Raise Refused (SecretUnusable) for a value that no environment could hold; never shows it."""
    why = ""
    if len(value) > MAX_VALUE_BYTES:
        why = f"the value has {len(value)} bytes, more than the {MAX_VALUE_BYTES} allowed"
    elif b"\0" in value:
        why = "the value contains a NUL character, which no environment can hold"
    else:
        try:
            value.decode("utf-8")
        except UnicodeDecodeError:
            why = "the value is not UTF-8 text"
    if why:
        raise Refused(why, path=path, reason=Reason.SECRET_UNUSABLE, hint="use another value")


def _parts(text: str, *, path: str) -> tuple[str, str, bytes]:
    parts = text.split(".")
    try:
        if len(parts) == _PARTS:
            return parts[0], parts[1], decode_base64(parts[2])
    except ValueError:
        pass
    raise Refused("is not of the form v1.<key>.<base64>", path=path, reason=Reason.MALFORMED)
