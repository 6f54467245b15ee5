"""The signed index: which document each instance has, and what is ordered. Bytes in, verified ``Index`` out, or
``Refused`` with the path.

Verified here: signature, major version, cluster, freshness at acceptance, and that it is not older than what was
accepted before. Not here: the documents themselves (codec).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Annotated, Any, Final, Literal

from pydantic import Field

from agent.model.desired import Entry, Index, Standing
from agent.model.errors import Refused
from agent.model.orders import Order
from agent.wire.arrays import AtMost
from agent.wire.envelope import INDEX_TYPE, open_envelope, verify
from agent.wire.frames import Frame, expect_schema, receive
from agent.wire.limits import MAX_DOCUMENT_BYTES, MAX_INDEX_BYTES, MAX_INSTANCES, MAX_ORDERS
from agent.wire.orders import OrderV1, order_of
from agent.wire.refusals import Reason, shown
from agent.wire.scalars import Digest, DnsLabel, InstanceId, Moment, Ordinal, decode_base64
from agent.wire.strict import parse_object
from agent.wire.trust import TrustBundle

INDEX_SCHEMA: Final = "perigee.dev/index/v1"


class EntryV1(Frame):
    """One instance: ``digest`` is the hex SHA-256 of its document's bytes and ``size`` their number."""

    id: InstanceId
    revision: Ordinal
    digest: Digest
    size: int = Field(strict=True, ge=1, le=MAX_DOCUMENT_BYTES)


class IndexV1(Frame):
    """The desired state of one cluster. (epoch, version) only grows; the same pair always lists the same.
    ``trust``: the version of the newest trust bundle.
    """

    schema_id: Literal["perigee.dev/index/v1"] = Field(default=INDEX_SCHEMA, alias="schema")
    cluster: DnsLabel
    epoch: Ordinal
    version: Ordinal
    issued_at: Moment
    expires_at: Moment
    trust: Ordinal | None = None
    instances: Annotated[tuple[EntryV1, ...], AtMost(MAX_INSTANCES)] = ()
    orders: Annotated[tuple[OrderV1, ...], AtMost(MAX_ORDERS)] = ()

    def to_data(self) -> dict[str, Any]:
        """Without orders the field is left out, so that an agent that does not know it has nothing to wonder about."""
        data = super().to_data()
        if not self.orders:
            del data["orders"]
        return data


class IndexVerifier:
    """Judges indexes by one trust bundle, for one cluster. Implements the port ``Verifier``.

    ``cluster`` None: for whichever the index names, where nobody said which one this is and nothing is done by it.
    ``former``: bundles before it, the latest first, by which an index may have been accepted that is still kept: what
    they vouched for then stays in force, and nothing new is accepted by them.
    """

    def __init__(self, trust: TrustBundle, cluster: str | None, *, former: Sequence[TrustBundle] = ()) -> None:
        self._trust = trust
        self._cluster = cluster
        self._former = tuple(former)

    def index(self, envelope: bytes, *, now: datetime | None, newest: Standing | None) -> Index:
        """The verified index. ``now`` None: freshness was judged at acceptance, do not judge it again.

        An index of the same standing as ``newest`` passes; whether it also says the same, ``refuse_mixed`` judges.
        Raises Refused: TooLarge, Malformed, WrongType, BadSignature, UnknownMajor, WrongCluster, EpochAhead,
        RolledBack, IndexExpired.
        """
        payload = self._signed(envelope, accepted_before=now is None)
        index = index_from_wire(payload, raw=envelope)
        if self._cluster is not None and index.cluster != self._cluster:
            raise Refused(
                f"is {shown(index.cluster)}, and this agent is {shown(self._cluster)}",
                path="cluster",
                reason=Reason.WRONG_CLUSTER,
            )
        self._refuse_foreign_epoch(index.standing)
        _refuse_older(index.standing, newest)
        if now is not None and now >= index.expires_at:
            raise Refused(
                f"was {index.expires_at.isoformat()}, and it is {now.isoformat()}",
                path="expiresAt",
                reason=Reason.INDEX_EXPIRED,
                hint="the control plane stopped signing, or somebody withholds newer indexes, or a clock is wrong",
            )
        return index

    def _signed(self, envelope: bytes, *, accepted_before: bool) -> bytes:
        try:
            return verify(envelope, INDEX_TYPE, role=self._trust.index, limit=MAX_INDEX_BYTES)
        except Refused:
            for bundle in self._former if accepted_before else ():
                with suppress(Refused):
                    return verify(envelope, INDEX_TYPE, role=bundle.index, limit=MAX_INDEX_BYTES)
            raise

    def _refuse_foreign_epoch(self, came: Standing) -> None:
        """Epochs are the root role's to begin: else whoever holds the index key could outrank every index to come."""
        if came.epoch > self._trust.epoch:
            raise Refused(
                f"is {came.epoch}, and the trust bundle {self._trust.version} knows none after {self._trust.epoch}",
                path="epoch",
                reason=Reason.EPOCH_AHEAD,
                hint="a newer trust bundle is needed, signed by the root role",
            )


def index_from_wire(payload: bytes, *, raw: bytes) -> Index:
    """The index that these verified bytes say; ``raw`` is the envelope they came in. Raises Refused."""
    data = parse_object(payload, limit=MAX_INDEX_BYTES, what="index")
    expect_schema(data, INDEX_SCHEMA)
    index, unknown = receive(IndexV1, data, what="index")
    _refuse_twice("instances", (one.id for one in index.instances))
    _refuse_twice("orders", (one.id for one in index.orders))
    if index.expires_at <= index.issued_at:
        raise Refused("is not after issuedAt", path="expiresAt", reason=Reason.MALFORMED)
    return Index(
        cluster=index.cluster,
        standing=Standing(index.epoch, index.version),
        issued_at=index.issued_at,
        expires_at=index.expires_at,
        entries=tuple(Entry(one.id, one.revision, one.digest, one.size) for one in index.instances),
        trust=index.trust or 0,
        raw=raw,
        unknown_fields=unknown,
        orders=tuple(order_of(one) for one in index.orders),
    )


def signers(envelope: bytes) -> frozenset[str]:
    """The ids of the keys that an index says it is signed with; nothing is verified. None of what is no index."""
    try:
        opened = open_envelope(envelope, INDEX_TYPE, limit=MAX_INDEX_BYTES)
    except Refused:
        return frozenset()
    return frozenset(one.keyid for one in opened.signatures)


def unverified_entries(envelope: bytes) -> tuple[Entry, ...]:
    """The lines of an index that nobody has verified: for who keeps one and reads it back. Raises Refused."""
    opened = open_envelope(envelope, INDEX_TYPE, limit=MAX_INDEX_BYTES)
    return index_from_wire(decode_base64(opened.payload), raw=envelope).entries


def refuse_mixed(came: Index, *, held: Index) -> None:
    """Refuse (MixedIndex) an index that says other things under the very standing of one that was accepted.

    An index that was only signed anew, with later times, passes.
    """
    if came.standing != held.standing:
        return
    for what, differ in (
        ("instances", set(came.entries) != set(held.entries)),
        ("orders", _by_id(came.orders) != _by_id(held.orders)),
    ):
        if not differ:
            continue
        raise Refused(
            f"{came.standing.epoch}.{came.standing.version} (epoch.version) was accepted before with other {what}",
            path=what,
            reason=Reason.MIXED_INDEX,
            hint="two control planes sign with one key, or one forgot what it had signed: raise its version",
        )


def _by_id(orders: tuple[Order, ...]) -> dict[str, Order]:
    return {order.id: order for order in orders}


def _refuse_twice(what: str, ids: Iterable[str]) -> None:
    seen: set[str] = set()
    for number, one in enumerate(ids):
        if one in seen:
            raise Refused("is listed twice", path=f"{what}[{number}].id", reason=Reason.MALFORMED)
        seen.add(one)


def _refuse_older(came: Standing, newest: Standing | None) -> None:
    if newest is not None and came < newest:
        raise Refused(
            f"{came.epoch}.{came.version} (epoch.version) is older than {newest.epoch}.{newest.version}, "
            "which was accepted before",
            path="epoch" if came.epoch < newest.epoch else "version",
            reason=Reason.ROLLED_BACK,
            hint="a control plane restored from a backup goes on by a new epoch",
        )
