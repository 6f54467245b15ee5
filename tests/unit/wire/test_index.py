"""The signed index: the attacks that a verifier must survive, and the faults that it must name."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from agent.model.desired import Entry, Index, Standing
from agent.model.errors import Refused
from agent.model.orders import Order
from agent.ports import Verifier
from agent.wire.envelope import INDEX_TYPE, TRUST_TYPE, sign
from agent.wire.frames import MOST_UNKNOWN_NAMED
from agent.wire.index import IndexVerifier, refuse_mixed
from agent.wire.limits import MAX_DOCUMENT_BYTES, MAX_INDEX_BYTES
from agent.wire.refusals import Reason
from agent.wire.strict import canonical
from tests.support.wire import (
    CLUSTER,
    INDEX,
    INSTANCE_ID,
    NOW,
    OTHER_ID,
    ROOT,
    STRANGER,
    a_listed_document,
    a_trust_bundle,
    an_index_envelope,
    some_index_data,
)

VERIFIER: Verifier = IndexVerifier(a_trust_bundle(), CLUSTER)
ENTRY: dict[str, Any] = some_index_data()["instances"][0]


def accepted(data: dict[str, Any] | None = None, *, newest: Standing | None = None) -> Index:
    return VERIFIER.index(an_index_envelope(data), now=NOW, newest=newest)


def refused(envelope: bytes, *, newest: Standing | None = None) -> Refused:
    with pytest.raises(Refused) as caught:
        VERIFIER.index(envelope, now=NOW, newest=newest)
    return caught.value


def entries(**changes: Any) -> dict[str, Any]:
    """An index of two instances, the second with these fields replaced; None takes a field away."""
    second = {key: value for key, value in {**ENTRY, "id": OTHER_ID, **changes}.items() if value is not None}
    return some_index_data(instances=[ENTRY, second])


def test_a_verified_index_says_what_was_signed() -> None:
    envelope = an_index_envelope()
    index = VERIFIER.index(envelope, now=NOW, newest=None)
    entry = a_listed_document().entry
    assert index == Index(
        cluster=CLUSTER,
        standing=Standing(3, 42),
        issued_at=NOW,
        expires_at=NOW + timedelta(days=7),
        entries=(Entry(INSTANCE_ID, 7, entry.digest, entry.size),),
        raw=envelope,
    )


def test_an_empty_index_is_an_index() -> None:
    assert accepted(some_index_data(instances=[])).entries == ()


def test_forged_signed_by_a_stranger() -> None:
    assert refused(an_index_envelope(keys=(STRANGER,))).reason == Reason.BAD_SIGNATURE


def test_forged_signed_by_a_key_of_another_role() -> None:
    assert refused(an_index_envelope(keys=(ROOT,))).reason == Reason.BAD_SIGNATURE


def test_forged_another_kind_of_payload() -> None:
    assert refused(sign(canonical(some_index_data()), TRUST_TYPE, keys=[INDEX])).reason == Reason.WRONG_TYPE


def test_wrong_agent_an_index_for_another_cluster() -> None:
    error = refused(an_index_envelope(some_index_data(cluster="prod-2")))
    assert (error.reason, error.path) == (Reason.WRONG_CLUSTER, "cluster")
    assert str(error) == 'cluster: is "prod-2", and this agent is "prod-1"'


@pytest.mark.parametrize(
    ("newest", "path"), [(Standing(3, 43), "version"), (Standing(4, 1), "epoch"), (Standing(4, 42), "epoch")]
)
def test_rolled_back_older_than_what_was_accepted(newest: Standing, path: str) -> None:
    error = refused(an_index_envelope(), newest=newest)
    assert (error.reason, error.path) == (Reason.ROLLED_BACK, path)
    assert f"3.42 (epoch.version) is older than {newest.epoch}.{newest.version}" in str(error)


@pytest.mark.parametrize("newest", [None, Standing(3, 42), Standing(3, 41), Standing(2, 900)])
def test_what_is_as_new_or_newer_passes(newest: Standing | None) -> None:
    assert accepted(newest=newest).standing == Standing(3, 42)


def test_an_epoch_that_the_root_role_did_not_begin_is_refused() -> None:
    error = refused(an_index_envelope(some_index_data(epoch=4, version=1)))
    assert (error.reason, error.path) == (Reason.EPOCH_AHEAD, "epoch")
    assert accepted(some_index_data(epoch=2)).standing == Standing(2, 42)


def test_frozen_an_index_is_refused_from_its_expiry_on() -> None:
    last_moment = NOW + timedelta(days=7) - timedelta(microseconds=1)
    VERIFIER.index(an_index_envelope(), now=last_moment, newest=None)
    with pytest.raises(Refused) as caught:
        VERIFIER.index(an_index_envelope(), now=NOW + timedelta(days=7), newest=None)
    assert (caught.value.reason, caught.value.path) == (Reason.INDEX_EXPIRED, "expiresAt")
    assert "2026-02-07T12:00:00+00:00" in str(caught.value)


def test_what_was_accepted_once_does_not_expire_in_the_cluster() -> None:
    assert VERIFIER.index(an_index_envelope(), now=None, newest=Standing(3, 42)).standing == Standing(3, 42)


def test_without_a_clock_everything_else_is_still_judged() -> None:
    with pytest.raises(Refused, match="cluster"):
        VERIFIER.index(an_index_envelope(some_index_data(cluster="prod-2")), now=None, newest=None)
    with pytest.raises(Refused, match="older"):
        VERIFIER.index(an_index_envelope(), now=None, newest=Standing(3, 43))


def test_mixed_one_standing_with_two_contents() -> None:
    held = accepted()
    refuse_mixed(accepted(), held=held)
    refuse_mixed(accepted(entries()), held=replace(held, standing=Standing(3, 41)))
    with pytest.raises(Refused) as caught:
        refuse_mixed(accepted(entries()), held=held)
    assert (caught.value.reason, caught.value.path) == (Reason.MIXED_INDEX, "instances")


def test_an_index_that_was_only_signed_anew_is_not_mixed() -> None:
    later = some_index_data(issuedAt="2026-02-01T00:00:00Z", expiresAt="2026-02-09T00:00:00Z")
    refuse_mixed(accepted(later), held=accepted())


def test_endless_data_is_refused_unread() -> None:
    assert refused(b"x" * (MAX_INDEX_BYTES + 1)).reason == Reason.TOO_LARGE
    many = [{**ENTRY, "id": f"{number:08x}{INSTANCE_ID[8:]}"} for number in range(5001)]
    error = refused(an_index_envelope(some_index_data(instances=many)))
    assert (error.reason, error.path) == (Reason.MALFORMED, "instances")
    assert "at most 5000" in str(error)


def test_fields_of_a_newer_minor_version_are_ignored_and_named() -> None:
    data = {**entries(later=1), "news": [], "agent": {"pollSeconds": 5}}
    index = accepted(data)
    assert index.unknown_fields == ("agent", "instances[1].later", "news")
    assert len(index.entries) == 2


def test_a_flood_of_unknown_fields_is_named_in_a_few_words() -> None:
    index = accepted(some_index_data(**{f"field{number:03}": 1 for number in range(100)}))
    assert len(index.unknown_fields) == MOST_UNKNOWN_NAMED + 1
    assert index.unknown_fields[-1] == "and 68 more"


def test_the_snake_case_of_the_code_is_not_a_second_spelling_on_the_wire() -> None:
    data = some_index_data()
    data["issued_at"] = data.pop("issuedAt")
    assert refused(an_index_envelope(data)).path == "issuedAt"


def test_another_major_version_is_refused_as_such() -> None:
    error = refused(an_index_envelope(some_index_data(schema="perigee.dev/index/v2")))
    assert (error.reason, error.path) == (Reason.UNKNOWN_MAJOR, "schema")
    assert "it knows perigee.dev/index/v1" in str(error)


@pytest.mark.parametrize(
    ("data", "path", "says"),
    [
        (entries(digest="beef"), "instances[1].digest", "must be a SHA-256"),
        (entries(digest=None), "instances[1].digest", "is missing"),
        (entries(digest=ENTRY["digest"].upper()), "instances[1].digest", "lower-case"),
        (entries(id="sales"), "instances[1].id", "must be a UUID"),
        (entries(id=OTHER_ID.upper()), "instances[1].id", "lower case"),
        (entries(id=INSTANCE_ID), "instances[1].id", "is listed twice"),
        (entries(revision=0), "instances[1].revision", "greater than or equal to 1"),
        (entries(revision=True), "instances[1].revision", "must be a"),
        (entries(revision="7"), "instances[1].revision", "must be a"),
        (entries(revision=7.0), "instances[1].revision", "must be a"),
        (entries(revision=2**53), "instances[1].revision", "less than or equal to"),
        (entries(size=0), "instances[1].size", "greater than or equal to 1"),
        (entries(size=MAX_DOCUMENT_BYTES + 1), "instances[1].size", "less than or equal to"),
        (some_index_data(instances={}), "instances", "must be an array"),
        (some_index_data(instances=["x"]), "instances[0]", "must be an object"),
        (some_index_data(cluster="Prod_1"), "cluster", "RFC 1123"),
        (some_index_data(epoch=0), "epoch", "greater than or equal to 1"),
        (some_index_data(version=None), "version", "must be a"),
        (some_index_data(expiresAt="tomorrow"), "expiresAt", "RFC 3339"),
        (some_index_data(expiresAt=1769860800), "expiresAt", "RFC 3339"),
        (some_index_data(expiresAt="2026-01-31T12:00:00Z"), "expiresAt", "is not after issuedAt"),
        (some_index_data(schema=1), "schema", "perigee.dev/index/v1"),
        (some_index_data(schema="perigee.dev/trust/v1"), "schema", "where perigee.dev/index/v1 was expected"),
    ],
)
def test_a_malformed_field_is_refused_with_its_path(data: dict[str, Any], path: str, says: str) -> None:
    error = refused(an_index_envelope(data))
    assert (error.reason, error.path) == (Reason.MALFORMED, path)
    assert says in str(error)


@pytest.mark.parametrize(
    ("payload", "path"),
    [(b"", "index"), (b"[]", "index"), (b"{", "index"), (b'{"schema": "a", "schema": "a"}', "schema")],
)
def test_a_signed_payload_that_is_no_index_is_refused(payload: bytes, path: str) -> None:
    error = refused(sign(payload, INDEX_TYPE, keys=[INDEX]))
    assert (error.reason, error.path) == (Reason.MALFORMED, path)


ORDER = {
    "id": OTHER_ID,
    "instance": INSTANCE_ID,
    "kind": "restart",
    "args": {"component": "scheduler"},
    "notAfter": "2026-01-31T13:00:00Z",
}


def test_orders_come_with_the_index_that_lists_them() -> None:
    (order,) = accepted(some_index_data(orders=[ORDER])).orders
    assert order == Order(OTHER_ID, INSTANCE_ID, "restart", {"component": "scheduler"}, NOW + timedelta(hours=1))


def test_an_order_of_a_kind_that_nobody_knows_is_no_fault_of_the_index() -> None:
    assert accepted(some_index_data(orders=[{**ORDER, "kind": "levitate"}])).orders[0].kind == "levitate"


@pytest.mark.parametrize(
    ("orders", "path"),
    [
        ([{**ORDER, "id": "1"}], "orders[0].id"),
        ([{**ORDER, "kind": "two words"}], "orders[0].kind"),
        ([{**ORDER, "args": {"component": "x" * 257}}], "orders[0].args.component"),
        ([{**ORDER, "args": {f"a{number}": "" for number in range(9)}}], "orders[0].args"),
        ([ORDER, ORDER], "orders[1].id"),
        ([{**ORDER, "id": f"{number:08x}-0000-4000-8000-000000000000"} for number in range(257)], "orders"),
    ],
)
def test_orders_that_are_not_as_agreed_refuse_the_index(orders: list[dict[str, Any]], path: str) -> None:
    error = refused(an_index_envelope(some_index_data(orders=orders)))
    assert (error.reason, error.path) == (Reason.MALFORMED, path)


def test_an_index_without_orders_does_not_speak_of_them() -> None:
    """An agent of before would tell the name as that of a field without effect."""
    assert "orders" not in some_index_data()


def test_the_same_standing_with_other_orders_is_mixed() -> None:
    held = accepted(some_index_data(orders=[ORDER]))
    refuse_mixed(accepted(some_index_data(orders=[ORDER], expiresAt="2026-02-09T12:00:00Z")), held=held)
    for other in ([], [{**ORDER, "args": {}}]):
        with pytest.raises(Refused) as caught:
            refuse_mixed(accepted(some_index_data(orders=other)), held=held)
        assert (caught.value.reason, caught.value.path) == (Reason.MIXED_INDEX, "orders")
