"""The signing roles: root signs trust bundles, index signs what agents poll. Ed25519 keys; DSSE is the wire's work.

The root key may be taken offline once the first bundle is signed: its public half stays, and whatever needs the private
one (a new epoch, another authority, another index key) says so.
"""

from __future__ import annotations

from dataclasses import dataclass

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from agent.wire.envelope import INDEX_TYPE, TRUST_TYPE, Role, SigningKey, sign
from agent.wire.index import IndexV1
from agent.wire.scalars import encode_base64
from agent.wire.strict import digest
from agent.wire.trust import KeyV1, RolesV1, RoleV1, TrustBundleV1, fingerprint
from control_plane.faults import Clash


class RootOffline(Clash):
    """The root key is needed and is not in the state directory."""


@dataclass(frozen=True, slots=True)
class Roles:
    """Both roles' keys; ``root`` None: it is offline."""

    root_public: bytes
    root: SigningKey | None
    index: SigningKey

    @property
    def root_fingerprint(self) -> str:
        """What an agent pins."""
        return fingerprint(self.root_public)

    @property
    def root_role(self) -> Role:
        """Who signs trust bundles, for verifying our own."""
        return Role("root", 1, {digest(self.root_public): self.root_public})

    def described(self) -> tuple[RolesV1, dict[str, KeyV1]]:
        """The roles and keys as a trust bundle tells them."""
        publics = (self.root_public, self.index.public)
        root, index = (RoleV1(keyids=(digest(public),), threshold=1) for public in publics)
        keys = {digest(public): KeyV1(type="ed25519", public=encode_base64(public)) for public in publics}
        return RolesV1(root=root, index=index), keys

    def sign_bundle(self, bundle: TrustBundleV1) -> bytes:
        """The envelope of a trust bundle; raises RootOffline."""
        if self.root is None:
            raise RootOffline(
                "RootOffline",
                "a new trust bundle must be signed, and the root key is not in the state directory",
                hint="put roles/root.key back, start once, and take it offline again",
            )
        return sign(bundle.to_bytes(), TRUST_TYPE, keys=[self.root])

    def sign_index(self, index: IndexV1) -> bytes:
        """The envelope of an index."""
        return sign(index.to_bytes(), INDEX_TYPE, keys=[self.index])


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
