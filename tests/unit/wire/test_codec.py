"""Documents by their index entries, and reports out and in."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta, timezone

import pytest

from agent.model.changes import Action, Change
from agent.model.conditions import Condition, Truth
from agent.model.desired import Standing
from agent.model.errors import Refused
from agent.model.objects import ObjectRef
from agent.model.orders import OrderResult, Outcome
from agent.model.spool import SpoolStanding
from agent.model.status import AgentStatus, ComponentStatus, InstanceStatus
from agent.outgoing import ReportCodec
from agent.wire.codec import parse_document, read_document
from agent.wire.limits import MAX_DOCUMENT_BYTES, MAX_REPORT_BYTES
from agent.wire.refusals import Reason
from agent.wire.strict import canonical
from agent.wire.telling import decode_report
from tests.support.told import WIRE, a_report_of
from tests.support.wire import CLUSTER, INSTANCE_ID, NOW, OTHER_ID, a_listed_document, some_document_data

CODEC: ReportCodec = WIRE

CONDITION = Condition("Ready", Truth.FALSE, "PodsPending", "1 of 2 pods", NOW)
CHANGE = Change(ObjectRef("apps/v1", "Deployment", "sales", "airflow-scheduler"), Action.REPAIR, "kubectl scaled it")
AGENT = AgentStatus(
    version="0.1.0",
    cluster=CLUSTER,
    standing=Standing(3, 42),
    conditions=(CONDITION,),
    requests={"patch": 4, "get": 9},
    observed_at=NOW,
    outbox=SpoolStanding(waiting=3, size=900, dropped={"health": 2, "logs": 0}),
    trust=5,
)
INSTANCE = InstanceStatus(
    id=INSTANCE_ID,
    name="sales",
    namespace="sales",
    revision=7,
    state="running",
    conditions=(CONDITION,),
    components=(ComponentStatus("scheduler", 1, 0),),
    changes=(CHANGE,),
    observed_at=NOW,
)


def test_a_document_is_that_of_its_entry() -> None:
    listed = a_listed_document()
    document = parse_document(listed.entry, listed.raw)
    assert document.entry == listed.entry
    assert document.instance == read_document(listed.raw)[0]
    assert document.unknown_fields == ()


def test_the_names_of_unknown_fields_come_along() -> None:
    listed = a_listed_document(some_document_data(upgrade={}))
    assert parse_document(listed.entry, listed.raw).unknown_fields == ("spec.upgrade",)


@pytest.mark.parametrize("form", ["indented", "escaped"])
def test_bytes_need_not_be_canonical_only_those_of_the_digest(form: str) -> None:
    data = some_document_data()
    raw = json.dumps(data, indent=2 if form == "indented" else None).encode()
    assert read_document(raw)[0].name == "sales"


def test_other_bytes_of_the_same_length_are_refused() -> None:
    listed = a_listed_document()
    other = listed.raw.replace(b"3.3.2", b"3.3.1")
    with pytest.raises(Refused) as caught:
        parse_document(listed.entry, other)
    assert (caught.value.reason, caught.value.path) == (Reason.DIGEST_MISMATCH, "digest")


@pytest.mark.parametrize("raw", [b"", b"{}", a_listed_document().raw + b" "])
def test_bytes_of_another_length_are_refused(raw: bytes) -> None:
    with pytest.raises(Refused) as caught:
        parse_document(a_listed_document().entry, raw)
    assert (caught.value.reason, caught.value.path) == (Reason.DIGEST_MISMATCH, "size")


def test_mixed_the_document_of_another_instance_is_refused() -> None:
    listed = a_listed_document(instance_id=OTHER_ID)
    with pytest.raises(Refused) as caught:
        parse_document(listed.entry, listed.raw)
    assert (caught.value.reason, caught.value.path) == (Reason.MIXED_DOCUMENT, "metadata.id")
    assert INSTANCE_ID in str(caught.value)
    assert OTHER_ID in str(caught.value)


def test_an_endless_document_is_refused() -> None:
    with pytest.raises(Refused, match="document: has"):
        read_document(b" " * (MAX_DOCUMENT_BYTES + 1))


def test_a_report_tells_what_the_statuses_say() -> None:
    report = decode_report(a_report_of(AGENT, [INSTANCE]))
    assert report.to_data() == {
        "schema": "perigee.dev/report/v1",
        "agent": {
            "version": "0.1.0",
            "cluster": "prod-1",
            "standing": {"epoch": 3, "version": 42},
            "trustVersion": 5,
            "conditions": [
                {
                    "type": "Ready",
                    "status": "False",
                    "reason": "PodsPending",
                    "message": "1 of 2 pods",
                    "since": "2026-01-31T12:00:00Z",
                }
            ],
            "requests": {"get": 9, "patch": 4},
            "outbox": {"waiting": 3, "bytes": 900, "dropped": {"health": 2}},
            "observedAt": "2026-01-31T12:00:00Z",
        },
        "instances": [
            {
                "id": INSTANCE_ID,
                "name": "sales",
                "namespace": "sales",
                "revision": 7,
                "state": "running",
                "conditions": [report.agent.conditions[0].to_data()],
                "components": [{"name": "scheduler", "desired": 1, "ready": 0}],
                "changes": [
                    {
                        "object": {
                            "apiVersion": "apps/v1",
                            "kind": "Deployment",
                            "namespace": "sales",
                            "name": "airflow-scheduler",
                        },
                        "action": "repair",
                        "why": "kubectl scaled it",
                    }
                ],
                "changesOmitted": 0,
                "observedAt": "2026-01-31T12:00:00Z",
            }
        ],
        "audit": [],
        "orders": [],
    }


def test_a_report_tells_what_became_of_orders() -> None:
    result = OrderResult(OTHER_ID, Outcome.REFUSED, "UnknownOrder", "x" * 5000, NOW)
    (told,) = decode_report(CODEC.report(agent=AGENT, letters=[], orders=[result])).orders
    assert (told.id, told.outcome, told.reason, told.at) == (OTHER_ID, "Refused", "UnknownOrder", NOW)
    assert (len(told.message), told.message[-2:]) == (2000, "x…")


def test_times_go_out_in_utc_and_keep_their_fractions() -> None:
    local = (NOW + timedelta(microseconds=5)).astimezone(timezone(timedelta(hours=2)))
    report = decode_report(a_report_of(replace(AGENT, observed_at=local)))
    assert report.to_data()["agent"]["observedAt"] == "2026-01-31T12:00:00.000005Z"
    assert report.agent.observed_at == local


def test_a_long_text_is_cut_and_changes_are_counted() -> None:
    long = replace(INSTANCE, conditions=(replace(CONDITION, message="x" * 5000),), changes=(CHANGE,) * 250)
    (told,) = decode_report(a_report_of(AGENT, [long])).instances
    assert (len(told.conditions[0].message), told.conditions[0].message[-2:]) == (4000, "x…")
    assert (len(told.changes), told.changes_omitted) == (200, 50)


def test_what_does_not_fit_is_told_with_less_detail() -> None:
    wordy = replace(CONDITION, message="y" * 4000)
    large = replace(INSTANCE, conditions=(wordy,) * 20, changes=(replace(CHANGE, why="z" * 4000),) * 100)
    letter = WIRE.status(large)
    assert len(letter.body) <= 128 * 1024
    (told,) = decode_report(a_report_of(AGENT, [large])).instances
    assert (len(told.changes), told.changes_omitted) == (20, 80)
    assert len(told.conditions[0].message) == 500


def test_too_much_for_one_report_is_refused_with_what_to_do() -> None:
    crowded = replace(INSTANCE, conditions=(replace(CONDITION, message="y" * 2000),) * 30)
    with pytest.raises(Refused) as caught:
        a_report_of(AGENT, [crowded] * 20)
    assert (caught.value.reason, caught.value.path) == (Reason.TOO_LARGE, "report")
    assert caught.value.hint == "report fewer at once"
    assert len(a_report_of(AGENT, [crowded] * 10)) <= MAX_REPORT_BYTES


def test_bytes_that_could_not_be_decoded_do_not_stop_a_report() -> None:
    odd = b"caf\xe9".decode("utf-8", "surrogateescape")
    raw = a_report_of(replace(AGENT, conditions=(replace(CONDITION, message=odd),)))
    assert decode_report(raw).agent.conditions[0].message == "caf?"


def test_fields_of_a_newer_agent_are_ignored_and_a_newer_major_is_refused() -> None:
    data = json.loads(a_report_of(AGENT, []))
    assert decode_report(canonical({**data, "hosts": []})).agent.version == "0.1.0"
    with pytest.raises(Refused) as caught:
        decode_report(canonical({**data, "schema": "perigee.dev/report/v2"}))
    assert (caught.value.reason, caught.value.path) == (Reason.UNKNOWN_MAJOR, "schema")


def test_a_malformed_report_is_refused_with_the_path() -> None:
    data = json.loads(a_report_of(AGENT, [INSTANCE]))
    data["instances"][0]["conditions"][0]["status"] = "Maybe"
    with pytest.raises(Refused) as caught:
        decode_report(canonical(data))
    assert caught.value.path == "instances[0].conditions[0].status"
