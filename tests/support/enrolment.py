"""Builders for enrolment: requests whose keys vouch for each other, unless a test says otherwise."""

from __future__ import annotations

from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.x509.oid import NameOID

from agent.wire.enrolment import EnrolRequestV1, sealing_key_signature
from agent.wire.identitykeys import IdentityKey
from agent.wire.scalars import encode_base64
from agent.wire.strict import canonical
from tests.support.wire import CLUSTER

IDENTITY = ec.generate_private_key(ec.SECP256R1())
SEALING = X25519PrivateKey.generate().public_key().public_bytes_raw()
TOKEN = "perigee-enrol-0123456789abcdef"


def a_csr(key: IdentityKey | rsa.RSAPrivateKey) -> str:
    algorithm = None if isinstance(key, Ed25519PrivateKey) else hashes.SHA256()
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, CLUSTER)])
    csr = x509.CertificateSigningRequestBuilder().subject_name(name).sign(key, algorithm)
    return csr.public_bytes(serialization.Encoding.PEM).decode()


def a_request(identity: IdentityKey = IDENTITY, **changes: Any) -> bytes:
    request = EnrolRequestV1(
        token=TOKEN,
        csr=a_csr(identity),
        sealing_key=encode_base64(SEALING),
        sealing_key_signature=sealing_key_signature(identity, SEALING),
        cluster=CLUSTER,
        labels={"region": "eu"},
        agent_version="0.1.0",
    )
    return canonical({**request.to_data(), **changes})


def csr_pem(der: bytes) -> str:
    """Any bytes in the armour of a certificate signing request."""
    return f"-----BEGIN CERTIFICATE REQUEST-----\n{encode_base64(der)}\n-----END CERTIFICATE REQUEST-----\n"
