"""The certificate authority: one root, a certificate for our listeners, and one per enrolled agent. No store, no clock.

From a signing request only the public key is taken. Who the certificate speaks for is ours to say: the agent's name is
the SPIFFE id ``spiffe://perigee/cluster/<name>`` (SPIFFE X.509-SVID, section 2: exactly one URI in the SAN).
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from agent.wire.identitykeys import key_id
from agent.wire.problems import Code
from control_plane.faults import Unacceptable

SPIFFE_PREFIX = "spiffe://perigee/cluster/"
BACKDATED = timedelta(minutes=5)
"""How far NotBefore lies in the past, so that an agent whose clock is a little behind does not refuse it."""
_CURVES = (ec.SECP256R1, ec.SECP384R1)
_PublicKey = ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey


@dataclass(frozen=True, slots=True)
class Validity:
    """From when and for how long a certificate shall hold; it is back-dated a little."""

    start: datetime
    life: timedelta


@dataclass(frozen=True, slots=True)
class KeyPair:
    """A private key and its certificate chain, both PEM, as TLS wants them in files."""

    key: bytes
    chain: bytes


@dataclass(frozen=True, slots=True)
class ClientCertificate:
    """A certificate issued to an agent; ``serial`` is in hex, ``keyid`` names the key that it is for."""

    chain: bytes
    serial: str
    keyid: str
    not_before: datetime
    not_after: datetime


class Authority:
    """A root certificate and its key."""

    def __init__(self, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> None:
        self._certificate = certificate
        self._key = key

    @classmethod
    def create(cls, validity: Validity) -> Authority:
        """A new root (ECDSA P-256), good for signing certificates and nothing else."""
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Perigee root")])
        draft = (
            _draft(name, name, public_key=key.public_key(), validity=validity)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_usage(signs_certificates=True), critical=True)
        )
        return cls(draft.sign(key, hashes.SHA256()), key)

    @classmethod
    def load(cls, certificate: bytes, key: bytes) -> Authority:
        """The root from its PEM files."""
        private = serialization.load_pem_private_key(key, password=None)
        assert isinstance(private, ec.EllipticCurvePrivateKey), "the root key is ECDSA"
        return cls(x509.load_pem_x509_certificate(certificate), private)

    @property
    def certificate_pem(self) -> bytes:
        """The root certificate: what others trust."""
        return self._certificate.public_bytes(serialization.Encoding.PEM)

    @property
    def key_pem(self) -> bytes:
        """The root key: it stays in the state directory."""
        return _key_pem(self._key)

    @property
    def fingerprint(self) -> str:
        """The hex SHA-256 of the root certificate's DER."""
        return self._certificate.fingerprint(hashes.SHA256()).hex()

    def issued(self, certificate: x509.Certificate) -> bool:
        """Whether that certificate was signed by this root."""
        try:
            certificate.verify_directly_issued_by(self._certificate)
        except (ValueError, TypeError, InvalidSignature):
            return False
        return True

    def issued_pem(self, chain: bytes) -> bool:
        """The same of the first certificate in a PEM chain."""
        return self.issued(x509.load_pem_x509_certificates(chain)[0])

    def server_pair(self, hostnames: Sequence[str], validity: Validity) -> KeyPair:
        """A new key and certificate for our own listeners, good for these names and addresses."""
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Perigee control plane")])
        draft = self._leaf(
            name, public_key=key.public_key(), validity=validity, purpose=ExtendedKeyUsageOID.SERVER_AUTH
        )
        draft = draft.add_extension(
            x509.SubjectAlternativeName([_general_name(hostname) for hostname in hostnames]), critical=False
        )
        certificate = draft.sign(self._key, hashes.SHA256())
        return KeyPair(_key_pem(key), certificate.public_bytes(serialization.Encoding.PEM) + self.certificate_pem)

    def client_certificate(self, csr_pem: bytes, cluster: str, *, validity: Validity) -> ClientCertificate:
        """A certificate for an agent's key; raises Unacceptable if the request is malformed, unproven or weak."""
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, cluster)])
        public = _requested_key(csr_pem)
        draft = self._leaf(
            name,
            public_key=public,
            validity=validity,
            purpose=ExtendedKeyUsageOID.CLIENT_AUTH,
        ).add_extension(
            x509.SubjectAlternativeName([x509.UniformResourceIdentifier(f"{SPIFFE_PREFIX}{cluster}")]), critical=False
        )
        certificate = draft.sign(self._key, hashes.SHA256())
        return ClientCertificate(
            certificate.public_bytes(serialization.Encoding.PEM),
            serial_of(certificate),
            key_id(public),
            certificate.not_valid_before_utc,
            certificate.not_valid_after_utc,
        )

    def _leaf(
        self, name: x509.Name, *, public_key: _PublicKey, validity: Validity, purpose: x509.ObjectIdentifier
    ) -> x509.CertificateBuilder:
        issuer = self._certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
        return (
            _draft(name, self._certificate.subject, public_key=public_key, validity=validity)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(signs_certificates=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(issuer), critical=False)
        )


def cluster_of(certificate: x509.Certificate) -> str | None:
    """The cluster that a client certificate speaks for; None if it names none, or more than one."""
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return None
    uris = names.get_values_for_type(x509.UniformResourceIdentifier)
    if len(uris) != 1 or not uris[0].startswith(SPIFFE_PREFIX):
        return None
    return uris[0].removeprefix(SPIFFE_PREFIX) or None


def serial_of(certificate: x509.Certificate) -> str:
    """A certificate's serial number in hex."""
    return f"{certificate.serial_number:x}"


def requested_key_id(csr_pem: bytes) -> str:
    """The name of the key that a certificate is asked for; raises Unacceptable as ``client_certificate`` does."""
    return key_id(_requested_key(csr_pem))


def serves(chain_pem: bytes, hostnames: Sequence[str], *, now: datetime) -> bool:
    """Whether a server certificate is good for exactly these names, with a third of its life or more left."""
    certificate = x509.load_pem_x509_certificates(chain_pem)[0]
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    lifetime = certificate.not_valid_after_utc - certificate.not_valid_before_utc
    fresh = certificate.not_valid_after_utc - now >= lifetime / 3
    return fresh and set(names) == {_general_name(hostname) for hostname in hostnames}


def _requested_key(csr_pem: bytes) -> _PublicKey:
    try:
        request = x509.load_pem_x509_csr(csr_pem)
        proven = request.is_signature_valid
        key = request.public_key()
    except (ValueError, InvalidSignature, UnsupportedAlgorithm):
        raise Unacceptable(Code.MALFORMED, "the certificate request is not a readable PKCS #10 request") from None
    if not proven:
        raise Unacceptable(Code.MALFORMED, "the certificate request is not signed with the key that it names")
    if isinstance(key, ed25519.Ed25519PublicKey):
        return key
    if isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, _CURVES):
        return key
    raise Unacceptable("KeyNotAccepted", "the certificate request's key is of a kind that we do not certify",
                       hint="use an ECDSA key on P-256 or P-384, or an Ed25519 key")  # fmt: skip


def _draft(
    name: x509.Name, issuer: x509.Name, *, public_key: _PublicKey, validity: Validity
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(issuer)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(validity.start - BACKDATED)
        .not_valid_after(validity.start + validity.life)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _general_name(hostname: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(hostname))
    except ValueError:
        return x509.DNSName(hostname)


def _key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
