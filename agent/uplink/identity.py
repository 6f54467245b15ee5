"""Who this agent is: its keys, its certificate, and the authorities that it believes.

Here: making keys, the request for a certificate, and the form in which all of it is kept in a Secret. No key appears in
``repr`` or in a message. Not here: obtaining the certificate (``enrol``), keeping the Secret (``agent.cluster``).
"""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509.oid import NameOID

from agent.model.errors import Misconfigured
from agent.uplink.tls import present, verifying

KEY: Final = "tls.key"
CHAIN: Final = "tls.crt"
AUTHORITIES: Final = "ca.crt"
SEALING_KEY: Final = "sealing.key"
"""The names under which an identity is kept in the Secret ``perigee-identity``; the first two are Kubernetes' own."""


@dataclass(frozen=True, slots=True)
class Keys:
    """The private half: ``identity`` proves who we are (ECDSA P-256), ``sealing`` opens sealed values (X25519)."""

    identity: ec.EllipticCurvePrivateKey = field(repr=False)
    sealing: X25519PrivateKey = field(repr=False)

    @classmethod
    def generate(cls) -> Keys:
        """New keys, made here and never to leave the cluster."""
        return cls(ec.generate_private_key(ec.SECP256R1()), X25519PrivateKey.generate())

    def request(self, name: str) -> str:
        """A certificate signing request (PEM) for this name, signed with the identity key."""
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        csr = x509.CertificateSigningRequestBuilder().subject_name(subject).sign(self.identity, SHA256())
        return csr.public_bytes(serialization.Encoding.PEM).decode("ascii")

    @property
    def sealing_public(self) -> bytes:
        """The 32 raw bytes to which secret values are sealed."""
        return self.sealing.public_key().public_bytes_raw()


@dataclass(frozen=True, slots=True)
class Identity:
    """Keys with the certificate for them, and whom we believe.

    ``chain``: our certificate, then intermediates; ``authorities``: the CAs that may vouch for the control plane.
    """

    keys: Keys
    chain: tuple[x509.Certificate, ...]
    authorities: tuple[x509.Certificate, ...]

    @classmethod
    def of(cls, keys: Keys, *, chain: bytes, authorities: bytes) -> Identity:
        """An identity from its certificates in PEM; raises Misconfigured if they are none, or are for another key."""
        identity = cls(keys, _certificates(chain, what=CHAIN), _certificates(authorities, what=AUTHORITIES))
        if identity.chain[0].public_key() != keys.identity.public_key():
            raise Misconfigured(f"the certificate in {CHAIN} is not for the identity key", hint=_ENROL_AGAIN)
        return identity

    @classmethod
    def from_secret(cls, content: Mapping[str, bytes]) -> Identity:
        """What ``to_secret`` wrote; raises Misconfigured naming the entry that is missing or broken."""
        for name in (KEY, CHAIN, AUTHORITIES, SEALING_KEY):
            if not content.get(name):
                raise Misconfigured(f"the Secret with the agent's identity has no {name}", hint=_ENROL_AGAIN)
        identity = _private(content[KEY], what=KEY)
        sealing = _private(content[SEALING_KEY], what=SEALING_KEY)
        if not isinstance(identity, ec.EllipticCurvePrivateKey) or not isinstance(sealing, X25519PrivateKey):
            kinds = f"{KEY} must be an EC key and {SEALING_KEY} an X25519 key"
            raise Misconfigured(f"the Secret with the agent's identity holds other keys: {kinds}", hint=_ENROL_AGAIN)
        return cls.of(Keys(identity, sealing), chain=content[CHAIN], authorities=content[AUTHORITIES])

    def to_secret(self) -> dict[str, bytes]:
        """The content of the Secret ``perigee-identity``: PEM by name. Holds the private keys."""
        return {
            KEY: _pkcs8(self.keys.identity),
            CHAIN: _pem(self.chain),
            AUTHORITIES: _pem(self.authorities),
            SEALING_KEY: _pkcs8(self.keys.sealing),
        }

    def ssl_context(self) -> ssl.SSLContext:
        """TLS as this identity, towards whom our authorities vouch for. Takes milliseconds: not for the event loop."""
        context = verifying(_pem(self.authorities), source=AUTHORITIES)
        present(context, key=self.keys.identity, chain=_pem(self.chain))
        return context

    @property
    def chain_pem(self) -> bytes:
        """Our certificate, then intermediates, in PEM."""
        return _pem(self.chain)

    @property
    def certificate_pem(self) -> str:
        """Our certificate alone, in PEM."""
        return _pem(self.chain[:1]).decode("ascii")

    @property
    def not_before(self) -> datetime:
        """From when our certificate holds."""
        return self.chain[0].not_valid_before_utc

    @property
    def not_after(self) -> datetime:
        """Until when our certificate holds."""
        return self.chain[0].not_valid_after_utc


_ENROL_AGAIN = "restore the Secret, or delete it and enrol again with a new token"


def _private(pem: bytes, *, what: str) -> object:
    key: object | None = None
    with suppress(ValueError, TypeError, UnsupportedAlgorithm):
        key = serialization.load_pem_private_key(pem, password=None)
    # Raised outside the block above: what the parser says about a key must not hang on to our message.
    if key is None:
        raise Misconfigured(f"{what} of the agent's identity is no private key in PEM", hint=_ENROL_AGAIN)
    return key


def _certificates(pem: bytes, *, what: str) -> tuple[x509.Certificate, ...]:
    try:
        return tuple(x509.load_pem_x509_certificates(pem))
    except ValueError:
        raise Misconfigured(f"{what} of the agent's identity holds no certificate in PEM", hint=_ENROL_AGAIN) from None


def _pkcs8(key: ec.EllipticCurvePrivateKey | X25519PrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _pem(certificates: tuple[x509.Certificate, ...]) -> bytes:
    return b"".join(certificate.public_bytes(serialization.Encoding.PEM) for certificate in certificates)
