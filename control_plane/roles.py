"""The signing roles: root signs trust bundles, index signs what agents poll. Ed25519 keys; DSSE is the wire's work.

While a role is being rotated it has two keys, and what it signs is signed with both. The root key may be taken offline
once a bundle is signed: its public half stays, and whatever needs the private one says so.
"""

from __future__ import annotations

from dataclasses import dataclass

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from agent.wire.envelope import INDEX_TYPE, TRUST_TYPE, SigningKey, sign
from agent.wire.index import IndexV1
from agent.wire.scalars import encode_base64
from agent.wire.strict import digest
from agent.wire.trust import KeyV1, RolesV1, RoleV1, TrustBundle, TrustBundleV1, fingerprint
from control_plane.faults import Clash


class RootOffline(Clash):
    """The root key is needed and is not in the state directory."""


@dataclass(frozen=True, slots=True)
class Roles:
    """Both roles' keys, oldest first. ``root_signers`` are the root keys at hand: none while root is offline."""

    roots: tuple[bytes, ...]
    root_signers: tuple[SigningKey, ...]
    indexes: tuple[SigningKey, ...]

    @property
    def root_fingerprint(self) -> str:
        """What an agent pins from now on."""
        return fingerprint(self.roots[-1])

    def described(self) -> tuple[RolesV1, dict[str, KeyV1]]:
        """The roles and keys as a trust bundle tells them."""
        indexes = tuple(key.public for key in self.indexes)
        root, index = (RoleV1(keyids=tuple(map(digest, publics)), threshold=1) for publics in (self.roots, indexes))
        publics = (*self.roots, *indexes)
        keys = {digest(public): KeyV1(type="ed25519", public=encode_base64(public)) for public in publics}
        return RolesV1(root=root, index=index), keys

    def sign_bundle(self, bundle: TrustBundleV1, *, after: TrustBundle | None) -> bytes:
        """The envelope of a trust bundle that follows ``after``; raises RootOffline if keys for it are not at hand."""
        mine = {digest(public) for public in self.roots}
        before = set(after.root.keys) if after is not None else mine
        signers = [key for key in self.root_signers if key.keyid in mine | before]
        at_hand = {key.keyid for key in signers}
        if not (at_hand & mine and at_hand & before):
            raise RootOffline(
                "RootOffline",
                "a new trust bundle must be signed, and the root key is not in the state directory",
                hint="give it with --root-key FILE beside --directory, or put roles/root.key back meanwhile",
            )
        return sign(bundle.to_bytes(), TRUST_TYPE, keys=signers)

    def sign_index(self, index: IndexV1) -> bytes:
        """The envelope of an index."""
        return sign(index.to_bytes(), INDEX_TYPE, keys=self.indexes)


def new_key() -> SigningKey:
    """A fresh signing key."""
    return SigningKey(Ed25519PrivateKey.generate())


def key_to_pem(key: SigningKey) -> bytes:
    """A signing key as PKCS #8, for a private file."""
    return key.private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def key_from_pem(pem: bytes) -> SigningKey:
    """A signing key out of its file."""
    private = serialization.load_pem_private_key(pem, password=None)
    assert isinstance(private, Ed25519PrivateKey), "role keys are Ed25519"
    return SigningKey(private)
