"""The trust bundle: which keys may sign what, and which certificate authorities an agent believes.

Here: reading one; the first step of trust, from a pinned root key to a verified bundle; and each later step, to a
bundle that the root role of the one before signed as well. Not here: fetching and keeping them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Final, Literal

from cryptography.x509 import InvalidVersion, load_pem_x509_certificate
from pydantic import Field

from agent.model.errors import Misconfigured, Refused
from agent.wire.arrays import AtMost
from agent.wire.envelope import TRUST_TYPE, Role, open_envelope, verify
from agent.wire.frames import Frame, expect_schema, receive
from agent.wire.limits import MAX_TRUST_BYTES
from agent.wire.refusals import Reason
from agent.wire.scalars import Base64, Digest, Moment, Ordinal, decode_base64
from agent.wire.strict import digest, parse_object

TRUST_SCHEMA: Final = "perigee.dev/trust/v1"
_FINGERPRINT: Final = "sha256:"


class KeyV1(Frame):
    """A public key: ``public`` are the 32 raw bytes of an Ed25519 key."""

    type: Literal["ed25519"]
    public: Base64


class RoleV1(Frame):
    """Which keys a role has, and how many of them must sign."""

    keyids: Annotated[tuple[Digest, ...], Field(min_length=1), AtMost(16)]
    threshold: int = Field(strict=True, ge=1, le=16)


class RolesV1(Frame):
    """``root`` signs trust bundles and may be offline; ``index`` signs what the agents poll."""

    root: RoleV1
    index: RoleV1


class TrustBundleV1(Frame):
    """Everything that an agent trusts. ``version`` grows by one with each bundle; ``ca`` are PEM certificates, the one
    that issues agents' certificates at present first.

    ``epoch`` grows when a control plane was restored from a backup: indexes of the new epoch supersede all older ones,
    whatever their version.
    """

    schema_id: Literal["perigee.dev/trust/v1"] = Field(default=TRUST_SCHEMA, alias="schema")
    version: Ordinal
    epoch: Ordinal
    issued_at: Moment
    roles: RolesV1
    keys: dict[Digest, KeyV1] = Field(max_length=64)
    ca: Annotated[tuple[str, ...], Field(min_length=1), AtMost(16)]


@dataclass(frozen=True, slots=True)
class TrustBundle:
    """A verified bundle. ``ca`` are PEM certificates; ``raw`` are the envelope's exact bytes, to be kept."""

    version: int
    epoch: int
    issued_at: datetime
    roles: Mapping[str, Role]
    ca: tuple[str, ...]
    raw: bytes

    @property
    def index(self) -> Role:
        """Who may sign indexes."""
        return self.roles["index"]

    @property
    def root(self) -> Role:
        """Who may sign the next bundle."""
        return self.roles["root"]


def fingerprint(public: bytes) -> str:
    """How people write down a root key: ``sha256:`` and the hex SHA-256 of the raw public key."""
    return f"{_FINGERPRINT}{digest(public)}"


def verify_first(envelope: bytes, *, root_fingerprint: str) -> TrustBundle:
    """The bundle, if the pinned root key and the bundle's own root role vouch for it.

    Raises Refused (WrongRoot, BadSignature, Malformed, …), and Misconfigured if the fingerprint is none.
    """
    pinned = _pinned(root_fingerprint)
    opened = open_envelope(envelope, TRUST_TYPE, limit=MAX_TRUST_BYTES)
    data = parse_object(decode_base64(opened.payload), limit=MAX_TRUST_BYTES, what="trust bundle")
    bundle = _bundle(data, raw=envelope)
    public = bundle.root.keys.get(pinned)
    if public is None:
        raise Refused(
            f"does not contain the pinned root key {root_fingerprint}",
            path="roles.root.keyids",
            reason=Reason.WRONG_ROOT,
            hint="this is another control plane, or its root key was replaced: compare the fingerprint",
        )
    verify(envelope, TRUST_TYPE, role=Role("pinned root", 1, {pinned: public}), limit=MAX_TRUST_BYTES)
    return _vouched_for(bundle)


def verify_own(envelope: bytes) -> TrustBundle:
    """The bundle, if its own root role vouches for it: enough where it comes from a source that is trusted already.

    Raises Refused: BadSignature, Malformed, TooLarge, …
    """
    opened = open_envelope(envelope, TRUST_TYPE, limit=MAX_TRUST_BYTES)
    data = parse_object(decode_base64(opened.payload), limit=MAX_TRUST_BYTES, what="trust bundle")
    return _vouched_for(_bundle(data, raw=envelope))


def verify_next(previous: TrustBundle, envelope: bytes) -> TrustBundle:
    """The bundle that follows: one version later, and signed by the root role of the one before and by its own.

    Raises Refused: BadSignature, TrustSkipped, RolledBack, Malformed, TooLarge, …
    """
    payload = verify(envelope, TRUST_TYPE, role=previous.root, limit=MAX_TRUST_BYTES)
    bundle = _bundle(parse_object(payload, limit=MAX_TRUST_BYTES, what="trust bundle"), raw=envelope)
    if bundle.version != previous.version + 1:
        raise Refused(
            f"is {bundle.version}, and after {previous.version} comes {previous.version + 1}",
            path="version",
            reason=Reason.TRUST_SKIPPED if bundle.version > previous.version else Reason.ROLLED_BACK,
            hint="each trust bundle is taken after the one before it, since that says who may sign it",
        )
    if bundle.epoch < previous.epoch:
        raise Refused(
            f"is {bundle.epoch}, and the trust bundle before it has {previous.epoch}",
            path="epoch",
            reason=Reason.ROLLED_BACK,
        )
    return _vouched_for(bundle)


def _vouched_for(bundle: TrustBundle) -> TrustBundle:
    """The bundle, if its own root role signed it and it names authorities that can be used."""
    verify(bundle.raw, TRUST_TYPE, role=bundle.root, limit=MAX_TRUST_BYTES)
    for number, pem in enumerate(bundle.ca):  # only now: X.509 of a stranger is not worth parsing
        _refuse_other_than_certificate(pem, path=f"ca[{number}]")
    return bundle


def _pinned(root_fingerprint: str) -> str:
    keyid = root_fingerprint.removeprefix(_FINGERPRINT)
    if keyid == root_fingerprint or len(keyid) != len(digest(b"")) or not set(keyid) <= set("0123456789abcdef"):
        raise Misconfigured(
            "the fingerprint of the root key is not of the form sha256:<64 lower-case hexadecimal digits>",
            hint="copy it from where the control plane shows it",
        )
    return keyid


def _bundle(data: dict[str, Any], *, raw: bytes) -> TrustBundle:
    """The bundle as it says of itself: consistent, not yet verified."""
    expect_schema(data, TRUST_SCHEMA)
    bundle, _ = receive(TrustBundleV1, data, what="trust bundle")
    keys = {keyid: _public(keyid, key) for keyid, key in bundle.keys.items()}
    return TrustBundle(
        version=bundle.version,
        epoch=bundle.epoch,
        issued_at=bundle.issued_at,
        roles={name: _role(name, getattr(bundle.roles, name), keys) for name in RolesV1.model_fields},
        ca=bundle.ca,
        raw=raw,
    )


def _public(keyid: str, key: KeyV1) -> bytes:
    public = decode_base64(key.public)
    if digest(public) != keyid:
        raise Refused("is not the SHA-256 of its public key", path=f"keys.{keyid}", reason=Reason.MALFORMED)
    return public


def _refuse_other_than_certificate(pem: str, *, path: str) -> None:
    try:
        load_pem_x509_certificate(pem.encode("utf-8"))
    except (ValueError, InvalidVersion) as error:
        raise Refused("is not a certificate in PEM", path=path, reason=Reason.MALFORMED) from error


def _role(name: str, role: RoleV1, keys: Mapping[str, bytes]) -> Role:
    for number, keyid in enumerate(role.keyids):
        if keyid not in keys:
            path = f"roles.{name}.keyids[{number}]"
            raise Refused("names a key that the bundle does not contain", path=path, reason=Reason.MALFORMED)
    mine = {keyid: keys[keyid] for keyid in role.keyids}
    if role.threshold > len(mine):
        raise Refused(
            f"is {role.threshold}, more than the {len(mine)} keys of the role",
            path=f"roles.{name}.threshold",
            reason=Reason.MALFORMED,
        )
    return Role(name, role.threshold, mine)
