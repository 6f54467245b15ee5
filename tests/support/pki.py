"""A certificate authority for tests: real keys, real TLS on loopback, no file left behind."""

from __future__ import annotations

import ssl
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from agent.wire.identitykeys import IdentityPublicKey

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
ONCE = datetime(2021, 1, 1, tzinfo=UTC)
FAR_OFF = datetime(2090, 1, 1, tzinfo=UTC)
FARTHER_OFF = datetime(2091, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Validity:
    """From when until when a certificate holds."""

    not_before: datetime = LONG_AGO
    not_after: datetime = FAR_OFF


LASTING = Validity()
EXPIRED = Validity(LONG_AGO, ONCE)
NOT_YET = Validity(FAR_OFF, FARTHER_OFF)


def new_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def pem(*certificates: x509.Certificate) -> bytes:
    return b"".join(certificate.public_bytes(serialization.Encoding.PEM) for certificate in certificates)


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


class Authority:
    """Signs server and client certificates."""

    def __init__(self, name: str = "test CA") -> None:
        self.key = new_key()
        self.certificate = (
            x509.CertificateBuilder()
            .subject_name(_named(name))
            .issuer_name(_named(name))
            .public_key(self.key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(LONG_AGO)
            .not_valid_after(FARTHER_OFF)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(self.key.public_key()), critical=False)
            .add_extension(_usage(ca=True), critical=True)
            .sign(self.key, hashes.SHA256())
        )

    @cached_property
    def pem(self) -> bytes:
        return pem(self.certificate)

    def server(self, *hosts: str, validity: Validity = LASTING) -> ssl.SSLContext:
        """The TLS of a server for these hosts, which asks nobody for a certificate."""
        key = new_key()
        names = [_general_name(host) for host in hosts or ("127.0.0.1",)]
        builder = self._leaf("server", key.public_key(), validity).add_extension(
            x509.SubjectAlternativeName(names), critical=False
        )
        certificate = builder.add_extension(
            x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False
        ).sign(self.key, hashes.SHA256())
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        with tempfile.NamedTemporaryFile() as file:
            Path(file.name).write_bytes(key_pem(key) + pem(certificate))
            context.load_cert_chain(file.name)
        return context

    def mutual(self, *hosts: str, clients: Authority | None = None) -> ssl.SSLContext:
        """The TLS of a server that wants a certificate of ``clients``, by default of this authority."""
        context = self.server(*hosts)
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(cadata=(clients or self).pem.decode())
        return context

    def client(self, public: IdentityPublicKey, *, name: str, validity: Validity = LASTING) -> x509.Certificate:
        """A client's certificate."""
        builder = self._leaf(name, public, validity).add_extension(
            x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False
        )
        return builder.sign(self.key, hashes.SHA256())

    def _leaf(self, name: str, public: IdentityPublicKey, validity: Validity) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(_named(name))
            .issuer_name(self.certificate.subject)
            .public_key(public)
            .serial_number(x509.random_serial_number())
            .not_valid_before(validity.not_before)
            .not_valid_after(validity.not_after)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key()), critical=False)
            .add_extension(_usage(ca=False), critical=True)
        )


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _usage(*, ca: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not ca,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=ca,
        crl_sign=ca,
        encipher_only=False,
        decipher_only=False,
    )
