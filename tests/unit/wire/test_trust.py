"""The first step of trust: from a pinned root key to a bundle."""

from __future__ import annotations

from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import load_pem_x509_certificate

from agent.model.errors import Misconfigured, Refused
from agent.wire.envelope import INDEX_TYPE, TRUST_TYPE, sign
from agent.wire.limits import MAX_TRUST_BYTES
from agent.wire.refusals import Reason
from agent.wire.scalars import encode_base64
from agent.wire.strict import canonical
from agent.wire.trust import fingerprint, verify_first
from tests.support.wire import (
    INDEX,
    NOW,
    ROOT,
    SECOND_ROOT,
    STRANGER,
    a_certificate,
    a_role,
    a_trust_envelope,
    some_trust_data,
)

PINNED = fingerprint(ROOT.public)


def refused(envelope: bytes, *, pinned: str = PINNED) -> Refused:
    with pytest.raises(Refused) as caught:
        verify_first(envelope, root_fingerprint=pinned)
    return caught.value


def with_roles(**roles: Any) -> dict[str, Any]:
    data = some_trust_data()
    return {**data, "roles": {**data["roles"], **{name: role.to_data() for name, role in roles.items()}}}


def test_a_bundle_that_the_pinned_root_key_signed_is_taken() -> None:
    envelope = a_trust_envelope()
    bundle = verify_first(envelope, root_fingerprint=PINNED)
    assert (bundle.version, bundle.epoch, bundle.issued_at) == (1, 3, NOW)
    assert bundle.index.keys == {INDEX.keyid: INDEX.public}
    assert bundle.root.keys == {ROOT.keyid: ROOT.public}
    assert bundle.root.threshold == 1
    assert bundle.ca == (a_certificate(),)
    assert bundle.raw == envelope


def test_a_later_version_may_bring_fields_and_roles_that_are_ignored() -> None:
    data = with_roles(audit=a_role(INDEX))
    assert verify_first(a_trust_envelope({**data, "notes": "x"}), root_fingerprint=PINNED).version == 1


def test_every_root_key_of_the_threshold_must_sign() -> None:
    data = with_roles(root=a_role(ROOT, SECOND_ROOT, threshold=2))
    assert refused(a_trust_envelope(data)).reason == Reason.BAD_SIGNATURE
    assert verify_first(a_trust_envelope(data, keys=(ROOT, SECOND_ROOT)), root_fingerprint=PINNED).root.threshold == 2


def test_the_pinned_key_itself_must_sign_even_where_another_root_key_would_do() -> None:
    data = with_roles(root=a_role(ROOT, SECOND_ROOT, threshold=1))
    error = refused(a_trust_envelope(data, keys=(SECOND_ROOT,)))
    assert (error.reason, error.path) == (Reason.BAD_SIGNATURE, "signatures")
    assert "pinned root" in str(error)


def test_another_control_plane_is_told_from_a_broken_bundle() -> None:
    error = refused(a_trust_envelope(), pinned=fingerprint(STRANGER.public))
    assert (error.reason, error.path) == (Reason.WRONG_ROOT, "roles.root.keyids")
    assert "compare the fingerprint" in error.hint


def test_a_pinned_key_that_is_in_the_bundle_but_not_of_the_root_role_gives_no_trust() -> None:
    assert refused(a_trust_envelope(keys=(INDEX,)), pinned=fingerprint(INDEX.public)).reason == Reason.WRONG_ROOT


def test_an_index_signed_by_the_root_is_no_trust_bundle() -> None:
    assert refused(sign(canonical(some_trust_data()), INDEX_TYPE, keys=[ROOT])).reason == Reason.WRONG_TYPE


@pytest.mark.parametrize("pinned", ["", "sha256:", ROOT.keyid, f"sha256:{ROOT.keyid.upper()}", f"sha1:{ROOT.keyid}"])
def test_a_fingerprint_of_another_form_is_the_agents_own_misconfiguration(pinned: str) -> None:
    with pytest.raises(Misconfigured, match="sha256:<64"):
        verify_first(a_trust_envelope(), root_fingerprint=pinned)


def keys_with(keyid: str, **fields: str) -> dict[str, Any]:
    keys: dict[str, dict[str, str]] = some_trust_data()["keys"]
    return {**keys, keyid: {**keys.get(keyid, {}), **fields}}


@pytest.mark.parametrize(
    ("data", "path", "reason"),
    [
        (some_trust_data(schema="perigee.dev/trust/v2"), "schema", Reason.UNKNOWN_MAJOR),
        (some_trust_data(schema="perigee.dev/index/v1"), "schema", Reason.MALFORMED),
        (some_trust_data(schema=None), "schema", Reason.MALFORMED),
        (some_trust_data(version=0), "version", Reason.MALFORMED),
        (some_trust_data(epoch="3"), "epoch", Reason.MALFORMED),
        (some_trust_data(issuedAt=1), "issuedAt", Reason.MALFORMED),
        (some_trust_data(issuedAt="2026-02-30T00:00:00Z"), "issuedAt", Reason.MALFORMED),
        (some_trust_data(issuedAt="2026-01-31T12:00:00+01:00"), "issuedAt", Reason.MALFORMED),
        (some_trust_data(roles={}), "roles.root", Reason.MALFORMED),
        (with_roles(index=a_role(STRANGER)), "roles.index.keyids[0]", Reason.MALFORMED),
        (with_roles(index=a_role(INDEX, threshold=2)), "roles.index.threshold", Reason.MALFORMED),
        (with_roles(index=a_role(INDEX, INDEX, threshold=2)), "roles.index.threshold", Reason.MALFORMED),
        (some_trust_data(ca=[]), "ca", Reason.MALFORMED),
        (some_trust_data(ca=[a_certificate(), "no PEM"]), "ca[1]", Reason.MALFORMED),
        (
            some_trust_data(keys=keys_with(INDEX.keyid, public=encode_base64(STRANGER.public))),
            f"keys.{INDEX.keyid}",
            Reason.MALFORMED,
        ),
        (some_trust_data(keys=keys_with(INDEX.keyid, type="rsa")), f"keys.{INDEX.keyid}.type", Reason.MALFORMED),
        (some_trust_data(keys={"short": {}}), "keys.short", Reason.MALFORMED),
    ],
    ids=lambda told: "" if isinstance(told, dict) else str(told),
)
def test_a_malformed_bundle_is_refused_with_the_path(data: dict[str, Any], path: str, reason: Reason) -> None:
    error = refused(a_trust_envelope(data))
    path = path if not path.startswith("keys.") or path == "keys.short" else _bracketed(path)
    assert (error.reason, error.path) == (reason, path)


def _bracketed(path: str) -> str:
    """A key id that begins with a digit is written in brackets."""
    keyid, dot, rest = path.removeprefix("keys.").partition(".")
    return path if keyid[0].isalpha() else f'keys["{keyid}"]{dot}{rest}'


def test_a_certificate_of_another_version_is_refused() -> None:
    der = load_pem_x509_certificate(a_certificate().encode()).public_bytes(Encoding.DER)
    third, tenth = bytes.fromhex("a003020102"), bytes.fromhex("a003020109")
    assert third in der
    pem = f"-----BEGIN CERTIFICATE-----\n{encode_base64(der.replace(third, tenth, 1))}\n-----END CERTIFICATE-----\n"
    assert refused(a_trust_envelope(some_trust_data(ca=[pem]))).path == "ca[0]"


def test_an_endless_bundle_is_refused_unread() -> None:
    envelope = sign(b" " * MAX_TRUST_BYTES, TRUST_TYPE, keys=[ROOT])
    assert refused(envelope).reason == Reason.TOO_LARGE
