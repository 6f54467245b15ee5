from __future__ import annotations

import copy
import os
import ssl
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from agent.model.errors import Misconfigured
from agent.uplink.identity import AUTHORITIES, CHAIN, KEY, SEALING_KEY, Identity, Keys
from agent.uplink.tls import verifying
from agent.wire.enrolment import load_csr
from tests.support.pki import EXPIRED, FAR_OFF, LASTING, LONG_AGO, ONCE, Authority, Validity, key_pem, new_key, pem

CA = Authority()


def an_identity(validity: Validity = LASTING) -> Identity:
    keys = Keys.generate()
    certificate = CA.client(keys.identity.public_key(), name="north", validity=validity)
    return Identity.of(keys, chain=pem(certificate), authorities=CA.pem)


def test_an_identity_survives_being_kept_in_a_secret() -> None:
    identity = an_identity()
    kept = identity.to_secret()
    assert set(kept) == {"tls.key", "tls.crt", "ca.crt", "sealing.key"}
    again = Identity.from_secret(kept)
    assert again.to_secret() == kept
    assert again.chain == identity.chain
    assert again.keys.sealing_public == identity.keys.sealing_public


def test_its_validity_is_the_certificates() -> None:
    assert (an_identity().not_before, an_identity().not_after) == (LONG_AGO, FAR_OFF)
    assert an_identity(EXPIRED).not_after == ONCE


def test_keys_are_of_the_promised_kinds_and_sign_their_request() -> None:
    keys = Keys.generate()
    assert isinstance(keys.identity.curve, ec.SECP256R1)
    csr = load_csr(keys.request("north"))
    assert csr.subject.rfc4514_string() == "CN=north"
    assert csr.public_key() == keys.identity.public_key()
    assert len(keys.sealing_public) == 32


def test_its_tls_is_modern_and_believes_its_own_authorities_only() -> None:
    context = an_identity().ssl_context()
    assert context.minimum_version == ssl.TLSVersion.TLSv1_2
    assert context.verify_mode == ssl.CERT_REQUIRED
    assert context.check_hostname
    assert [authority["subject"] for authority in context.get_ca_certs()] == [((("commonName", "test CA"),),)]


@pytest.mark.parametrize("in_memory", [True, False])
def test_the_key_touches_no_file_that_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, in_memory: bool
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    seen = []
    original = ssl.SSLContext.load_cert_chain

    def watched(self: ssl.SSLContext, path: str, **more: str) -> None:
        content = Path(path).read_bytes()
        assert b"ENCRYPTED PRIVATE KEY" in content
        assert not any(b"-----BEGIN " + kind in content for kind in (b"PRIVATE KEY", b"EC PRIVATE KEY"))
        seen.append((path, oct(Path(path).stat().st_mode & 0o777)))
        original(self, path, **more)

    monkeypatch.setattr(ssl.SSLContext, "load_cert_chain", watched)
    if not in_memory:
        monkeypatch.delattr(os, "memfd_create")
    descriptors = len(list(Path("/proc/self/fd").iterdir()))
    an_identity().ssl_context()
    [(path, mode)] = seen
    assert path.startswith("/proc/self/fd/" if in_memory else str(tmp_path))
    assert in_memory or mode == "0o600"
    assert list(tmp_path.iterdir()) == []
    assert len(list(Path("/proc/self/fd").iterdir())) == descriptors


@pytest.mark.parametrize("missing", [KEY, CHAIN, AUTHORITIES, SEALING_KEY])
def test_a_secret_without_an_entry_names_it(missing: str) -> None:
    kept = an_identity().to_secret()
    del kept[missing]
    with pytest.raises(Misconfigured, match=f"has no {missing}") as raised:
        Identity.from_secret(kept)
    assert "enrol again" in raised.value.hint


@pytest.mark.parametrize("broken", [KEY, CHAIN, AUTHORITIES, SEALING_KEY])
def test_a_broken_entry_is_named_and_never_quoted(broken: str) -> None:
    kept = an_identity().to_secret() | {broken: b"-----BEGIN PRIVATE KEY-----\ncanary\n-----END PRIVATE KEY-----\n"}
    with pytest.raises(Misconfigured, match=broken) as raised:
        Identity.from_secret(kept)
    assert "canary" not in raised.value.explain()
    assert raised.value.__context__ is None or raised.value.__suppress_context__


def test_keys_in_the_wrong_places_are_refused() -> None:
    kept = an_identity().to_secret()
    with pytest.raises(Misconfigured, match="holds other keys"):
        Identity.from_secret(kept | {KEY: kept[SEALING_KEY], SEALING_KEY: kept[KEY]})


def test_a_certificate_for_another_key_is_refused() -> None:
    with pytest.raises(Misconfigured, match="not for the identity key"):
        Identity.from_secret(an_identity().to_secret() | {KEY: key_pem(new_key())})


def test_authorities_that_are_none_are_named() -> None:
    with pytest.raises(Misconfigured, match=r"/ca\.pem holds no CA certificate"):
        verifying(b"nothing", source="/ca.pem")


def test_a_bundle_may_carry_comments_in_any_language() -> None:
    both = "# Größte Stelle\n".encode() + CA.pem + b"# \xff\n" + Authority("other").pem
    assert len(verifying(both, source="/ca.pem").get_ca_certs()) == 2


@pytest.mark.parametrize("body", ["canary", "\xfc"])
def test_a_certificate_that_is_garbage_is_named(body: str) -> None:
    broken = f"-----BEGIN CERTIFICATE-----\n{body}\n-----END CERTIFICATE-----\n".encode()
    with pytest.raises(Misconfigured, match="holds no CA certificate"):
        verifying(broken, source="/ca.pem")


def test_no_key_shows_when_somebody_prints_it() -> None:
    identity = an_identity()
    secrets = [line for name in (KEY, SEALING_KEY) for line in identity.to_secret()[name].decode().splitlines()[1:-1]]
    for text in (repr(identity), str(identity), repr(identity.keys), repr(copy.copy(identity))):
        assert "PRIVATE" not in text
        assert not any(secret in text for secret in secrets)
        assert "PrivateKey object" not in text
