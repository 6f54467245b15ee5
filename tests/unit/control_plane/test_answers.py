"""Answers keep within what an agent takes, and waits within what we grant."""

from __future__ import annotations

import pytest

from agent.model.errors import Refused
from agent.wire.documents import decode_answer, encode_answer
from agent.wire.limits import MAX_DOCUMENT_BYTES, MAX_DOCUMENTS_ANSWER_BYTES, MAX_DOCUMENTS_PER_REQUEST
from agent.wire.problems import read_problem
from agent.wire.strict import digest
from control_plane.faults import Fault, Forbidden
from control_plane.web.agents import fitting, wait_seconds
from control_plane.web.problems import answer, fault_of


def test_an_answer_holds_as_many_large_documents_as_fit() -> None:
    documents = {digest(bytes([number])): bytes(MAX_DOCUMENT_BYTES) for number in range(MAX_DOCUMENTS_PER_REQUEST)}
    some = fitting(documents)
    encoded = encode_answer(some)
    assert 0 < len(some) < len(documents)
    assert MAX_DOCUMENTS_ANSWER_BYTES - 2 * MAX_DOCUMENT_BYTES < len(encoded) <= MAX_DOCUMENTS_ANSWER_BYTES
    assert decode_answer(encoded) == some


def test_small_documents_all_fit() -> None:
    documents = {digest(bytes([number])): b"{}" for number in range(MAX_DOCUMENTS_PER_REQUEST)}
    assert fitting(documents) == documents


@pytest.mark.parametrize(("text", "granted"), [(None, 0), ("0", 0), ("50", 50), ("60", 60), ("9" * 400, 60)])
def test_a_wait_is_granted_up_to_the_longest(text: str | None, granted: float) -> None:
    assert wait_seconds(text, longest=60) == granted


def test_a_refusal_of_the_wire_keeps_its_reason_and_place() -> None:
    fault = fault_of(Refused("is missing", path="spec.airflow", reason="Malformed", hint="add it"))
    told = read_problem(bytes(answer(fault).body or b""))  # type: ignore[arg-type]
    assert told is not None
    assert (fault.status, told.code, told.message, told.hint) == (
        400,
        "Malformed",
        "spec.airflow: is missing",
        "add it",
    )


def test_a_fault_is_told_with_its_field() -> None:
    assert fault_of(Forbidden("Forbidden", "no")).status == 403
    told = read_problem(bytes(answer(Fault("Malformed", "is no number", path="wait")).body or b""))  # type: ignore[arg-type]
    assert told is not None
    assert told.message == "wait: is no number"
