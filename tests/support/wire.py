"""Builders for values of the wire: whole and valid by default, one thing changed where a test says so."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from agent.model.desired import Entry, Index
from agent.wire.envelope import INDEX_TYPE, TRUST_TYPE, SigningKey, sign
from agent.wire.index import EntryV1, IndexV1, index_from_wire
from agent.wire.scalars import encode_base64
from agent.wire.strict import canonical, digest
from agent.wire.trust import KeyV1, RolesV1, RoleV1, TrustBundle, TrustBundleV1, fingerprint, verify_first
from tests.support.pki import Authority, pem

NOW = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)
CLUSTER = "prod-1"
INSTANCE_ID = "5f0c3a52-7d54-4a1e-9b0e-0c8f6f5d2a11"
OTHER_ID = "0a6de7f4-8f0b-4c86-bd0e-3f1f7e0a9c22"


def a_signing_key(number: int) -> SigningKey:
    """A key that is the same for the same number."""
    return SigningKey(Ed25519PrivateKey.from_private_bytes(bytes([number]) * 32))


ROOT, SECOND_ROOT, INDEX, STRANGER = (a_signing_key(number) for number in (1, 2, 3, 4))


@cache
def a_certificate() -> str:
    return pem(Authority().certificate).decode()


def a_role(*keys: SigningKey, threshold: int = 1) -> RoleV1:
    return RoleV1(keyids=tuple(key.keyid for key in keys), threshold=threshold)


def some_trust_data(**changes: Any) -> dict[str, Any]:
    """A trust bundle as plain data, with these fields replaced."""
    bundle = TrustBundleV1(
        version=1,
        epoch=3,
        issued_at=NOW,
        roles=RolesV1(root=a_role(ROOT), index=a_role(INDEX)),
        keys={key.keyid: KeyV1(type="ed25519", public=encode_base64(key.public)) for key in (ROOT, SECOND_ROOT, INDEX)},
        ca=(a_certificate(),),
    )
    return {**bundle.to_data(), **changes}


def a_trust_envelope(data: dict[str, Any] | None = None, *, keys: tuple[SigningKey, ...] = (ROOT,)) -> bytes:
    return sign(canonical(data or some_trust_data()), TRUST_TYPE, keys=keys)


def a_trust_bundle() -> TrustBundle:
    return verify_first(a_trust_envelope(), root_fingerprint=fingerprint(ROOT.public))


@dataclass(frozen=True)
class Listed:
    """A document's bytes and the entry that an index has for them."""

    raw: bytes
    entry: Entry


def some_document_data(**spec: Any) -> dict[str, Any]:
    """A short, valid document as plain data, with these fields of its spec added or replaced."""
    return {
        "apiVersion": "perigee.dev/v1",
        "kind": "AirflowInstance",
        "metadata": {"id": INSTANCE_ID, "name": "sales"},
        "spec": {"namespace": "sales", "airflow": {"version": "3.3.2"}, **spec},
    }


def a_listed_document(data: dict[str, Any] | None = None, *, instance_id: str = INSTANCE_ID) -> Listed:
    raw = canonical(data or some_document_data())
    return Listed(raw, Entry(id=instance_id, revision=7, digest=digest(raw), size=len(raw)))


def some_index_data(**changes: Any) -> dict[str, Any]:
    """An index of one instance as plain data, with these fields replaced."""
    entry = a_listed_document().entry
    index = IndexV1(
        cluster=CLUSTER,
        epoch=3,
        version=42,
        issued_at=NOW,
        expires_at=NOW + timedelta(days=7),
        instances=(EntryV1(id=entry.id, revision=entry.revision, digest=entry.digest, size=entry.size),),
    )
    return {**index.to_data(), **changes}


def an_index_envelope(data: dict[str, Any] | None = None, *, keys: tuple[SigningKey, ...] = (INDEX,)) -> bytes:
    return sign(canonical(data or some_index_data()), INDEX_TYPE, keys=keys)


def some_entries(number: int) -> tuple[Entry, ...]:
    """As many lines of an index, all different and always the same, by id."""
    ids = sorted(str(uuid.uuid5(uuid.NAMESPACE_DNS, f"instance-{one}")) for one in range(number))
    return tuple(Entry(one, 2 + place % 7, digest(one.encode()), 2000 + place) for place, one in enumerate(ids))


def an_index(version: int, *entries: Entry) -> Index:
    """A verified index that lists these."""
    lines = tuple(EntryV1(id=one.id, revision=one.revision, digest=one.digest, size=one.size) for one in entries)
    data = IndexV1(
        cluster=CLUSTER, epoch=3, version=version, issued_at=NOW, expires_at=NOW + timedelta(days=7), instances=lines
    ).to_data()
    return index_from_wire(canonical(data), raw=an_index_envelope(data))
