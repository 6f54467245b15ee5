"""Certificates say what we say: the request gives a public key and nothing else."""

from __future__ import annotations

import ipaddress
from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from cryptography.x509.verification import PolicyBuilder, Store

from control_plane.authority import Authority, Validity, cluster_of, serial_of, serves
from control_plane.faults import Fault, Unacceptable
from tests.support.clock import BEGIN

ROOT_LIFE = Validity(BEGIN, timedelta(days=3650))
A_DAY = Validity(BEGIN, timedelta(days=1))
AUTHORITY = Authority.create(ROOT_LIFE)
Private = ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey


def a_request(key: Private, *, name: str = "anything", uri: str = "spiffe://perigee/cluster/other") -> bytes:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    builder = x509.CertificateSigningRequestBuilder().subject_name(subject)
    builder = builder.add_extension(
        x509.SubjectAlternativeName([x509.UniformResourceIdentifier(uri)]), critical=False
    ).add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    algorithm = None if isinstance(key, ed25519.Ed25519PrivateKey) else hashes.SHA256()
    return builder.sign(key, algorithm).public_bytes(serialization.Encoding.PEM)


def issued(key: Private | None = None, cluster: str = "east") -> x509.Certificate:
    key = key or ec.generate_private_key(ec.SECP256R1())
    return x509.load_pem_x509_certificate(AUTHORITY.client_certificate(a_request(key), cluster, validity=A_DAY).chain)


def extension(certificate: x509.Certificate, kind: type[x509.ExtensionType]) -> x509.ExtensionType:
    return certificate.extensions.get_extension_for_class(kind).value


def test_only_the_public_key_of_a_request_is_taken() -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = issued(key)
    assert certificate.public_key() == key.public_key()
    assert certificate.subject.rfc4514_string() == "CN=east"
    names = extension(certificate, x509.SubjectAlternativeName)
    assert names == x509.SubjectAlternativeName([x509.UniformResourceIdentifier("spiffe://perigee/cluster/east")])
    assert extension(certificate, x509.BasicConstraints) == x509.BasicConstraints(ca=False, path_length=None)


def test_an_agents_certificate_is_good_for_a_client_and_for_nothing_else() -> None:
    certificate = issued()
    assert list(extension(certificate, x509.ExtendedKeyUsage)) == [ExtendedKeyUsageOID.CLIENT_AUTH]  # type: ignore[call-overload]
    verifier = PolicyBuilder().store(Store([x509.load_pem_x509_certificate(AUTHORITY.certificate_pem)])).time(BEGIN)
    assert verifier.build_client_verifier().verify(certificate, []).subjects
    with pytest.raises(x509.verification.VerificationError):
        verifier.build_server_verifier(x509.DNSName("east")).verify(certificate, [])


def test_a_certificate_begins_a_little_before_it_was_asked_for() -> None:
    certificate = issued()
    assert certificate.not_valid_before_utc == BEGIN - timedelta(minutes=5)
    assert certificate.not_valid_after_utc == BEGIN + timedelta(days=1)


def test_certificates_never_share_a_serial() -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    assert serial_of(issued(key)) != serial_of(issued(key))


@pytest.mark.parametrize("key", [ec.generate_private_key(ec.SECP384R1()), ed25519.Ed25519PrivateKey.generate()])
def test_keys_of_the_accepted_kinds_are_certified(key: Private) -> None:
    assert cluster_of(issued(key)) == "east"


@pytest.mark.parametrize(
    "key", [rsa.generate_private_key(65537, 2048), ec.generate_private_key(ec.SECP224R1())], ids=["rsa", "p-224"]
)
def test_keys_of_other_kinds_are_refused_with_what_to_use(key: Private) -> None:
    with pytest.raises(Unacceptable) as refused:
        AUTHORITY.client_certificate(a_request(key), "east", validity=A_DAY)
    assert refused.value.code == "KeyNotAccepted"
    assert "P-256" in refused.value.hint


def test_a_request_that_is_none_is_refused() -> None:
    for broken in (b"", b"nonsense", AUTHORITY.certificate_pem):
        with pytest.raises(Fault) as refused:
            AUTHORITY.client_certificate(broken, "east", validity=A_DAY)
        assert refused.value.code == "Malformed"


def test_a_request_signed_with_another_key_is_refused() -> None:
    mine, other = (x509.load_pem_x509_csr(a_request(ec.generate_private_key(ec.SECP256R1()))) for _ in range(2))
    forged = mine.public_bytes(serialization.Encoding.DER).replace(mine.signature[-20:], other.signature[-20:])
    pem = x509.load_der_x509_csr(forged).public_bytes(serialization.Encoding.PEM)
    with pytest.raises(Unacceptable, match="not signed with the key"):
        AUTHORITY.client_certificate(pem, "east", validity=A_DAY)


def test_a_certificate_that_names_no_cluster_or_several_speaks_for_none() -> None:
    server = AUTHORITY.server_pair(["plane.example.com"], A_DAY).chain
    assert cluster_of(x509.load_pem_x509_certificates(server)[0]) is None
    assert cluster_of(x509.load_pem_x509_certificate(AUTHORITY.certificate_pem)) is None


def test_a_server_certificate_is_for_its_names_and_addresses() -> None:
    chain = AUTHORITY.server_pair(["plane.example.com", "192.0.2.7", "::1"], A_DAY).chain
    names = extension(x509.load_pem_x509_certificates(chain)[0], x509.SubjectAlternativeName)
    assert isinstance(names, x509.SubjectAlternativeName)
    assert names.get_values_for_type(x509.DNSName) == ["plane.example.com"]
    addresses = [ipaddress.ip_address("192.0.2.7"), ipaddress.ip_address("::1")]
    assert names.get_values_for_type(x509.IPAddress) == addresses


def test_a_server_certificate_serves_its_names_until_a_third_of_its_life_is_left() -> None:
    chain = AUTHORITY.server_pair(["a.example.com"], Validity(BEGIN, timedelta(days=30))).chain
    assert serves(chain, ["a.example.com"], now=BEGIN + timedelta(days=19))
    assert not serves(chain, ["a.example.com"], now=BEGIN + timedelta(days=21))
    assert not serves(chain, ["a.example.com", "b.example.com"], now=BEGIN)
    assert not serves(chain, ["b.example.com"], now=BEGIN)


def test_a_root_comes_back_from_its_files() -> None:
    again = Authority.load(AUTHORITY.certificate_pem, AUTHORITY.key_pem)
    assert again.fingerprint == AUTHORITY.fingerprint
    assert again.client_certificate(
        a_request(ec.generate_private_key(ec.SECP256R1())), "east", validity=A_DAY
    ).chain.startswith(b"-----BEGIN CERTIFICATE-----")
